//! The only place that knows how things are kept: domain operations over the commit log.
//!
//! Every write is one transaction of the [`engine`]: planned under its lock, so that plans see each
//! other in order, and durable before its future resolves. Nothing outside this module names a key.

mod access;
mod anchor;
mod arrival;
mod attempts;
mod attention;
mod audit;
mod backfill;
mod backup;
mod changes;
mod clock;
mod codec;
mod consent;
mod contacts;
pub mod engine;
mod erasure;
mod events;
mod exchange;
mod files;
mod fit;
mod format;
mod health;
mod inbound;
mod inbox;
mod info;
mod keys;
mod line;
mod linking;
mod media;
mod media_files;
mod merge;
mod migrations;
mod notifications;
mod orphans;
mod outbox;
mod outlook;
mod outside;
mod queue;
mod queued;
mod reactions;
mod reading;
mod records;
mod references;
mod removal;
mod reports;
mod retention;
mod spending;
mod survey;
mod templates;
#[cfg(test)]
mod tests;
mod timeline;
mod turns;
mod users;
mod views;
mod visitors;
mod whole;
mod windows;

use std::{
    collections::HashMap,
    ops::Bound,
    path::Path,
    sync::{Arc, OnceLock, atomic::AtomicBool},
};

use parking_lot::{Mutex, RwLock};
use serde::de::DeserializeOwned;
use tokio::sync::Notify;

pub(crate) use self::engine::seldom::Seldom;
use self::{access::OrganizationRecord, clock::Clock, inbox::Inbox};
pub use self::{
    access::ThreadUpdate,
    attempts::{Attempt, Finished, Quota},
    attention::{Decision, OutboxFilter, Verdict},
    audit::{AuditFilter, Audited, ChainReport},
    backfill::Gap,
    backup::{
        ArchiveError, Backup, BackupError, Contents, Held, Inspection, KindDigest, Restoration,
        Restore, RestoreError, Restored, Standing, Written as BackupWritten, give_back, inspect,
        verify,
    },
    changes::{Change, Changed, Changes},
    clock::Jump,
    consent::{ConsentCursor, ConsentFilter, SetConsent},
    engine::{
        Compaction, CompactionStep, Engine, EngineOptions, FORMAT, KEPT_FOR, OpenError, OpenReport,
        Position, Progress, RepairReport, Room, Stats, Steps, StoreError, Teller, repair,
    },
    erasure::{BeginErasure, Reached},
    exchange::{Import, ImportRecord, ImportedContact},
    files::{BodyFiles, INLINE_BYTES_MAX},
    format::{MigrationReport, StepReport, migrate, try_migration},
    inbound::{ChannelRef, Inbound, InboundResult, NewMessage, Routed},
    info::{StoreInfo, info},
    media::{Fetched, NewMedia},
    media_files::{Draft, DraftError, DraftWriter, MediaFiles, Written},
    merge::MergeResult,
    notifications::Acknowledge,
    orphans::{Orphan, OrphanReport},
    outbox::{Accepted, Idempotency, NewOutbound, SweepPosition},
    outlook::Outlook,
    outside::Outside,
    reading::{AUTO_REPLY, ReadCommand, ReadKeyword, Reading},
    records::ClosedPolicy,
    reports::Applied,
    retention::{Expired, Limits, Sweep},
    spending::{Charge, DayUse, day_ends_ms},
    survey::{DiskUse, Waiting},
    turns::NewTurn,
    users::SessionHash,
    windows::ReadWindow,
};
use crate::model::{ApiToken, ChannelId, Millis, OrgId, Thread};

/// Name under which the clock is saved.
const CLOCK: &str = "clock";

/// What is kept. Cheap to clone.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

