//! One attempt at one message: drive the adapter, part by part, and record what came of it.

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use trunkline_plugin_api::{
    AdapterError, Capability, Content, ErrorClass, OutboundMessage, Part, Receipt,
};

use super::{
    Backoff, DriveError, Next, OutboxContext, attachments,
    drive::drive,
    observe::{Observer, Seen},
    slots::Slots,
    window::outside_queued,
};
use crate::{
    channel::Channel,
    config::{PublicUrl, Uncertain},
    model::{Failure, Message, MessageId, OutboxItem, PartRef, WindowState},
    store::{Attempt, Finished, Outside, StoreError},
    telemetry::trace::{self, Trace},
};

/// Wait after the store refused.
pub(super) const STORE_WAIT: Duration = Duration::from_secs(1);

/// What an attempt needs.
pub(super) struct Attempter<'a> {
    pub(super) channel: &'a Arc<Channel>,
    pub(super) context: &'a OutboxContext,
    pub(super) observer: &'a Observer<'a>,
    /// Calls to the provider at once.
    pub(super) slots: &'a Slots,
}

/// What an attempt left for others to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// Nothing.
    Nothing,
    /// The provider should be asked whether it has this message.
    LookUp(MessageId),
}

impl Attempter<'_> {
    /// Sends a leased message, every part that the provider does not have yet, and records the
    /// outcome. The lease's cursor is where the adapter resumes; null for a new attempt.
    pub(super) async fn run(&self, item: &OutboxItem, message: Message) -> Left {
        let trace = traced(item, &message);
        trace.note("channel", || item.channel.to_string());
        trace.note("message", || item.message.to_string());
        trace.note("attempt", || i64::from(item.attempts) + 1);
        let outcome = trace.clone();
        trace.run(self.go(item, message, outcome)).await
    }

    async fn go(&self, item: &OutboxItem, mut message: Message, trace: Trace) -> Left {
        let mut item = item.clone();
        loop {
            let part = message.next_part();
            let (attempt, seen) = match self.call(&item, &message, part).await {
                Ok(receipt) => (Attempt::Sent(receipt.clone()), Seen::Sent(receipt)),
                Err(DriveError::Store { error, calls: 0 }) => {
                    self.put_back(&item, &error).await;
                    return Left::Nothing;
                }
                Err(error) => {
                    let error = error.into_adapter_error();
                    let attempt = self.judge(&item, &message, &error);
                    let seen = match &attempt {
                        Attempt::Uncertain(_) => Seen::Uncertain(error),
                        Attempt::Failed(_) => Seen::GivenUp(error),
                        _ => Seen::Later(error),
                    };
                    (attempt, seen)
                }
            };
            let external_id = match &attempt {
                Attempt::Sent(receipt) => Some(receipt.external_id.clone()),
                _ => None,
            };
            let finished = self.record(item.message, part, attempt).await;
            self.observer.note(&message, &seen);
            if let Some(error) = seen.error() {
                trace.fail(error.class.as_str());
            }
            if finished != Some(Finished::NextPart) {
                return match seen {
                    Seen::Uncertain(_) => Left::LookUp(item.message),
                    _ => Left::Nothing,
                };
            }
            if let Some(sent) = message.parts.get_mut(part) {
                sent.status = crate::model::Status::Sent;
                sent.external_id = external_id;
            }
            item.attempts = 1;
            item.cursor = Value::Null;
        }
    }

    async fn call(
        &self,
        item: &OutboxItem,
        message: &Message,
        part: usize,
    ) -> Result<Receipt, DriveError> {
        let OutboxContext {
            store,
            transport,
            settings,
            links,
            ..
        } = self.context;
        let public_url = &settings.load().server.public_url;
        let mut outbound = outbound_message(self.channel, public_url, item, message, part);
        attachments::link(links, self.channel, &mut outbound.content, store.now());
        let outbound = Arc::new(outbound);
        let org = self.channel.org;
        drive(
            self.channel,
            transport,
            "send",
            item.cursor.clone(),
            || store.wall(),
            move |instance, turn| instance.send(&outbound, turn),
            // The slot comes first: what is stored as called is soon called.
            |cursor| async move {
                let slot = self.slots.take(item.priority).await;
                store.begin_call(org, item, &cursor).await?;
                Ok(slot)
            },
        )
        .await
    }

    /// What an error means for the message.
    fn judge(&self, item: &OutboxItem, message: &Message, error: &AdapterError) -> Attempt {
        let failure = Failure::from(error.clone());
        let now = self.context.store.now();
        let mut error = error.clone();
        match error.class {
            // The queue waits for the channel, at no cost to the message.
            ErrorClass::Credentials => {
                return Attempt::Later {
                    error: failure,
                    due_ms: now,
                    counts: false,
                };
            }
            ErrorClass::WindowClosed if message.content.template.is_none() => {
                return self.outside(message, failure);
            }
            ErrorClass::Ambiguous if !self.may_repeat() => return Attempt::Uncertain(failure),
            ErrorClass::Ambiguous => error.class = ErrorClass::Transient,
            _ => {}
        }
        let chance = rand::random::<f64>();
        let backoff = Backoff::from(&self.context.settings.load().outbound);
        match backoff.after(&error, item.attempts, item.accepted_at_ms, now, chance) {
            Next::At(due_ms) => Attempt::Later {
                error: failure,
                due_ms,
                counts: true,
            },
            Next::GiveUp => Attempt::Failed(failure),
        }
    }

    /// What becomes of a message that the provider refused for its recipient's reply window.
    fn outside(&self, message: &Message, error: Failure) -> Attempt {
        let store = &self.context.store;
        let state = WindowState::default();
        match outside_queued(store, self.channel, message, &state) {
            Outside::Fail(_) => Attempt::Failed(error),
            outside => Attempt::Outside {
                error,
                scope: self.channel.consent_scope().to_owned(),
                outside: Box::new(outside),
            },
        }
    }

    /// After a restart, of an item that was leased: true where an attempt goes on from its cursor.
    /// What was surely not called, or may be called again, is put back; what may have been called
    /// without leaving a cursor is of unknown outcome.
    pub(super) async fn recover(&self, item: &OutboxItem, message: &Message) -> bool {
        if !item.called || self.is_idempotent() {
            self.release(item).await;
            return false;
        }
        if !item.cursor.is_null() {
            return true;
        }
        let failure = Failure {
            class: ErrorClass::Ambiguous,
            code: "interrupted".into(),
            message: "the gateway stopped while the provider was being called".into(),
            provider_code: None,
        };
        let attempt = Attempt::Uncertain(failure);
        self.record(item.message, message.next_part(), attempt)
            .await;
        false
    }

    /// After the store failed before any call of this attempt. One that goes on from a cursor keeps
    /// its lease, since an earlier call may have been made: the next start resolves it.
    async fn put_back(&self, item: &OutboxItem, error: &StoreError) {
        if !matches!(error, StoreError::Refused(_)) {
            tracing::warn!(event = "send_not_begun", channel = %self.channel.id, message = %item.message, %error, "a call could not be stored and was not made");
            tokio::time::sleep(STORE_WAIT).await;
        }
        if item.cursor.is_null() {
            self.release(item).await;
        }
    }

    /// Puts a message back as if the attempt had not begun.
    async fn release(&self, item: &OutboxItem) {
        let failure = Failure {
            class: ErrorClass::Transient,
            code: "interrupted".into(),
            message: "the attempt was interrupted before the provider was called".into(),
            provider_code: None,
        };
        let attempt = Attempt::Later {
            error: failure,
            due_ms: self.context.store.now(),
            counts: false,
        };
        self.record(item.message, 0, attempt).await;
    }

    /// Records an outcome. While the store can't write, it is kept here and tried again: the lease is durable, so
    /// a daemon that dies meanwhile finds the send under way, of unknown outcome, and asks the provider.
    async fn record(&self, id: MessageId, part: usize, attempt: Attempt) -> Option<Finished> {
        let store = &self.context.store;
        let mut is_told = false;
        loop {
            let finished = store
                .finish_attempt(self.channel.org, id, part, attempt.clone())
                .await;
            let error = match finished {
                Ok(finished) => return Some(finished),
                Err(error) => error,
            };
            let passes = matches!(error, StoreError::Failed(_) | StoreError::Busy { .. });
            if !passes {
                tracing::error!(event = "send_outcome_not_stored", channel = %self.channel.id, message = %id, %error, "the outcome of a send could not be stored");
                return None;
            }
            if !std::mem::replace(&mut is_told, true) {
                tracing::warn!(event = "send_outcome_kept", channel = %self.channel.id, message = %id, %error, "the outcome of a send can't be stored yet; it is kept in memory");
            }
            tokio::time::sleep(STORE_WAIT).await;
        }
    }

    /// Whether a call of unknown outcome may simply be made again: the provider takes a repeated
    /// one as the same, or the operator wants it so and the provider can't be asked.
    fn may_repeat(&self) -> bool {
        let resend = self.channel.config().uncertain == Uncertain::Resend;
        self.is_idempotent() || (resend && !self.channel.can(Capability::FindSent))
    }

    fn is_idempotent(&self) -> bool {
        self.channel
            .facts
            .as_ref()
            .is_some_and(|facts| facts.idempotent_send)
    }
}

