//! Where everything that owners should know is handed in, and how it gets into the store.
//!
//! ```text
//! raise ─> groups in memory (never waits) ─> writer: one transaction, one log line a group, at most once a second
//! ```

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{
    sync::{Notify, oneshot},
    time::Instant,
};
use tracing::{error, warn};

use super::groups::Groups;
use crate::{metrics::Metrics, model::Notice, store::Store};

/// Least time between two writes.
const PAUSE: Duration = Duration::from_secs(1);

/// Takes notices. Cheap to clone.
#[derive(Clone)]
pub struct Notifier {
    store: Store,
    metrics: Arc<Metrics>,
    desk: Arc<Desk>,
}

#[derive(Default)]
struct Desk {
    groups: Mutex<Groups>,
    /// Told when the first group waits.
    wake: Notify,
}

impl Notifier {
    /// A notifier that counts in `metrics`. What it takes is kept in `store` once its
    /// [`writer`](Self::writer) runs.
    pub fn new(store: Store, metrics: Arc<Metrics>) -> Self {
        Self {
            store,
            metrics,
            desk: Arc::default(),
        }
    }

    /// Hands in a notice. Never waits. It is kept within about a second, grouped with all others
    /// of its kind on its channel.
    pub fn raise(&self, notice: Notice) {
        self.metrics.notice(notice.kind);
        let at_ms = self.store.now();
        if self.desk.groups.lock().add(notice, at_ms) {
            self.desk.wake.notify_one();
        }
    }

    /// Writes what was handed in until `stop` is dropped or fires, then what is still there.
    pub async fn writer(self, mut stop: oneshot::Receiver<()>) {
        let mut next = Instant::now();
        loop {
            tokio::select! {
                biased;
                _ = &mut stop => break,
                () = self.due(next) => {}
            }
            self.write().await;
            next = Instant::now() + PAUSE;
        }
        self.write().await;
    }

    /// Waits until there is something to write and its time has come.
    async fn due(&self, next: Instant) {
        self.desk.wake.notified().await;
        tokio::time::sleep_until(next).await;
    }

    async fn write(&self) {
        let (groups, dropped) = self.desk.groups.lock().take();
        if dropped > 0 {
            error!(
                event = "notices_dropped",
                dropped, "too many kinds of notices at once: some were only counted"
            );
        }
        if groups.is_empty() {
            return;
        }
        for group in &groups {
            let channel = group
                .channel
                .as_ref()
                .map_or("", |channel| channel.as_str());
            warn!(
                event = "notice",
                channel,
                kind = group.kind.as_str(),
                count = group.count,
                "{}",
                group.words
            );
        }
        if let Err(error) = self.store.add_notices(groups.clone()).await {
            warn!(event = "notices_not_kept", %error, "notifications could not be kept yet");
            self.desk.groups.lock().put_back(groups);
            self.desk.wake.notify_one();
        }
    }
}
