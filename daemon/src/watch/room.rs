//! Tells when the store takes nothing new, for want of room or otherwise, and when it does again.

use std::{sync::Arc, time::Duration};

use tokio::sync::oneshot;
use tracing::{error, info};

use super::Notifier;
use crate::{
    metrics::Metrics,
    model::{Notice, NoticeKind},
    store::Store,
};

/// Between two looks.
const INTERVAL: Duration = Duration::from_millis(500);

/// Watches the store's room.
pub struct RoomWatch {
    /// Whose room.
    pub store: Store,
    /// Tells owners.
    pub notifier: Notifier,
    /// Shows it.
    pub metrics: Arc<Metrics>,
}

impl RoomWatch {
    /// Watches until `stop` is dropped or fires.
    pub async fn run(self, mut stop: oneshot::Receiver<()>) {
        let mut was_in_trouble = false;
        loop {
            let trouble = self.store.trouble();
            let room = self.store.engine().room();
            self.metrics.store_refuses(trouble.is_some());
            match (&trouble, was_in_trouble) {
                (Some(words), false) => {
                    error!(
                        event = "store_refusing",
                        free_bytes = room.free_bytes,
                        reserve_bytes = room.reserve_bytes,
                        "the store takes nothing new: {words}"
                    );
                    self.tell(words);
                }
                (None, true) => info!(
                    event = "store_taking",
                    free_bytes = room.free_bytes,
                    "the store takes all again"
                ),
                _ => {}
            }
            was_in_trouble = trouble.is_some();
            tokio::select! {
                _ = &mut stop => return,
                () = tokio::time::sleep(INTERVAL) => {}
            }
        }
    }

    /// Kept in memory until it can be stored.
    fn tell(&self, words: &str) {
        for (_, org) in self.store.organizations() {
            self.notifier.raise(Notice {
                org,
                channel: None,
                kind: NoticeKind::StoreFull,
                words: format!(
                    "webhooks were answered 503 and sends were held: {words}. Providers come back, and nothing \
                     that was acknowledged is lost"
                ),
            });
        }
    }
}
