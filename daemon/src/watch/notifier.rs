//! Where everything that owners should know is handed in.

use std::sync::Arc;

use tracing::warn;

use crate::{metrics::Metrics, model::Notice};

/// Takes notices. Cheap to clone.
#[derive(Clone)]
pub struct Notifier {
    metrics: Arc<Metrics>,
}

impl Notifier {
    /// A notifier that counts in `metrics`.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics }
    }

    /// Hands in a notice. Never waits.
    pub fn raise(&self, notice: Notice) {
        let Notice {
            channel,
            kind,
            words,
            ..
        } = notice;
        let channel = channel.as_ref().map_or("", |channel| channel.as_str());
        self.metrics.notice(kind);
        warn!(channel, kind = kind.as_str(), "{words}");
    }
}