/// The span of an attempt: under the request that it was sent by, where that is known by a UUID.
fn traced(item: &OutboxItem, message: &Message) -> Trace {
    let request = message.request.as_deref().map(uuid::Uuid::try_parse);
    match request.and_then(Result::ok) {
        Some(request) => trace::follower("send", request),
        None => trace::root("send", item.message.uuid()),
    }
}

/// What the adapter is given of a message, or of one part of it. Attachments and the message that is
/// answered go with the first part.
pub(super) fn outbound_message(
    channel: &Channel,
    public_url: &PublicUrl,
    item: &OutboxItem,
    message: &Message,
    part: usize,
) -> OutboundMessage {
    let split = message.parts.len() > 1;
    let reference = PartRef {
        message: message.id,
        part,
        split,
    };
    OutboundMessage {
        id: message.id.to_string(),
        to: message.peer.clone(),
        content: content_of(message, part),
        part: split.then(|| Part {
            index: index(part),
            count: index(message.parts.len()),
        }),
        idempotency_key: reference.to_string(),
        callback_url: callback_url(channel, public_url, reference),
        reply_to: message.reply_to.clone().filter(|_| part == 0),
        accepted_at_ms: item.accepted_at_ms,
        metadata: message.metadata.clone(),
    }
}

fn index(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn content_of(message: &Message, part: usize) -> Content {
    let Some(text) = message.parts.get(part).map(|part| part.text.clone()) else {
        return message.content.clone();
    };
    let rest = if part == 0 {
        message.content.clone()
    } else {
        Content::default()
    };
    Content {
        text: Some(text),
        ..rest
    }
}

/// Where a provider reports the states of a message: the channel's own webhook, with our id in the
/// query, so that a report finds its message even before the provider's answer does.
fn callback_url(channel: &Channel, public_url: &PublicUrl, reference: PartRef) -> Option<String> {
    if !channel.has_webhook() {
        return None;
    }
    let path = channel.webhook_path();
    Some(public_url.join(&format!("{path}?message={reference}")))
}
