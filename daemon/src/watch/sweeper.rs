//! Ends what is kept for a time only, and saves the clock.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::sync::oneshot;
use tracing::{error, info, warn};

use super::{Retention, retention::before};
use crate::{
    channel::Registry,
    config::Settings,
    model::{MediaHash, Millis, OrgId},
    store::{Store, SweepPosition},
};

/// Between two rounds.
const INTERVAL: Duration = Duration::from_secs(30);
/// Idempotency keys of one organization looked at in one round.
const KEYS_MAX: usize = 10_000;

/// Sweeps all channels.
pub struct Sweeper {
    /// What is swept.
    pub store: Store,
    /// Whose events.
    pub registry: Arc<Registry>,
    /// How long things are kept.
    pub settings: Settings,
    /// What ends messages, files and contacts.
    pub retention: Retention,
    /// How far the idempotency keys of each organization were looked through.
    pub swept: HashMap<OrgId, SweepPosition>,
    /// The first byte of the hashes of media files that the next round looks at.
    pub media_shard: u8,
    /// Nothing is removed: the machine's time is not believed.
    pub is_paused: bool,
}

impl Sweeper {
    /// Sweeps until `stop` is dropped or fires.
    pub async fn run(mut self, mut stop: oneshot::Receiver<()>) {
        loop {
            tokio::select! {
                _ = &mut stop => return,
                () = tokio::time::sleep(INTERVAL) => {}
            }
            if let Err(error) = self.store.save_clock().await {
                warn!(event = "clock_not_saved", %error, "the clock could not be saved");
            }
            for channel in self.registry.routes().channels() {
                channel.limiter.forget();
            }
            // Asked for once in a round: whatever the machine's time does meanwhile, nothing is removed by it.
            let now = self.store.believed();
            self.tell(now.is_none());
            if let Some(now) = now {
                self.round(now).await;
            }
        }
    }

    /// Says, once, that rounds are left out, and that they go on.
    fn tell(&mut self, is_paused: bool) {
        if is_paused && !self.is_paused {
            error!(
                event = "sweeps_paused",
                "the machine's time went forward by more than an hour, and nothing old is removed by it: check the \
                 machine's time; if it is right, restart the daemon to go on, or else set it right"
            );
        }
        if self.is_paused && !is_paused {
            info!(
                event = "sweeps_resumed",
                "the machine's time was taken back: old records are removed again"
            );
        }
        self.is_paused = is_paused;
    }

    /// Goes on where the last round stopped, so that a round's work is bounded however many keys
    /// there are.
    async fn end_idempotency_keys(&mut self, now: Millis) {
        let before = before(now, self.settings.load().retention.idempotency_keys);
        for (slug, org) in self.store.organizations() {
            let after = self.swept.remove(&org);
            let swept = self
                .store
                .sweep_idempotency(org, before, after, KEYS_MAX)
                .await;
            match swept {
                Ok((_, Some(next))) => {
                    self.swept.insert(org, next);
                }
                Ok((_, None)) => {}
                Err(error) => {
                    warn!(event = "sweep_failed", organization = %slug, %error, "old idempotency keys could not be removed");
                }
            }
        }
    }

    /// Ends reports whose message has not come for as long as webhook events are kept.
    async fn end_orphans(&self, before: Millis) {
        for channel in self.registry.routes().channels() {
            let swept = self
                .store
                .sweep_waiting(channel.org, &channel.id, before)
                .await;
            match swept {
                Ok(0) => {}
                Ok(ended) => {
                    info!(event = "reports_swept", channel = %channel.id, ended, "old reports of unknown messages were removed");
                }
                Err(error) => {
                    warn!(event = "sweep_failed", channel = %channel.id, %error, "old reports of unknown messages could not be removed");
                }
            }
        }
    }

    async fn round(&mut self, now: Millis) {
        let kept = self.settings.load().retention.webhook_events;
        let before_ms = before(now, kept);
        for channel in self.registry.routes().channels() {
            let swept = self
                .store
                .sweep_events(channel.org, &channel.id, before_ms)
                .await;
            match swept {
                Ok(0) => {}
                Ok(ended) => {
                    info!(event = "webhook_events_swept", channel = %channel.id, ended, "old webhook events were removed");
                }
                Err(error) => {
                    warn!(event = "sweep_failed", channel = %channel.id, %error, "old webhook events could not be removed");
                }
            }
        }
        self.end_orphans(before_ms).await;
        self.end_idempotency_keys(now).await;
        self.sweep_notifications(now).await;
        self.sweep_media(now).await;
        self.retention.round(now).await;
        let store = self.store.clone();
        let since = system_time(before_ms);
        let swept = tokio::task::spawn_blocking(move || store.files().sweep(since)).await;
        if let Ok(Err(error)) = swept {
            warn!(event = "sweep_failed", %error, "old webhook bodies could not be removed");
        }
    }

    /// Ends files that no message names, one 256th of them in a round: first what organizations know
    /// of them, then, once that is old too, the files.
    async fn sweep_media(&mut self, now: Millis) {
        let shard = self.media_shard;
        self.media_shard = shard.wrapping_add(1);
        let before_ms = before(now, self.settings.load().media.unused_max);
        for (slug, org) in self.store.organizations() {
            if let Err(error) = self.store.sweep_media(org, shard, before_ms).await {
                warn!(event = "sweep_failed", organization = %slug, %error, "unused media could not be removed");
            }
        }
        let since = system_time(before_ms);
        let store = self.store.clone();
        let swept = tokio::task::spawn_blocking(move || {
            let is_named = |hash: &MediaHash| store.is_media_known(hash);
            store.media_files().sweep(shard, since, is_named)
        });
        if let Ok(Err(error)) = swept.await {
            warn!(event = "sweep_failed", %error, "unused media files could not be removed");
        }
    }

    async fn sweep_notifications(&self, now: Millis) {
        let before = before(now, self.settings.load().retention.notifications);
        let organizations = self.store.organizations();
        let system = (String::new(), OrgId::SYSTEM);
        for (_, org) in organizations.into_iter().chain([system]) {
            if let Err(error) = self.store.sweep_notifications(org, before).await {
                warn!(event = "sweep_failed", %error, "old notifications could not be removed");
            }
        }
    }
}

/// The same time as files have it.
fn system_time(at_ms: Millis) -> SystemTime {
    let time = Duration::from_millis(u64::try_from(at_ms).unwrap_or_default());
    let at = SystemTime::UNIX_EPOCH.checked_add(time);
    at.unwrap_or(SystemTime::UNIX_EPOCH)
}
