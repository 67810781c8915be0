//! Sends of unknown outcome: the provider is asked whether it has them, where it can be asked.

use std::sync::Arc;

use serde_json::Value;
use tracing::{info, warn};
use trunkline_plugin_api::{Capability, Lookup, Receipt};

use super::{DriveError, OutboxContext, Transport, drive, no_memory, outbound_message};
use crate::{
    channel::Channel,
    config::{Settings, Uncertain},
    model::{Message, MessageId, OutboxItem, OutboxState, Status},
    store::{Attempt, Finished, Store, StoreError},
};

/// Looks up uncertain messages.
#[derive(Clone)]
pub struct Reconciler {
    store: Store,
    transport: Transport,
    settings: Settings,
}

impl Reconciler {
    /// One that works on what an outbox has.
    pub fn new(context: &OutboxContext) -> Self {
        Self {
            store: context.store.clone(),
            transport: context.transport.clone(),
            settings: context.settings.clone(),
        }
    }

    /// Asks about one message. Found: it is sent. Surely absent: it goes back in line. Otherwise the
    /// channel's policy says whether it is sent again or stays uncertain, for a later report or a
    /// person.
    pub async fn settle(&self, channel: &Channel, id: MessageId) {
        if let Err(error) = self.try_settle(channel, id).await {
            warn!(event = "lookup_postponed", channel = %channel.id, message = %id, %error, "a send of unknown outcome could not be looked up yet");
        }
    }

    async fn try_settle(&self, channel: &Channel, id: MessageId) -> Result<(), DriveError> {
        let Some((item, message)) = self.store.outbox_entry(channel.org, id)? else {
            return Ok(());
        };
        if item.state != OutboxState::Uncertain || message.channel != channel.id {
            return Ok(());
        }
        let part = uncertain_part(&message);
        let found = if channel.can(Capability::FindSent) {
            self.look_up(channel, &item, &message, part).await?
        } else {
            Lookup::Unsure
        };
        match found {
            Lookup::Found { receipt } => self.found(channel, &message, part, receipt).await?,
            Lookup::Absent => {
                info!(event = "lookup_absent", channel = %channel.id, message = %id, "the provider surely does not have it; it is sent again");
                self.send_again(channel, &item).await?;
            }
            // A policy for single sends is none for a whole queue that was restored.
            Lookup::Unsure
                if channel.config().uncertain == Uncertain::Resend && !item.is_restored() =>
            {
                info!(event = "lookup_resend", channel = %channel.id, message = %id, "nobody knows whether the provider has it; it is sent again, as configured");
                self.send_again(channel, &item).await?;
            }
            Lookup::Unsure => {}
        }
        Ok(())
    }

    /// Puts it back in line while its budget of attempts lasts.
    async fn send_again(&self, channel: &Channel, item: &OutboxItem) -> Result<(), StoreError> {
        if item.attempts < self.settings.load().outbound.attempts_max {
            self.store.send_again(channel.org, item.message).await?;
            channel.queue.notify_one();
        }
        Ok(())
    }

    async fn look_up(
        &self,
        channel: &Channel,
        item: &OutboxItem,
        message: &Message,
        part: usize,
    ) -> Result<Lookup, DriveError> {
        let public_url = &self.settings.load().server.public_url;
        let asked = outbound_message(channel, public_url, item, message, part);
        let asked = Arc::new(asked);
        drive(
            channel,
            &self.transport,
            "find_sent",
            Value::Null,
            || self.store.wall(),
            move |instance, turn| instance.find_sent(&asked, turn),
            no_memory,
        )
        .await
    }

    /// What the provider shows may be another message with the same words: one that is known to be
    /// another's proves nothing.
    async fn found(
        &self,
        channel: &Channel,
        message: &Message,
        part: usize,
        receipt: Receipt,
    ) -> Result<(), StoreError> {
        let org = channel.org;
        let holder = self.store.holder(org, &channel.id, &receipt.external_id)?;
        if holder.is_some() {
            return Ok(());
        }
        info!(event = "lookup_found", channel = %channel.id, message = %message.id, "the provider has it; it is not sent again");
        let attempt = Attempt::Sent(receipt);
        let finished = self
            .store
            .finish_attempt(org, message.id, part, attempt)
            .await?;
        if finished == Finished::Done(Status::Queued) {
            channel.queue.notify_one();
        }
        Ok(())
    }
}

fn uncertain_part(message: &Message) -> usize {
    message
        .parts
        .iter()
        .position(|part| part.status == Status::Uncertain)
        .unwrap_or_else(|| message.next_part())
}
