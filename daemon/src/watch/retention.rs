//! Ends messages, files, contacts and entries of the audit with the time that their organization keeps them for.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tracing::{info, warn};

use crate::{
    config::{Config, Settings},
    metrics::Metrics,
    model::{Actor, AuditEntry, MessageId, Millis, OrgId, Place},
    store::{Expired, Limits, Store, StoreError, Sweep},
};

/// Of each kind, ended in one round.
const ROUND_MAX: usize = 2_000;
/// Least time between two entries of the audit about one organization.
const AUDIT_EVERY: Duration = Duration::from_secs(3600);

/// Ends what is old. Cheap to clone.
#[derive(Clone)]
pub struct Retention {
    store: Store,
    settings: Settings,
    metrics: Arc<Metrics>,
    states: Arc<Mutex<HashMap<OrgId, State>>>,
}

#[derive(Default)]
struct State {
    sweep: Sweep,
    untold: Expired,
    told: Option<Instant>,
}

impl Retention {
    /// For all organizations of a store.
    pub fn new(store: Store, settings: Settings, metrics: Arc<Metrics>) -> Self {
        Self {
            store,
            settings,
            metrics,
            states: Arc::default(),
        }
    }

    /// One round: a bounded part of what is old by now.
    pub async fn round(&self, now: Millis) {
        for (slug, org) in self.organizations() {
            match self.step(&slug, org, now).await {
                Ok((expired, _)) if expired.is_empty() => {}
                Ok((expired, _)) => {
                    info!(event = "records_removed", organization = %slug, ?expired, "old records were removed");
                }
                Err(error) => {
                    warn!(event = "records_not_removed", organization = %slug, %error, "old records could not be removed");
                }
            }
        }
    }

    /// Ends all that is old now, of the organizations given. Says how much that was.
    ///
    /// # Errors
    /// The store's; [`StoreError::Refused`] while the machine's time is not believed.
    pub async fn run(&self, organizations: &[OrgId]) -> Result<Vec<(OrgId, Expired)>, StoreError> {
        let now = self.now()?;
        let mut all = Vec::new();
        for org in organizations {
            let slug = self.store.slug(*org);
            let mut total = Expired::default();
            loop {
                let (expired, whole) = self.step(&slug, *org, now).await?;
                total.add(expired);
                if expired.is_empty() && whole {
                    break;
                }
            }
            self.tell(*org, true).await?;
            all.push((*org, total));
        }
        Ok(all)
    }

    /// What is old now and would be ended.
    ///
    /// # Errors
    /// As [`Retention::run`].
    pub async fn preview(
        &self,
        organizations: &[OrgId],
    ) -> Result<Vec<(OrgId, Expired)>, StoreError> {
        let now = self.now()?;
        let mut all = Vec::new();
        for org in organizations {
            let (org, store) = (*org, self.store.clone());
            let (limits, audit_ms) = self.limits(&store.slug(org), now);
            let expired = tokio::task::spawn_blocking(move || {
                let mut expired = store.expiring(org, &limits)?;
                if let Some(before) = audit_ms {
                    expired.audit = store.count_audit(org, before)?;
                }
                Ok::<_, StoreError>(expired)
            });
            all.push((org, expired.await.map_err(|error| broken(&error))??));
        }
        Ok(all)
    }

    /// All organizations, and the installation.
    fn organizations(&self) -> Vec<(String, OrgId)> {
        let mut all = self.store.organizations();
        all.push((String::new(), OrgId::SYSTEM));
        all
    }

    async fn step(
        &self,
        slug: &str,
        org: OrgId,
        now: Millis,
    ) -> Result<(Expired, bool), StoreError> {
        let (limits, audit_ms) = self.limits(slug, now);
        let mut sweep = self.states.lock().entry(org).or_default().sweep;
        let store = self.store.clone();
        let expired = tokio::task::spawn_blocking(move || {
            let expired = store.expire(org, &limits, ROUND_MAX, &mut sweep)?;
            Ok::<_, StoreError>((expired, sweep))
        });
        let (mut expired, sweep) = expired.await.map_err(|error| broken(&error))??;
        if let Some(before) = audit_ms {
            expired.audit = self.store.sweep_audit(org, before).await? as u64;
        }
        let dedupe_ms = before(now, self.settings.load().retention.webhook_events);
        self.store
            .sweep_erased_marks(org, dedupe_ms, ROUND_MAX)
            .await?;
        for (kind, count) in [
            ("message", expired.messages),
            ("media", expired.media),
            ("thread", expired.threads),
            ("contact", expired.contacts),
            ("audit", expired.audit),
        ] {
            self.metrics.removed(kind, count);
        }
        {
            let mut states = self.states.lock();
            let state = states.entry(org).or_default();
            state.sweep = sweep;
            state.untold.add(expired);
        }
        self.tell(org, false).await?;
        Ok((expired, sweep.is_whole()))
    }

    /// Enters into the audit what was ended since the last time; now and then, or now.
    async fn tell(&self, org: OrgId, now: bool) -> Result<(), StoreError> {
        let untold = {
            let mut states = self.states.lock();
            let state = states.entry(org).or_default();
            let due = now || state.told.is_none_or(|at| at.elapsed() >= AUDIT_EVERY);
            if !due || state.untold.is_empty() {
                return Ok(());
            }
            state.told = Some(Instant::now());
            std::mem::take(&mut state.untold)
        };
        let entry = AuditEntry::new(self.store.now(), Actor::daemon(), "retention.removed")
            .with("messages", untold.messages)
            .with("media", untold.media)
            .with("threads", untold.threads)
            .with("contacts", untold.contacts)
            .with("audit", untold.audit);
        self.store.audit(org, &entry).await
    }

    fn now(&self) -> Result<Millis, StoreError> {
        self.store.believed().ok_or_else(|| {
            let words = "the machine's time went forward by more than an hour: check it; if it is right, restart the \
                         daemon to go on, or else set it right";
            StoreError::Refused(words.to_owned())
        })
    }

    /// Before when things of an organization end; the audit's beside it.
    fn limits(&self, slug: &str, now: Millis) -> (Limits, Option<Millis>) {
        let config: &Config = &self.settings.load();
        let own = config.organizations.get(slug);
        let kept = own.map_or_else(
            || config.retention.clone(),
            |own| config.retention.with(&own.retention),
        );
        let time = |kept: Duration| Some(before(now, kept)).filter(|_| !kept.is_zero());
        let limits = Limits {
            messages: time(kept.messages).map(first_at),
            media_ms: time(kept.media),
            contacts_ms: time(kept.contacts),
            dedupe: time(kept.webhook_events).map(first_at),
        };
        (limits, time(kept.audit))
    }
}

/// What is older by now than it is kept is from before this time.
pub(super) fn before(now: Millis, kept: Duration) -> Millis {
    let kept = Millis::try_from(kept.as_millis()).unwrap_or(Millis::MAX);
    now.saturating_sub(kept)
}

/// Smaller than the ids of all messages from a time on, and greater than all before.
fn first_at(at_ms: Millis) -> MessageId {
    let time = Duration::from_millis(u64::try_from(at_ms).unwrap_or_default());
    MessageId::at(Place { thread: 0, seq: 0 }, time)
}

fn broken(error: &tokio::task::JoinError) -> StoreError {
    StoreError::Failed(format!("old records could not be looked for: {error}"))
}