/// The store's parts; reached through [`Store`].
pub struct Inner {
    engine: Engine,
    clock: Clock,
    inbox: Inbox,
    files: BodyFiles,
    media_files: Arc<MediaFiles>,
    media_queued: Notify,
    organizations: RwLock<HashMap<String, OrgId>>,
    tokens: RwLock<HashMap<[u8; 32], ApiToken>>,
    users: users::Users,
    rejected: RejectedSlots,
    health_places: health::Places,
    catalogues: templates::Catalogues,
    last_up_ms: OnceLock<Millis>,
    restoration: OnceLock<Restoration>,
    backup_stop: Arc<AtomicBool>,
}

impl std::ops::Deref for Store {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T, C> {
    /// What is on it.
    pub items: Vec<T>,
    /// Where the next one begins; none at the end.
    pub next: Option<C>,
}

impl<T, C> Default for Page<T, C> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            next: None,
        }
    }
}

impl<T, C> Page<T, C> {
    /// Cuts a list to one page.
    fn cut(mut items: Vec<T>, limit: usize, cursor: impl Fn(&T) -> C) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(cursor);
        Self { items, next }
    }
}

impl Store {
    /// Opens the store in a folder, making it where it is not, and brings it to the format of this version. Blocks;
    /// a rebuild of the index and a migration can take long: they tell [`EngineOptions::teller`] how far they are.
    pub fn open(path: &Path, options: EngineOptions) -> Result<(Self, OpenReport), OpenError> {
        let teller = options.teller.clone();
        let (engine, report) = Engine::open(path, options)?;
        aside(|| format::settle(&engine, path, &teller, &migrations::STEPS))?;
        let store = Self(Arc::new(Inner {
            engine,
            clock: Clock::starting_at(0),
            inbox: Inbox::default(),
            files: BodyFiles::new(path),
            media_files: Arc::new(MediaFiles::new(path)),
            media_queued: Notify::new(),
            organizations: RwLock::default(),
            tokens: RwLock::default(),
            users: users::Users::default(),
            rejected: RejectedSlots::default(),
            health_places: health::Places::default(),
            catalogues: templates::Catalogues::default(),
            last_up_ms: OnceLock::new(),
            restoration: OnceLock::new(),
            backup_stop: Arc::default(),
        }));
        let store = store.derive().map_err(OpenError::from)?;
        Ok((store, report))
    }

    /// Fills what is kept in memory.
    fn derive(self) -> Result<Self, StoreError> {
        let floor = match self.engine.get(&keys::saved(CLOCK))? {
            Some(bytes) => {
                let saved = Millis::from_be_bytes(codec::fixed(&keys::saved(CLOCK), &bytes)?);
                *self.last_up_ms.get_or_init(|| saved)
            }
            None => 0,
        };
        self.clock.raise_to(floor);
        self.derive_restoration()?;
        self.derive_organizations()?;
        for (_, org) in self.organizations() {
            self.derive_catalogues(org)?;
            for entry in self.scan_prefix(&keys::kind(org, keys::THREAD), None, false) {
                let (key, bytes) = entry?;
                let thread: Thread = codec::decode(&key, &bytes)?;
                self.inbox.touch(org, thread.id, thread.updated_at_ms);
            }
        }
        for entry in self.scan_prefix(&keys::kind(OrgId::SYSTEM, b'z'), None, false) {
            let (key, bytes) = entry?;
            let token: ApiToken = codec::decode(&key, &bytes)?;
            self.tokens.write().insert(token.hash, token);
        }
        self.derive_users()?;
        Ok(self)
    }

    fn derive_organizations(&self) -> Result<(), StoreError> {
        let prefix = keys::kind(OrgId::SYSTEM, b'l');
        for entry in self.scan_prefix(&prefix, None, false) {
            let (key, bytes) = entry?;
            let record: OrganizationRecord = codec::decode(&key, &bytes)?;
            let slug = key
                .strip_prefix(prefix.as_slice())
                .and_then(|rest| rest.strip_suffix(&[0]))
                .map(String::from_utf8_lossy)
                .unwrap_or_default();
            self.organizations
                .write()
                .insert(slug.into_owned(), OrgId(record.number));
        }
        Ok(())
    }

