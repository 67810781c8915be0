//! The one list of metrics, in the OpenMetrics text format; `METRICS.md` is made from it.
//!
//! ```text
//! counted as it happens: Metrics, requests ─┐
//! looked up when asked: Survey ─> state ────┴─> book ─> text for a scraper, table, overview
//! ```

mod book;
mod labels;
mod listener;
mod process;
mod requests;
#[cfg(test)]
mod shipped;
mod state;
mod survey;
#[cfg(test)]
mod table;

use std::sync::atomic::AtomicU64;

use parking_lot::Mutex;
use prometheus_client::metrics::{
    counter::Counter,
    family::Family,
    gauge::Gauge,
    histogram::{Histogram, exponential_buckets},
};
use trunkline_plugin_api::ErrorClass;

use self::{
    book::Book,
    labels::{ByChannel, ByClass, ByKind, ByOutcome, ByStatus},
    listener::ListenerMetrics,
    requests::Requests,
    state::State,
};
pub use self::{
    book::Described,
    listener::Refusal,
    process::Process,
    requests::{Reason, Totals},
    state::Sample,
    survey::{Survey, Surveyor},
};
use crate::model::{ChannelId, HealthStatus, NoticeKind, Outcome};

/// All metrics of the daemon.
pub struct Metrics {
    registry: Mutex<Book>,
    requests: Requests,
    state: State,
    /// What is looked up for them.
    pub surveyor: Surveyor,
    webhooks: Family<ByOutcome, Counter>,
    messages: Family<ByChannel, Counter>,
    limited: Family<ByChannel, Counter>,
    sent: Family<ByChannel, Counter>,
    send_failures: Family<ByClass, Counter>,
    restarts: Family<ByChannel, Counter>,
    refused_busy: Family<ByChannel, Counter>,
    acknowledge_seconds: Histogram,
    store_refuses: Gauge<u64, AtomicU64>,
    turns: Counter,
    media: Family<ByOutcome, Counter>,
    media_bytes: Family<ByChannel, Counter>,
    notices: Family<ByKind, Counter>,
    health_changes: Family<ByStatus, Counter>,
    canaries_sent: Family<ByChannel, Counter>,
    canaries_returned: Family<ByChannel, Counter>,
    canaries_lost: Family<ByChannel, Counter>,
    canary_seconds: Histogram,
    comebacks: Family<ByChannel, Counter>,
    listener: ListenerMetrics,
    removed: Family<ByKind, Counter>,
    compactions: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Registers everything.
    pub fn new() -> Self {
        let metrics = Self {
            registry: Mutex::default(),
            requests: Requests::default(),
            state: State::default(),
            surveyor: Surveyor::default(),
            webhooks: Family::default(),
            messages: Family::default(),
            limited: Family::default(),
            sent: Family::default(),
            send_failures: Family::default(),
            restarts: Family::default(),
            refused_busy: Family::default(),
            // 100 us to 1.6 s.
            acknowledge_seconds: Histogram::new(exponential_buckets(0.0001, 2.0, 15)),
            store_refuses: Gauge::default(),
            turns: Counter::default(),
            media: Family::default(),
            media_bytes: Family::default(),
            notices: Family::default(),
            health_changes: Family::default(),
            canaries_sent: Family::default(),
            canaries_returned: Family::default(),
            canaries_lost: Family::default(),
            // 50 ms to 27 minutes.
            canary_seconds: Histogram::new(exponential_buckets(0.05, 2.0, 16)),
            comebacks: Family::default(),
            listener: ListenerMetrics::default(),
            removed: Family::default(),
            compactions: Counter::default(),
        };
        metrics.register();
        metrics.listener.register(&mut metrics.registry.lock());
        metrics
    }

