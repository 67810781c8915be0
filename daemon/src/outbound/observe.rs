//! What is seen of sends, passed on to those who watch: health, pace, metrics, owners.

use std::sync::Arc;

use parking_lot::Mutex;
use tracing::{debug, info};
use trunkline_plugin_api::{AdapterError, ErrorClass, Receipt};

use super::{OutboxContext, Pace};
use crate::{
    channel::Channel,
    model::{Message, Notice, NoticeKind},
};

/// What came of an attempt.
#[derive(Debug, Clone)]
pub(super) enum Seen {
    /// The provider took a message, or a part of one.
    Sent(Receipt),
    /// It refused, or did not answer; the message is tried again.
    Later(AdapterError),
    /// The message was given up.
    GivenUp(AdapterError),
    /// The provider may have it.
    Uncertain(AdapterError),
}

impl Seen {
    /// Why it was not sent.
    pub(super) fn error(&self) -> Option<&AdapterError> {
        match self {
            Self::Sent(_) => None,
            Self::Later(error) | Self::GivenUp(error) | Self::Uncertain(error) => Some(error),
        }
    }
}

/// Watches one channel's sends.
pub(super) struct Observer<'a> {
    pub(super) channel: &'a Arc<Channel>,
    pub(super) context: &'a OutboxContext,
    pub(super) pace: &'a Mutex<Pace>,
}

impl Observer<'_> {
    /// Passes on what was seen of a message.
    pub(super) fn note(&self, message: &Message, seen: &Seen) {
        match seen {
            Seen::Sent(receipt) => self.sent(message, receipt),
            Seen::Later(error) => self.failed(message, error, None),
            Seen::GivenUp(error) => {
                self.context.metrics.given_up(&self.channel.id, error.class);
                self.failed(message, error, Some(NoticeKind::DeadLetter));
            }
            Seen::Uncertain(error) => self.failed(message, error, Some(NoticeKind::UncertainSend)),
        }
    }

    fn sent(&self, message: &Message, receipt: &Receipt) {
        let request = message.request.as_deref();
        debug!(channel = %self.channel.id, message = %message.id, request, "a provider took a message");
        let now = self.context.store.now();
        let id = &self.channel.id;
        self.context.metrics.sent(id);
        self.context
            .health
            .sent(id, now, receipt.rate_limit_remaining);
        let concurrency = super::concurrency(self.channel, &self.context.settings);
        let passed = self.context.store.passed();
        self.pace.lock().sent(concurrency, passed);
    }

    fn failed(&self, message: &Message, error: &AdapterError, notice: Option<NoticeKind>) {
        let OutboxContext {
            store,
            health,
            metrics,
            notifier,
            ..
        } = self.context;
        let id = &self.channel.id;
        metrics.send_failed(id, error.class);
        info!(event = "send_failed", channel = %id, message = %message.id, request = message.request.as_deref(), class = error.class.as_str(), code = %error.code, provider_code = error.provider_code.as_deref(), "a send failed");
        health.send_failed(id, store.now(), error);
        match error.class {
            ErrorClass::Throttled => self
                .pace
                .lock()
                .throttled(error.retry_after_ms, store.passed()),
            ErrorClass::Transient | ErrorClass::Ambiguous => self.pace.lock().failed(),
            _ => {}
        }
        if let Some(kind) = notice {
            let what = match kind {
                NoticeKind::DeadLetter => "a message was given up",
                _ => "it is not known whether the provider has a message",
            };
            notifier.raise(Notice {
                org: self.channel.org,
                channel: Some(id.clone()),
                kind,
                words: format!("{what}: {error}"),
            });
        }
    }
}
