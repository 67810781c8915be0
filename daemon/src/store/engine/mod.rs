//! The storage engine: an append-only commit log, and sled as its disposable index.
//!
//! ```text
//! transact(plan) ─> overlay (queued layers) ─> log thread ─> index thread ─> acknowledged
//!                                                 │                │
//!                     followers <── log/*.log <───┘                └──> index-N (sled)
//! ```
//!
//! The log is the truth. A commit is acknowledged when its group's frame is synced and its writes are in the
//! index; the index is never ahead of the durable log. Whatever is wrong with the index (deleted, damaged, behind),
//! it is built anew from the newest snapshot and the log behind it.
//!
//! The engine knows keys, values and typed changes, and nothing of what they mean. Keys begin with the
//! organization (u32, big endian) and a kind (one byte); records are counted by these two.
//!
//! A folder holds `lock`, `log/NNN.log`, `snapshots/POSITION.snap`, `index-N/` and `checkpoint-0|1`.

mod care;
mod checkpoint;
mod compact;
mod error;
mod export;
mod fault;
mod folder;
mod follow;
mod format;
mod frame;
mod guard;
mod index;
mod kept;
mod layer;
mod log;
mod look;
mod options;
mod overlay;
mod pending;
mod progress;
mod read;
mod rebuild;
mod record;
mod recover;
mod replay;
mod room;
mod running;
mod segment;
pub(crate) mod seldom;
mod shared;
mod snapshot;
mod spare;
mod sweep;
#[cfg(test)]
mod tests;
mod transaction;
mod writer;

use std::{
    ops::{Bound, RangeBounds},
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use self::{
    care::Order,
    overlay::{Ack, Until},
    running::Running,
    shared::Shared,
};
pub use self::{
    compact::{Compaction, CompactionStep},
    error::{OpenError, StoreError},
    export::{Export, ExportError, Moment, Receiver},
    follow::{Change, ChangeBatch, Follower},
    format::{FORMAT, FORMAT_FIRST, FormatNote},
    kept::KEPT_FOR,
    look::{Look, look, try_on_copy},
    options::{EngineOptions, OpenReport, RepairReport, SnapshotInfo, Stats, Steps},
    pending::Pending,
    progress::{Progress, Teller, Work},
    room::Room,
    transaction::{COMMIT_BYTES_MAX, KEY_BYTES_MAX, Transaction, VALUE_BYTES_MAX},
};

/// Goes on without what cannot be read, where [`Engine::open`] refuses with [`OpenError::LogDamaged`]: builds the index
/// from the newest good snapshot and all sound frames behind it, keeps it in a snapshot, and begins the log anew. The
/// damaged segments stay where they are. Blocks.
pub fn repair(path: &Path, options: EngineOptions) -> Result<RepairReport, OpenError> {
    recover::repair(path, options)
}

/// The place of a commit in the one order of all commits. The first is 1; 0 is before all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position(pub u64);

/// A handle on an open engine. Clones share it; dropping the last one closes it in order.
#[derive(Debug, Clone)]
pub struct Engine(Arc<Handle>);

#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    /// None once closed.
    running: Mutex<Option<Running>>,
}

impl Engine {
    /// Opens the store at `path`, creating it where there is none. Blocks: reads the log, and may build the
    /// index anew.
    pub fn open(path: &Path, options: EngineOptions) -> Result<(Self, OpenReport), OpenError> {
        let (shared, running, report) = recover::open(path, options)?;
        let running = Mutex::new(Some(running));
        Ok((Self(Arc::new(Handle { shared, running })), report))
    }