    fn register(&self) {
        let mut registry = self.registry.lock();
        registry.register(
            "webhooks",
            "Webhooks by what became of them",
            self.webhooks.clone(),
        );
        registry.register(
            "messages_received",
            "New inbound messages stored",
            self.messages.clone(),
        );
        registry.register(
            "messages_limited",
            "New inbound messages over a limit, stored and marked",
            self.limited.clone(),
        );
        registry.register(
            "messages_sent",
            "Messages that a provider took",
            self.sent.clone(),
        );
        registry.register(
            "send_failures",
            "Failed attempts by error class",
            self.send_failures.clone(),
        );
        registry.register(
            "actor_restarts",
            "Restarts of channel actors",
            self.restarts.clone(),
        );
        registry.register(
            "webhooks_unavailable",
            "Webhooks answered 503",
            self.refused_busy.clone(),
        );
        registry.register(
            "acknowledge_seconds",
            "From the last byte of a verified webhook to its durable commit",
            self.acknowledge_seconds.clone(),
        );
        registry.register(
            "store_refuses",
            "1 while nothing new is stored, for want of room or otherwise",
            self.store_refuses.clone(),
        );
        registry.register("turns", "Turns closed", self.turns.clone());
        registry.register(
            "media_fetched",
            "Attachments of received messages: stored, to be tried again, or failed",
            self.media.clone(),
        );
        registry.register(
            "media_fetched_bytes",
            "Bytes of attachments that were stored",
            self.media_bytes.clone(),
        );
        registry.register(
            "notifications",
            "Notices to owners by kind",
            self.notices.clone(),
        );
        self.requests.register(&mut registry);
        self.state.register(&mut registry);
        drop(registry);
        self.register_watching();
    }

    fn register_watching(&self) {
        let mut registry = self.registry.lock();
        registry.register(
            "channel_health_changes",
            "Changes of a channel's health by the status that it changed to",
            self.health_changes.clone(),
        );
        registry.register(
            "canaries_sent",
            "Canaries sent, by the channel that sent them",
            self.canaries_sent.clone(),
        );
        registry.register(
            "canaries_returned",
            "Canaries that came back in time",
            self.canaries_returned.clone(),
        );
        registry.register(
            "canaries_lost",
            "Canaries that did not come back in time",
            self.canaries_lost.clone(),
        );
        registry.register(
            "removed",
            "Records removed by retention and erasure, by kind",
            self.removed.clone(),
        );
        registry.register(
            "compactions",
            "Compactions of the store",
            self.compactions.clone(),
        );
        registry.register(
            "canary_seconds",
            "From the acceptance of a canary to its return",
            self.canary_seconds.clone(),
        );
        registry.register(
            "configuration_returns",
            "Times that a channel went back to its previous configuration after a reload",
            self.comebacks.clone(),
        );
    }

    /// A webhook came to its end.
    pub fn webhook(&self, channel: &ChannelId, outcome: Outcome) {
        let labels = ByOutcome {
            channel: channel.to_string(),
            outcome: outcome.as_str(),
        };
        self.webhooks.get_or_create(&labels).inc();
    }

    /// New messages were stored, `seconds` after the request was there.
    pub fn received(&self, channel: &ChannelId, messages: usize, seconds: f64) {
        let count = u64::try_from(messages).unwrap_or(u64::MAX);
        self.messages.get_or_create(&by(channel)).inc_by(count);
        self.acknowledge_seconds.observe(seconds);
    }

    /// New messages were fetched from a provider.
    pub fn fetched(&self, channel: &ChannelId, messages: usize) {
        let count = u64::try_from(messages).unwrap_or(u64::MAX);
        self.messages.get_or_create(&by(channel)).inc_by(count);
    }

    /// New messages were over a limit.
    pub fn limited(&self, channel: &ChannelId, messages: u32) {
        let count = self.limited.get_or_create(&by(channel));
        count.inc_by(u64::from(messages));
    }

    /// A webhook was answered 503.
    pub fn unavailable(&self, channel: &ChannelId) {
        self.refused_busy.get_or_create(&by(channel)).inc();
    }

    /// A provider took a message.
    pub fn sent(&self, channel: &ChannelId) {
        self.sent.get_or_create(&by(channel)).inc();
    }

