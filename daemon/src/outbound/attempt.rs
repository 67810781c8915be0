//! One attempt at one message: drive the adapter, then record what came of it.

use std::sync::Arc;

use trunkline_plugin_api::{AdapterError, ErrorClass, OutboundMessage, Receipt};

use super::{Backoff, DriveError, Next, Transport, drive::drive};
use crate::{
    channel::Channel,
    config::{PublicUrl, Settings},
    model::{Failure, Message, MessageId, OutboxItem},
    store::{Attempt, Store},
};

/// What came of an attempt, for those who watch the channel.
#[derive(Debug, Clone)]
pub(super) enum Seen {
    /// The provider took a message.
    Sent(Receipt),
    /// It refused, or did not answer.
    Failed(AdapterError),
    /// It may have this one.
    Uncertain(MessageId, AdapterError),
    /// The store could not be asked; nothing was sent.
    Nothing,
}

/// What an attempt needs.
pub(super) struct Attempter<'a> {
    pub(super) store: &'a Store,
    pub(super) channel: &'a Arc<Channel>,
    pub(super) transport: &'a Transport,
    pub(super) settings: &'a Settings,
}

impl Attempter<'_> {
    /// Sends a leased message and records the outcome.
    pub(super) async fn run(&self, item: &OutboxItem, message: &Message) -> Seen {
        let public_url = &self.settings.load().server.public_url;
        let outbound = Arc::new(outbound_message(self.channel, public_url, item, message));
        let (store, org, id) = (self.store, self.channel.org, item.message);
        let outcome = drive(
            self.channel,
            self.transport,
            "send",
            serde_json::Value::Null,
            || store.now(),
            move |instance, turn| instance.send(&outbound, turn),
            |cursor| async move { store.save_cursor(org, id, &cursor).await },
        )
        .await;
        let (attempt, seen) = match outcome {
            Ok(receipt) => (Attempt::Sent(receipt.clone()), Seen::Sent(receipt)),
            Err(DriveError::Store(_)) => return self.release(item).await,
            Err(error) => {
                let error = error.into_adapter_error();
                match self.judge(item, &error) {
                    uncertain @ Attempt::Uncertain(_) => (uncertain, Seen::Uncertain(id, error)),
                    other => (other, Seen::Failed(error)),
                }
            }
        };
        self.record(id, attempt).await;
        seen
    }

    /// What an error means for the message.
    fn judge(&self, item: &OutboxItem, error: &AdapterError) -> Attempt {
        let failure = Failure::from(error.clone());
        let now = self.store.now();
        match error.class {
            // The queue waits for the channel, at no cost to the message.
            ErrorClass::Credentials => Attempt::Later {
                error: failure,
                due_ms: now,
                counts: false,
            },
            ErrorClass::Ambiguous if !self.is_idempotent() => Attempt::Uncertain(failure),
            _ => {
                let mut error = error.clone();
                if error.class == ErrorClass::Ambiguous {
                    error.class = ErrorClass::Transient;
                }
                let chance = rand::random::<f64>();
                let backoff = Backoff::from(&self.settings.load().outbound);
                let next = backoff.after(&error, item.attempts, item.accepted_at_ms, now, chance);
                match next {
                    Next::At(due_ms) => Attempt::Later {
                        error: failure,
                        due_ms,
                        counts: true,
                    },
                    Next::GiveUp => Attempt::Failed(failure),
                }
            }
        }
    }

    /// After a restart: a call may have been made, and nobody knows what came of it.
    pub(super) async fn recover(&self, item: &OutboxItem) {
        if self.is_idempotent() {
            self.release(item).await;
            return;
        }
        let failure = Failure {
            class: ErrorClass::Ambiguous,
            code: "interrupted".into(),
            message: "the gateway stopped while the provider was being called".into(),
            provider_code: None,
        };
        self.record(item.message, Attempt::Uncertain(failure)).await;
    }

    /// Puts a message back as if the attempt had not begun.
    async fn release(&self, item: &OutboxItem) -> Seen {
        let failure = Failure {
            class: ErrorClass::Transient,
            code: "interrupted".into(),
            message: "the attempt was interrupted before the provider was called".into(),
            provider_code: None,
        };
        let attempt = Attempt::Later {
            error: failure,
            due_ms: self.store.now(),
            counts: false,
        };
        self.record(item.message, attempt).await;
        Seen::Nothing
    }

    /// Records an outcome. A store that fails now leaves the lease, which a restart resolves.
    async fn record(&self, id: MessageId, attempt: Attempt) {
        if let Err(error) = self
            .store
            .finish_attempt(self.channel.org, id, attempt)
            .await
        {
            tracing::error!(channel = %self.channel.id, message = %id, %error, "the outcome of a send could not be stored");
        }
    }

    fn is_idempotent(&self) -> bool {
        self.channel
            .facts
            .as_ref()
            .is_some_and(|facts| facts.idempotent_send)
    }
}

/// What the adapter is given of a message.
pub(super) fn outbound_message(
    channel: &Channel,
    public_url: &PublicUrl,
    item: &OutboxItem,
    message: &Message,
) -> OutboundMessage {
    OutboundMessage {
        id: message.id.to_string(),
        to: message.peer.clone(),
        content: message.content.clone(),
        part: None,
        idempotency_key: message.id.to_string(),
        callback_url: callback_url(channel, public_url, message.id),
        reply_to: message.reply_to.clone(),
        accepted_at_ms: item.accepted_at_ms,
        metadata: message.metadata.clone(),
    }
}

/// Where a provider reports the states of a message: the channel's own webhook, with our id in the
/// query, so that a report finds its message even before the provider's answer does.
pub fn callback_url(channel: &Channel, public_url: &PublicUrl, id: MessageId) -> Option<String> {
    channel.facts.as_ref().filter(|facts| facts.can_receive)?;
    let path = channel.webhook_path();
    Some(public_url.join(&format!("{path}?message={id}")))
}