    /// Runs `plan` at once, on this thread, alone: no other plan runs meanwhile, so it must be short and do no
    /// I/O. It sees all commits handed over before. Where it returns `Ok`, its writes are enqueued as one
    /// commit, in order; where it returns an error or panics, nothing is.
    ///
    /// # Errors
    /// What `plan` returns; [`StoreError::Busy`] and [`StoreError::Closed`] before it runs, and
    /// [`StoreError::Refused`] where it wrote what the engine doesn't take.
    pub fn transact<R, E: From<StoreError>>(
        &self,
        plan: impl FnOnce(&mut Transaction<'_>) -> Result<R, E>,
    ) -> Result<Pending<R>, E> {
        self.hand_over(plan, Until::Applied)
    }

    /// The same, but what it gives resolves as soon as the commit is durable: every later plan sees
    /// it, readers of the index soon.
    ///
    /// # Errors
    /// As [`Engine::transact`].
    pub fn transact_durable<R, E: From<StoreError>>(
        &self,
        plan: impl FnOnce(&mut Transaction<'_>) -> Result<R, E>,
    ) -> Result<Pending<R>, E> {
        self.hand_over(plan, Until::Durable)
    }

    fn hand_over<R, E: From<StoreError>>(
        &self,
        plan: impl FnOnce(&mut Transaction<'_>) -> Result<R, E>,
        until: Until,
    ) -> Result<Pending<R>, E> {
        let shared = &self.0.shared;
        let mut planning = shared.plan.lock();
        planning.admit(&shared.options, &shared.room)?;
        let index = shared.index.load();
        let mut transaction = Transaction::new(&planning.overlay, &index);
        let result = plan(&mut transaction);
        if let Some(what) = transaction.damage() {
            shared.order(Order::Mend(what));
        }
        let result = result?;
        let finished = transaction.finish()?;
        let (tell, done) = oneshot::channel();
        let ack = Ack { until, tell };
        let limit = shared.options.group_limit();
        let overlay = &mut planning.overlay;
        let (position, done) = match finished.commit {
            Some((record, writes)) => (overlay.push(&record, &writes, ack, limit), Some(done)),
            None if finished.waits => (
                overlay.newest(),
                overlay.wait(ack).is_none().then_some(done),
            ),
            None => (overlay.newest(), None),
        };
        let wake = planning.log_idle && planning.overlay.has_queued();
        drop(planning);
        if wake {
            shared.work.notify_one();
        }
        Ok(Pending::new(result, Position(position), done))
    }

    /// The value of a key, as of what is durable and applied. While a group is being applied some of its
    /// keys may be seen before others: what must fit together is read in a transaction.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let shared = &self.0.shared;
        let read = shared.index.load().get(key);
        shared.heed(read)
    }

    /// Records in the order of keys, or backwards, as of what is durable and applied. It is not a point in
    /// time: commits applied meanwhile may show or not. Ends after the first error.
    pub fn scan<R: RangeBounds<Vec<u8>>>(
        &self,
        range: R,
        reverse: bool,
    ) -> impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), StoreError>> + Send + use<R> {
        let from = range.start_bound().cloned();
        let to = range.end_bound().cloned();
        self.heeded(from, to, reverse)
    }

    /// Records whose keys begin with `prefix`: see [`Engine::scan`].
    pub fn scan_prefix(
        &self,
        prefix: &[u8],
        reverse: bool,
    ) -> impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), StoreError>> + Send + use<> {
        let (from, to) = index::prefix_bounds(prefix);
        self.heeded(from, to, reverse)
    }