    /// An attempt failed.
    pub fn send_failed(&self, channel: &ChannelId, class: ErrorClass) {
        let labels = ByClass {
            channel: channel.to_string(),
            class: class.as_str(),
        };
        self.send_failures.get_or_create(&labels).inc();
    }

    /// A channel's actor was started again.
    pub fn actor_restart(&self, channel: &ChannelId) {
        self.restarts.get_or_create(&by(channel)).inc();
    }

    /// Whether the store refuses what is new.
    pub fn store_refuses(&self, refuses: bool) {
        self.store_refuses.set(u64::from(refuses));
    }

    /// A turn was closed.
    pub fn turn(&self) {
        self.turns.inc();
    }

    /// An attachment was fetched, or was not: `stored`, `retried` or `failed`.
    pub fn media(&self, channel: &ChannelId, outcome: &'static str, bytes: u64) {
        let labels = ByOutcome {
            channel: channel.to_string(),
            outcome,
        };
        self.media.get_or_create(&labels).inc();
        let total = self.media_bytes.get_or_create(&by(channel));
        total.inc_by(bytes);
    }

    /// Owners were told of something.
    pub fn notice(&self, kind: NoticeKind) {
        let labels = ByKind {
            kind: kind.as_str(),
        };
        self.notices.get_or_create(&labels).inc();
    }

    /// A channel's health changed to this.
    pub fn health_changed(&self, channel: &ChannelId, status: HealthStatus) {
        let labels = ByStatus {
            channel: channel.to_string(),
            status: status.as_str(),
        };
        self.health_changes.get_or_create(&labels).inc();
    }

    /// A canary was sent.
    pub fn canary_sent(&self, channel: &ChannelId) {
        self.canaries_sent.get_or_create(&by(channel)).inc();
    }

    /// A canary came back after this many milliseconds.
    pub fn canary_returned(&self, channel: &ChannelId, took_ms: i64) {
        self.canaries_returned.get_or_create(&by(channel)).inc();
        let took = std::time::Duration::from_millis(u64::try_from(took_ms).unwrap_or(0));
        self.canary_seconds.observe(took.as_secs_f64());
    }

    /// A canary did not come back in time.
    pub fn canary_lost(&self, channel: &ChannelId) {
        self.canaries_lost.get_or_create(&by(channel)).inc();
    }

    /// A channel went back to its previous configuration.
    pub(crate) fn returned(&self, channel: &ChannelId) {
        self.comebacks.get_or_create(&by(channel)).inc();
    }

    /// Things of a kind were removed by retention or erasure.
    pub fn removed(&self, kind: &'static str, count: u64) {
        if count > 0 {
            self.removed.get_or_create(&ByKind { kind }).inc_by(count);
        }
    }

    /// The store was compacted.
    pub fn compacted(&self) {
        self.compactions.inc();
    }

    /// The text for a scraper, with what is true now.
    pub fn render(&self, sample: &Sample) -> String {
        let registry = self.registry.lock();
        self.state.set(sample);
        registry.encode()
    }

    /// What is said of each metric.
    pub fn described(&self) -> Vec<Described> {
        self.registry.lock().described().to_vec()
    }
}

fn by(channel: &ChannelId) -> ByChannel {
    ByChannel {
        channel: channel.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_holds_what_was_counted() {
        let metrics = Metrics::new();
        let channel = ChannelId::new("sms");
        metrics.webhook(&channel, Outcome::Accepted);
        metrics.received(&channel, 3, 0.001);
        let text = metrics.render(&Sample {
            health: vec![(channel, HealthStatus::Healthy)],
            open_notifications: 7,
            ..Sample::default()
        });
        for line in [
            "trunkline_webhooks_total{channel=\"sms\",outcome=\"accepted\"} 1",
            "trunkline_messages_received_total{channel=\"sms\"} 3",
            "trunkline_channel_health{channel=\"sms\",status=\"healthy\"} 1",
            "trunkline_notifications_open 7",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}
