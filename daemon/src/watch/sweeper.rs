//! Ends what is kept for a time only, and saves the clock.

use std::{sync::Arc, time::Duration};

use tokio::sync::oneshot;
use tracing::{info, warn};

use crate::{channel::Registry, config::Settings, model::Millis, store::Store};

/// Between two rounds.
const INTERVAL: Duration = Duration::from_secs(30);

/// Sweeps all channels.
pub struct Sweeper {
    /// What is swept.
    pub store: Store,
    /// Whose events.
    pub registry: Arc<Registry>,
    /// How long things are kept.
    pub settings: Settings,
}

impl Sweeper {
    /// Sweeps until `stop` is dropped or fires.
    pub async fn run(self, mut stop: oneshot::Receiver<()>) {
        loop {
            tokio::select! {
                _ = &mut stop => return,
                () = tokio::time::sleep(INTERVAL) => {}
            }
            if let Err(error) = self.store.save_clock().await {
                warn!(%error, "the clock could not be saved");
            }
            self.round().await;
        }
    }

    async fn round(&self) {
        let kept_ms = Millis::try_from(self.settings.load().retention.webhook_events.as_millis())
            .unwrap_or(Millis::MAX);
        let before = self.store.now().saturating_sub(kept_ms);
        for channel in self.registry.routes().channels() {
            match self
                .store
                .sweep_events(channel.org, &channel.id, before)
                .await
            {
                Ok(0) => {}
                Ok(ended) => info!(channel = %channel.id, ended, "old webhook events were removed"),
                Err(error) => {
                    warn!(channel = %channel.id, %error, "old webhook events could not be removed")
                }
            }
        }
    }
}
