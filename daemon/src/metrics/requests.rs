//! What is counted of requests and calls: webhooks that were refused, calls into plugins, answers
//! of the listeners, reloads.

use std::{borrow::Cow, time::Duration};

use prometheus_client::metrics::{
    counter::Counter,
    family::Family,
    histogram::{Histogram, exponential_buckets},
};
use trunkline_plugin_api::{ErrorClass, Verdict};

use super::{
    Metrics,
    book::Book,
    by,
    labels::{ByCall, ByChannel, ByClass, ByOp, ByOutcome, ByReason, ByRequest, ByResult},
};
use crate::model::{ChannelId, Outcome};

/// All classes of errors.
const CLASSES: [ErrorClass; 11] = [
    ErrorClass::Config,
    ErrorClass::Credentials,
    ErrorClass::Recipient,
    ErrorClass::Content,
    ErrorClass::WindowClosed,
    ErrorClass::OptedOut,
    ErrorClass::Throttled,
    ErrorClass::Transient,
    ErrorClass::Ambiguous,
    ErrorClass::Unsupported,
    ErrorClass::Bug,
];

/// Why a webhook was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It is not signed.
    Unsigned,
    /// Its signature is wrong.
    Mismatch,
    /// Its signature is too old.
    Expired,
    /// The channel has no secret.
    NoSecret,
    /// The method is not one of the channel's.
    Method,
    /// Its body is too large.
    TooLarge,
    /// Its body did not come in time, or broke off.
    Body,
}

impl Reason {
    fn as_str(self) -> &'static str {
        match self {
            Self::Unsigned => "unsigned",
            Self::Mismatch => "mismatch",
            Self::Expired => "expired",
            Self::NoSecret => "no_secret",
            Self::Method => "method",
            Self::TooLarge => "too_large",
            Self::Body => "body",
        }
    }
}

impl From<Verdict> for Reason {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Unsigned => Self::Unsigned,
            Verdict::Expired => Self::Expired,
            Verdict::NoSecret => Self::NoSecret,
            // Those that vouch for a request refuse none.
            Verdict::Mismatch | Verdict::Authentic | Verdict::Challenge => Self::Mismatch,
        }
    }
}

/// What a channel has done since the daemon started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// New messages that came in.
    pub received: u64,
    /// Messages that a provider took.
    pub sent: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Webhooks that were refused.
    pub rejected: u64,
}

pub(super) struct Requests {
    rejected: Family<ByReason, Counter>,
    duplicates: Family<ByChannel, Counter>,
    given_up: Family<ByClass, Counter>,
    calls: Family<ByCall, Counter>,
    call_seconds: Family<ByOp, Histogram>,
    http: Family<ByRequest, Counter>,
    reloads: Family<ByResult, Counter>,
}

impl Default for Requests {
    fn default() -> Self {
        Self {
            rejected: Family::default(),
            duplicates: Family::default(),
            given_up: Family::default(),
            calls: Family::default(),
            // 10 us to 10 s.
            call_seconds: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(0.000_01, 4.0, 11))
            }),
            http: Family::default(),
            reloads: Family::default(),
        }
    }
}

impl Requests {
    pub(super) fn register(&self, book: &mut Book) {
        book.register(
            "webhooks_rejected",
            "Webhooks of a known path that were refused, by reason",
            self.rejected.clone(),
        );
        book.register(
            "messages_duplicate",
            "Messages and reports that had come before",
            self.duplicates.clone(),
        );
        book.register(
            "messages_failed",
            "Messages that were given up, by error class",
            self.given_up.clone(),
        );
        book.register(
            "plugin_calls",
            "Calls into plugins by what came of them",
            self.calls.clone(),
        );
        book.register(
            "plugin_call_seconds",
            "Time of calls on the channel's thread",
            self.call_seconds.clone(),
        );
        book.register(
            "http_requests",
            "Requests of the listeners by class of route and status",
            self.http.clone(),
        );
        book.register(
            "reloads",
            "Reloads of the configuration: done or refused",
            self.reloads.clone(),
        );
    }
}

impl Metrics {
    /// A webhook was refused.
    pub fn rejected(&self, channel: &ChannelId, reason: Reason) {
        let labels = ByReason {
            channel: channel.to_string(),
            reason: reason.as_str(),
        };
        self.requests.rejected.get_or_create(&labels).inc();
    }

    /// Messages and reports came again.
    pub fn duplicates(&self, channel: &ChannelId, count: u32) {
        if count > 0 {
            let counter = self.requests.duplicates.get_or_create(&by(channel));
            counter.inc_by(u64::from(count));
        }
    }

    /// A message was given up.
    pub fn given_up(&self, channel: &ChannelId, class: ErrorClass) {
        let labels = ByClass {
            channel: channel.to_string(),
            class: class.as_str(),
        };
        self.requests.given_up.get_or_create(&labels).inc();
    }

    /// A call into a plugin came to its end.
    pub fn plugin_call(&self, channel: &ChannelId, op: &'static str, outcome: &'static str) {
        let labels = ByCall {
            channel: channel.to_string(),
            op,
            outcome,
        };
        self.requests.calls.get_or_create(&labels).inc();
    }

    /// A call kept a channel's thread for this long.
    pub fn plugin_took(&self, op: &'static str, took: Duration) {
        let histogram = self.requests.call_seconds.get_or_create(&ByOp { op });
        histogram.observe(took.as_secs_f64());
    }

    /// A listener answered. `route` is one of a closed set.
    pub fn http_request(&self, listener: &'static str, route: Cow<'static, str>, status: u16) {
        let labels = ByRequest {
            listener,
            route,
            status,
        };
        self.requests.http.get_or_create(&labels).inc();
    }

    /// A reload was done or refused.
    pub fn reload(&self, is_done: bool) {
        let outcome = if is_done { "done" } else { "refused" };
        self.requests
            .reloads
            .get_or_create(&ByResult { outcome })
            .inc();
    }

    /// What a channel has done since the daemon started.
    pub fn totals(&self, channel: &ChannelId) -> Totals {
        let name = channel.to_string();
        let failed = |class: ErrorClass| {
            let class = class.as_str();
            let labels = ByClass {
                channel: name.clone(),
                class,
            };
            let found = self.send_failures.get(&labels);
            found.map_or(0, |counter| counter.get())
        };
        let rejected = ByOutcome {
            channel: name.clone(),
            outcome: Outcome::Rejected.as_str(),
        };
        let count = |family: &Family<ByChannel, Counter>| {
            let found = family.get(&by(channel));
            found.map_or(0, |counter| counter.get())
        };
        let rejected = self
            .webhooks
            .get(&rejected)
            .map_or(0, |counter| counter.get());
        Totals {
            received: count(&self.messages),
            sent: count(&self.sent),
            failed: CLASSES.into_iter().map(failed).sum(),
            rejected,
        }
    }
}
