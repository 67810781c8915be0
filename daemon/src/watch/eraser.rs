//! Erases people who asked for it, and then has the store compacted so that nothing of them is left in its files.
//!
//! ```text
//! begun ─> erase (again after a kill, from the beginning) ─> erased ─┐
//! begun ─> erase ─────────────────────────────────────────> erased ─┴─> one compaction ─> compacted
//! ```

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::{Notify, oneshot};
use tracing::{info, warn};

use crate::{
    config::Settings,
    inbound::Ingress,
    metrics::Metrics,
    model::{Actor, AuditEntry, Erasure, OrgId},
    store::{BeginErasure, Compaction, Store, StoreError},
};

/// Between two looks with nothing to do, and after a failure.
const IDLE: Duration = Duration::from_secs(60);
/// Longest time between two compactions that fail, as for want of room.
const FAILING_MAX: Duration = Duration::from_secs(3600);
/// How long a call that is under way is waited for.
const CALL_MAX: Duration = Duration::from_secs(60);

/// Erases. Cheap to clone.
#[derive(Clone)]
pub struct Eraser {
    store: Store,
    ingress: Arc<Ingress>,
    settings: Settings,
    metrics: Arc<Metrics>,
    wake: Arc<Notify>,
}

impl Eraser {
    /// An eraser that does nothing yet.
    pub fn new(
        store: Store,
        ingress: Arc<Ingress>,
        settings: Settings,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            store,
            ingress,
            settings,
            metrics,
            wake: Arc::default(),
        }
    }

    /// Begins an erasure: durable when this returns, and carried out soon.
    pub async fn begin(
        &self,
        org: OrgId,
        contact: crate::model::ContactId,
        by: &str,
    ) -> Result<BeginErasure, StoreError> {
        let begun = self.store.begin_erasure(org, contact, by).await?;
        self.wake.notify_one();
        Ok(begun)
    }

    /// Compacts the store now, and notes which erasures that completes.
    pub async fn compact(&self) -> Result<Compaction, StoreError> {
        let before = self.store.now();
        let done = self.store.engine().compact().await?;
        self.metrics.compacted();
        for (_, org) in self.store.organizations() {
            for erasure in self.store.note_compacted(org, before).await? {
                info!(event = "erasure_compacted", contact = %erasure.contact, "an erased contact has left the files of the store");
                let entry = self.entry("contact.compacted", &erasure);
                self.store.audit(org, &entry).await?;
            }
        }
        Ok(done)
    }

    /// Runs until `stop` is dropped or fires.
    pub async fn run(self, mut stop: oneshot::Receiver<()>) {
        let mut compacted = Compacted::default();
        loop {
            let wait = tokio::select! {
                _ = &mut stop => return,
                wait = self.round(&mut compacted) => wait,
            };
            tokio::select! {
                _ = &mut stop => return,
                () = self.wake.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// One look at all erasures; how long until the next.
    async fn round(&self, compacted: &mut Compacted) -> Duration {
        let retry = IDLE.min(self.pause());
        let (waiting, failed) = self.erase_all().await;
        let next = if failed { retry } else { IDLE };
        if !waiting {
            return next;
        }
        let left = compacted.left(self.pause());
        if !left.is_zero() {
            return if failed { left.min(retry) } else { left };
        }
        compacted.at = Some(Instant::now());
        match self.compact().await {
            Ok(_) => compacted.failures = 0,
            Err(error) => {
                compacted.failures += 1;
                warn!(event = "store_not_compacted", %error, "the store could not be compacted after an erasure; it is tried again");
            }
        }
        retry
    }

    fn pause(&self) -> Duration {
        self.settings.load().retention.compact_interval
    }

    /// Whether something is erased that is still in the files, and whether something could not be erased: what fails
    /// is said, and keeps nothing else from being erased.
    async fn erase_all(&self) -> (bool, bool) {
        let (mut waiting, mut failed) = (false, false);
        let mut note = |error: &StoreError| {
            failed = true;
            warn!(event = "erasure_not_complete", %error, "an erasure is not complete; it is tried again");
        };
        for (_, org) in self.store.organizations() {
            let erasures = self.store.erasures(org).unwrap_or_else(|error| {
                note(&error);
                Vec::new()
            });
            for erasure in erasures {
                if erasure.erased_at_ms.is_some() {
                    waiting |= erasure.compacted_at_ms.is_none();
                } else if let Err(error) = self.erase(org, erasure).await {
                    note(&error);
                } else {
                    waiting = true;
                }
            }
        }
        (waiting, failed)
    }

    async fn erase(&self, org: OrgId, erasure: Erasure) -> Result<(), StoreError> {
        let (store, ingress) = (self.store.clone(), self.ingress.clone());
        let erased = tokio::task::spawn_blocking(move || {
            let needles = store.needles(org, &erasure)?;
            ingress.rejects().forget(org, &needles);
            let began = Instant::now();
            store.erase(org, &erasure, &|| began.elapsed() < CALL_MAX)
        });
        let erased = erased
            .await
            .map_err(|error| StoreError::Failed(format!("an erasure broke off: {error}")))??;
        let counts = erased.counts;
        for (kind, count) in [
            ("message", counts.messages),
            ("thread", counts.threads),
            ("media", counts.media),
            ("webhook_event", counts.events),
            ("contact", erased.parts.len() as u64),
        ] {
            self.metrics.removed(kind, count);
        }
        info!(event = "contact_erased", contact = %erased.contact, messages = counts.messages, "a contact was erased");
        let entry = self.entry("contact.erased", &erased);
        self.store.audit(org, &entry).await
    }

    fn entry(&self, action: &str, erasure: &Erasure) -> AuditEntry {
        let counts = erasure.counts;
        AuditEntry::new(self.store.now(), Actor::daemon(), action)
            .on("contact", &erasure.contact)
            .with("messages", counts.messages)
            .with("cancelled", counts.cancelled)
            .with("threads", counts.threads)
            .with("media", counts.media)
            .with("webhook_events", counts.events)
            .with("traces", counts.traces)
    }
}

/// The last compaction.
#[derive(Default)]
struct Compacted {
    /// When it began.
    at: Option<Instant>,
    /// How many have failed since one did not.
    failures: u32,
}

impl Compacted {
    /// How long the next is waited for: `pause` behind the last, and twice as long with each that failed.
    fn left(&self, pause: Duration) -> Duration {
        let factor = 2_u32.saturating_pow(self.failures);
        let wait = pause.max(pause.saturating_mul(factor).min(FAILING_MAX));
        let since = self.at.map_or(Duration::MAX, |at| at.elapsed());
        wait.saturating_sub(since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compaction_that_fails_again_and_again_is_tried_less_and_less() {
        let minute = Duration::from_secs(60);
        let mut compacted = Compacted::default();
        assert!(
            compacted.left(minute * 10).is_zero(),
            "the first is at once"
        );
        compacted.at = Some(Instant::now());
        for (failures, least) in [(0_u32, 9_u32), (1, 19), (2, 39), (3, 59), (40, 59)] {
            compacted.failures = failures;
            let left = compacted.left(minute * 10);
            assert!(left > minute * least && left <= minute * (least + 1));
        }
        let day = minute * 60 * 24;
        assert!(
            compacted.left(day) > FAILING_MAX,
            "never sooner than wanted"
        );
    }
}