    fn heeded(
        &self,
        from: Bound<Vec<u8>>,
        to: Bound<Vec<u8>>,
        reverse: bool,
    ) -> impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), StoreError>> + Send + use<> {
        let shared = Arc::clone(&self.0.shared);
        let scan = shared.index.load().scan(from, to, reverse);
        scan.map(move |item| shared.heed(item))
    }

    /// Follows the commits behind `from`; `Position(0)` is the start of what is kept.
    pub fn follow(&self, from: Position) -> Follower {
        let shared = &self.0.shared;
        let position = shared.position.subscribe();
        Follower::new(position, Arc::clone(&shared.catalog), from.0)
    }

    /// Keeps the log back to `position` for `consumer`, up to [`EngineOptions::retain_bytes_max`]. Holds until
    /// it is called again, or the engine closes.
    pub fn retain(&self, consumer: &str, position: Position) {
        let mut retained = self.0.shared.retained.lock();
        retained.insert(consumer.to_owned(), position.0);
    }

    /// The newest commit that is durable and applied.
    pub fn position(&self) -> Position {
        Position(*self.0.shared.position.borrow())
    }

    /// The store's folder.
    pub fn path(&self) -> &Path {
        &self.0.shared.path
    }

    /// What is free on the disk, as it was seen a moment ago.
    pub fn room(&self) -> Room {
        self.0.shared.room.room()
    }

    /// False while the index stands still, and every commit is refused.
    pub fn is_writing(&self) -> bool {
        self.0.shared.room.standing().is_none()
    }

    /// Refuses new work while the disk is nearly full, so that what is under way can be written.
    ///
    /// # Errors
    /// [`StoreError::Full`].
    pub fn admit_new(&self) -> Result<(), StoreError> {
        self.0.shared.room.admit()
    }

    /// How many records of a kind an organization has.
    pub fn count(&self, organization: u32, kind: u8) -> u64 {
        let counts = self.0.shared.counts.read();
        counts.get(&(organization, kind)).map_or(0, |c| c.records)
    }

    /// How many records there are of each kind in each organization, in the order of their keys.
    pub fn kinds(&self) -> Vec<((u32, u8), u64)> {
        let counts = self.0.shared.counts.read();
        let found = counts.iter().map(|(kind, count)| (*kind, count.records));
        let mut kinds: Vec<_> = found.filter(|(_, records)| *records > 0).collect();
        kinds.sort_unstable();
        kinds
    }

    /// The format that the log and snapshots say.
    pub fn format(&self) -> u32 {
        self.0.shared.catalog.format()
    }

    /// Has everything that is written from now on say [`FORMAT`]: earlier versions refuse the store from the next
    /// commit on.
    pub fn raise_format(&self) {
        self.0.shared.catalog.raise_format();
    }

    /// Notes beside the log, for people, what format the records have.
    pub fn note_format(&self, format: u32) {
        if let Err(error) = FormatNote::save(&self.0.shared.path, format) {
            tracing::warn!(
                event = "store_format_not_noted",
                "the store's format can't be noted beside it: {error}"
            );
        }
    }

    /// Takes a snapshot in the present format and keeps it aside for [`KEPT_FOR`]. Blocks; not to be called where
    /// futures run.
    pub fn keep_aside(&self) -> Result<PathBuf, OpenError> {
        let shared = &self.0.shared;
        let (reply, done) = oneshot::channel();
        shared.order(Order::Snapshot(reply));
        let taken = done.blocking_recv().unwrap_or(Err(StoreError::Closed))?;
        kept::keep(&shared.path, &taken.path, shared.catalog.format())
    }

    /// What the engine has done and how it is.
    pub fn stats(&self) -> Stats {
        self.0.shared.stats()
    }

    /// How far the writer is. Cheap.
    pub fn progress(&self) -> Steps {
        let shared = &self.0.shared;
        let stats = shared.stats();
        // Building the index anew takes as long as it takes, and so may waiting for room on the disk; commits wait
        // in order, or are refused, and it goes on by itself.
        let is_waiting = shared.rebuilding.is_locked() || !self.is_writing();
        let queued = u64::try_from(stats.queued).unwrap_or(u64::MAX);
        Steps {
            queued: if is_waiting { 0 } else { queued },
            steps: stats.position + stats.durable + stats.failures + stats.rebuilds,
        }
    }

    /// Takes a snapshot now: a backup in one file. Commits go on meanwhile.
    pub async fn snapshot(&self) -> Result<SnapshotInfo, StoreError> {
        let (reply, done) = oneshot::channel();
        self.0.shared.order(Order::Snapshot(reply));
        done.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Begins an export: one point in time of everything, to be written wherever, while commits go on. None
    /// while another is under way. The log that it needs is kept until it is dropped.
    pub fn export(&self) -> Option<Export> {
        Export::begin(&self.0.shared)
    }

    /// Takes no more commits, finishes those handed over, makes all durable and ends the threads. Blocks. Other
    /// handles get [`StoreError::Closed`] from then on.
    pub fn close(self) {
        self.0.close();
    }
}

impl Handle {
    fn close(&self) {
        if let Some(running) = self.running.lock().take() {
            running.close(&self.shared);
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.close();
    }
}
