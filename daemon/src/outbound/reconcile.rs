//! Sends of unknown outcome: the provider is asked whether it has them, where it can be asked.

use std::sync::Arc;

use serde_json::Value;
use tracing::{info, warn};
use trunkline_plugin_api::{Capability, Lookup, OutboundMessage, Receipt};

use super::{DriveError, Transport, drive, no_memory, outbound_message};
use crate::{
    channel::Channel,
    config::Settings,
    model::{Message, MessageId, OutboxItem, OutboxState, Source},
    store::{Attempt, Store, StoreError},
};

/// Looks up uncertain messages.
#[derive(Clone)]
pub struct Reconciler {
    /// Where they are.
    pub store: Store,
    /// How the provider is asked.
    pub transport: Transport,
    /// What providers call for states.
    pub settings: Settings,
}

impl Reconciler {
    /// Asks about one message. Found: it is sent. Surely absent: it goes back in line. Otherwise it
    /// stays uncertain, for a later report or a person.
    pub async fn settle(&self, channel: &Channel, id: MessageId) {
        if let Err(error) = self.try_settle(channel, id).await {
            warn!(channel = %channel.id, message = %id, %error, "a send of unknown outcome could not be looked up yet");
        }
    }

    async fn try_settle(&self, channel: &Channel, id: MessageId) -> Result<(), DriveError> {
        let can_find = channel.plugin.as_ref().is_some_and(|plugin| {
            plugin
                .manifest()
                .capabilities
                .contains(&Capability::FindSent)
        });
        let Some((item, message)) = self.store.outbox_entry(channel.org, id)? else {
            return Ok(());
        };
        if !can_find || item.state != OutboxState::Uncertain || message.channel != channel.id {
            return Ok(());
        }
        match self.look_up(channel, &item, &message).await? {
            Lookup::Found { receipt } => self.found(channel, &message, receipt).await?,
            Lookup::Absent => {
                info!(channel = %channel.id, message = %id, "the provider surely does not have it; it is sent again");
                self.store.retry(channel.org, id, Source::Poll).await?;
                channel.queue.notify_one();
            }
            Lookup::Unsure => {}
        }
        Ok(())
    }

    async fn look_up(
        &self,
        channel: &Channel,
        item: &OutboxItem,
        message: &Message,
    ) -> Result<Lookup, DriveError> {
        let settings = self.settings.load();
        let asked: Arc<OutboundMessage> = Arc::new(outbound_message(
            channel,
            &settings.server.public_url,
            item,
            message,
        ));
        drive(
            channel,
            &self.transport,
            "find_sent",
            Value::Null,
            || self.store.now(),
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
        receipt: Receipt,
    ) -> Result<(), StoreError> {
        let holder = self
            .store
            .holder(channel.org, &channel.id, &receipt.external_id)?;
        if holder.is_some_and(|holder| holder != message.id) {
            return Ok(());
        }
        info!(channel = %channel.id, message = %message.id, "the provider has it; it is not sent again");
        self.store
            .finish_attempt(channel.org, message.id, Attempt::Sent(receipt))
            .await?;
        Ok(())
    }
}