    /// Follows committed changes from a position on; what is behind it is kept until the consumer
    /// moves on.
    pub fn changes(&self, consumer: &str, from: Position) -> Changes {
        self.engine.retain(consumer, from);
        Changes(self.engine.follow(from))
    }

    /// The engine below, for following changes, statistics and closing.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Commits handed over and not yet durable.
    pub fn queue_depth(&self) -> u64 {
        u64::try_from(self.engine.stats().queued).unwrap_or(u64::MAX)
    }

    /// Messages that wait to be sent, those that want a person's attention not among them.
    pub fn messages_waiting(&self) -> u64 {
        let organizations = self.organizations.read();
        let counts = organizations.values().map(|org| {
            let all = self.engine.count(org.0, keys::OUTBOX);
            all.saturating_sub(self.engine.count(org.0, keys::ATTENTION))
        });
        counts.sum()
    }

    /// How far the writer is, to tell whether it is stuck.
    pub fn progress(&self) -> Steps {
        self.engine.progress()
    }

    /// Why nothing new can be stored at present; none where it can.
    pub fn trouble(&self) -> Option<String> {
        let low = self.engine.admit_new().err();
        low.map(|error| error.to_string())
            .or_else(|| self.engine.stats().failed)
    }

    /// The folder of large bodies.
    pub fn files(&self) -> &BodyFiles {
        &self.files
    }

    /// The time now; never runs backwards.
    pub fn now(&self) -> Millis {
        self.clock.now()
    }

    /// A new id, greater than all before it.
    pub fn new_id(&self) -> uuid::Uuid {
        self.clock.id()
    }

    /// Saves the clock, so that a machine whose time was set back goes on from here after a
    /// restart.
    pub async fn save_clock(&self) -> Result<(), StoreError> {
        let now = self.now();
        let pending = self
            .engine
            .transact(|tx| tx.put(keys::saved(CLOCK), now.to_be_bytes()))?;
        pending.await?;
        Ok(())
    }

    /// Reads one record of the applied state.
    fn record<T: DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>, StoreError> {
        self.engine
            .get(key)?
            .map(|bytes| codec::decode(key, &bytes))
            .transpose()
    }

    /// Everything under a prefix whose next 16 bytes come after `from` (before it where reversed).
    fn scan_prefix(
        &self,
        prefix: &[u8],
        from: Option<[u8; 16]>,
        reverse: bool,
    ) -> impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), StoreError>> + use<> {
        let edge = from.map(|id| [prefix, &id].concat());
        let bounds = match (edge, reverse) {
            (None, _) => (Bound::Included(prefix.to_vec()), prefix_end(prefix)),
            (Some(edge), false) => (Bound::Excluded(edge), prefix_end(prefix)),
            (Some(edge), true) => (Bound::Included(prefix.to_vec()), Bound::Excluded(edge)),
        };
        self.engine.scan(bounds, reverse)
    }
}

impl Store {
    /// Everything under a prefix whose key comes after one.
    fn scan_after(
        &self,
        prefix: &[u8],
        after: Option<Vec<u8>>,
    ) -> impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), StoreError>> + use<> {
        let from = after.map_or(Bound::Included(prefix.to_vec()), Bound::Excluded);
        self.engine.scan((from, prefix_end(prefix)), false)
    }
}

/// Does something that waits on its thread, away from where futures run.
fn aside<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    let done = std::thread::scope(|scope| scope.spawn(work).join());
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Where the keys with a prefix end.
pub(crate) fn prefix_end(prefix: &[u8]) -> Bound<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return Bound::Excluded(end);
        }
    }
    Bound::Unbounded
}

/// The place in each channel's ring of rejected webhooks. It begins anew with the daemon: the ring
/// is bounded, its order is that of the records' ids.
#[derive(Default)]
struct RejectedSlots(Mutex<HashMap<ChannelId, u16>>);

impl RejectedSlots {
    fn next_slot(&self, channel: &ChannelId, slots: u16) -> u16 {
        let mut places = self.0.lock();
        let place = places.entry(channel.clone()).or_default();
        *place = (*place + 1) % slots;
        *place
    }
}
