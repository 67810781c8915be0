//! Takes note of jumps of the machine's time, and moves the waits that one would end all at once.

use std::{sync::Arc, time::Duration};

use tokio::sync::oneshot;
use tracing::{info, warn};

use crate::{channel::Registry, store::Store};

/// Between two looks.
const INTERVAL: Duration = Duration::from_millis(200);

/// Watches the machine's time.
pub struct ClockWatch {
    /// Whose clock.
    pub store: Store,
    /// Whose queues.
    pub registry: Arc<Registry>,
}

impl ClockWatch {
    /// Watches until `stop` is dropped or fires. Sends wait while a jump is not settled.
    pub async fn run(self, mut stop: oneshot::Receiver<()>) {
        loop {
            if self.store.has_jumped() {
                self.settle().await;
            }
            tokio::select! {
                _ = &mut stop => return,
                () = tokio::time::sleep(INTERVAL) => {}
            }
        }
    }

    async fn settle(&self) {
        let jumps = self.store.jumps();
        for jump in &jumps {
            warn!(
                event = "clock_set",
                by_ms = jump.by_ms,
                "the machine's time was set: order and waits stay as they are"
            );
            let mut moved = 0;
            for channel in self.registry.routes().channels() {
                let heard_ms = channel.heard_at_ms();
                if heard_ms > 0 {
                    // It was heard as long ago as before.
                    channel.heard(heard_ms + (jump.to_ms - jump.from_ms));
                }
                let waits = self.store.move_waits(channel.org, &channel.id, *jump);
                match waits.await {
                    Ok(count) => moved += count,
                    Err(error) => {
                        warn!(event = "waits_not_moved", channel = %channel.id, %error, "waits could not be moved: some end early");
                    }
                }
            }
            if moved > 0 {
                info!(
                    event = "waits_moved",
                    moved, "waits were moved with the machine's time"
                );
            }
        }
        if let Err(error) = self.store.save_clock().await {
            warn!(event = "clock_not_saved", %error, "the clock could not be saved");
        }
        self.store.settle_jumps(jumps.len());
    }
}
