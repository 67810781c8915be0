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
        let mut compacted = None;
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
    async fn round(&self, compacted: &mut Option<Instant>) -> Duration {
        match self.erase_all().await {
            Ok(false) => return IDLE,
            Ok(true) => {}
            Err(error) => {
                warn!(event = "erasure_not_complete", %error, "an erasure is not complete; it is tried again");
                return IDLE.min(self.pause());
            }
        }
        let since = compacted.map_or(Duration::MAX, |at| at.elapsed());
        if since < self.pause() {
            return self.pause().saturating_sub(since);
        }
        *compacted = Some(Instant::now());
        if let Err(error) = self.compact().await {
            warn!(event = "store_not_compacted", %error, "the store could not be compacted after an erasure; it is tried again");
        }
        IDLE.min(self.pause())
    }

    fn pause(&self) -> Duration {
        self.settings.load().retention.compact_interval
    }

    /// True where something is erased that is still in the files.
    async fn erase_all(&self) -> Result<bool, StoreError> {
        let mut waiting = false;
        for (_, org) in self.store.organizations() {
            for erasure in self.store.erasures(org)? {
                if erasure.erased_at_ms.is_none() {
                    self.erase(org, erasure).await?;
                    waiting = true;
                } else {
                    waiting |= erasure.compacted_at_ms.is_none();
                }
            }
        }
        Ok(waiting)
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
