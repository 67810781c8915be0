//! The one list of metrics, in the OpenMetrics text format.

mod listener;

use std::sync::atomic::AtomicU64;

use parking_lot::Mutex;
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};
use trunkline_plugin_api::ErrorClass;

use self::listener::ListenerMetrics;
pub use self::listener::Refusal;
use crate::model::{ChannelId, HealthStatus, NoticeKind, Outcome};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByChannel {
    channel: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByOutcome {
    channel: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByClass {
    channel: String,
    class: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByStatus {
    channel: String,
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByKind {
    kind: &'static str,
}

/// All metrics of the daemon.
pub struct Metrics {
    registry: Mutex<Registry>,
    webhooks: Family<ByOutcome, Counter>,
    messages: Family<ByChannel, Counter>,
    limited: Family<ByChannel, Counter>,
    sent: Family<ByChannel, Counter>,
    send_failures: Family<ByClass, Counter>,
    restarts: Family<ByChannel, Counter>,
    refused_busy: Family<ByChannel, Counter>,
    acknowledge_seconds: Histogram,
    health: Family<ByStatus, Gauge>,
    queue_depth: Gauge<u64, AtomicU64>,
    store_free_bytes: Gauge<u64, AtomicU64>,
    store_failed: Gauge<u64, AtomicU64>,
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
            registry: Mutex::new(Registry::with_prefix("trunkline")),
            webhooks: Family::default(),
            messages: Family::default(),
            limited: Family::default(),
            sent: Family::default(),
            send_failures: Family::default(),
            restarts: Family::default(),
            refused_busy: Family::default(),
            // 100 us to 1.6 s.
            acknowledge_seconds: Histogram::new(exponential_buckets(0.0001, 2.0, 15)),
            health: Family::default(),
            queue_depth: Gauge::default(),
            store_free_bytes: Gauge::default(),
            store_failed: Gauge::default(),
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
            "channel_health",
            "1 for the status that a channel has",
            self.health.clone(),
        );
        registry.register(
            "store_queue_depth",
            "Commits waiting for the disk",
            self.queue_depth.clone(),
        );
        registry.register(
            "store_free_bytes",
            "Bytes free on the store's disk",
            self.store_free_bytes.clone(),
        );
        registry.register(
            "store_failed",
            "Groups of commits that the disk refused since the start",
            self.store_failed.clone(),
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

    /// How the store is: bytes free, groups that failed since the start, whether it refuses new work.
    pub fn store_room(&self, free_bytes: u64, failed: u64, refuses: bool) {
        self.store_free_bytes.set(free_bytes);
        self.store_failed.set(failed);
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

    /// The text for a scraper, with the health of each channel and the depth of the store's queue
    /// as they are now.
    pub fn render(&self, health: &[(ChannelId, HealthStatus)], queue_depth: u64) -> String {
        self.health.clear();
        for (channel, status) in health {
            let labels = ByStatus {
                channel: channel.to_string(),
                status: status.as_str(),
            };
            self.health.get_or_create(&labels).set(1);
        }
        self.queue_depth.set(queue_depth);
        let mut text = String::new();
        encode(&mut text, &self.registry.lock()).expect("a string takes any text");
        text
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
        let text = metrics.render(&[(channel, HealthStatus::Healthy)], 7);
        for line in [
            "trunkline_webhooks_total{channel=\"sms\",outcome=\"accepted\"} 1",
            "trunkline_messages_received_total{channel=\"sms\"} 3",
            "trunkline_channel_health{channel=\"sms\",status=\"healthy\"} 1",
            "trunkline_store_queue_depth 7",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}
