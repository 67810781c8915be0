//! What the engine's handles and threads share, and in which order they may lock it.
//!
//! Locks are taken in this order, never backwards: `plan`, then `apply`, then `counts`. Nobody holds `plan` over
//! I/O other than point reads of the index; `apply` is held while a group is applied.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        mpsc::Sender,
    },
};

use arc_swap::ArcSwap;
use parking_lot::{Condvar, Mutex, RwLock};
use tokio::sync::watch;

use super::{
    care::Order,
    checkpoint::Checkpoint,
    compact,
    error::StoreError,
    frame::Hash,
    index::{Count, Index, Kind},
    options::{EngineOptions, Stats},
    overlay::{Ack, Overlay},
    room::Meter,
    segment::Catalog,
    seldom::Seldom,
    sweep::Sweeps,
};

/// What an open engine is made of.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) path: PathBuf,
    pub(super) options: EngineOptions,
    pub(super) plan: Mutex<Plan>,
    /// There is something for the log, or the engine closes.
    pub(super) work: Condvar,
    pub(super) index: ArcSwap<Index>,
    pub(super) apply: Mutex<Applied>,
    pub(super) counts: RwLock<HashMap<Kind, Count>>,
    /// The newest commit that is durable and applied. Followers wait on it.
    pub(super) position: watch::Sender<u64>,
    pub(super) catalog: Arc<Catalog>,
    pub(super) retained: Mutex<HashMap<String, u64>>,
    /// The log behind this commit is kept whatever its size: an export is under way. A compaction sets it too, to a
    /// place that no log reaches, so that no export begins meanwhile.
    pub(super) pinned: Mutex<Option<u64>>,
    pub(super) meters: Meters,
    pub(super) room: Arc<Meter>,
    /// The last checkpoint. Held while the next is made.
    pub(super) checkpoint: Mutex<Checkpoint>,
    /// Held while the index is built anew.
    pub(super) rebuilding: Mutex<()>,
    /// Work for the care thread.
    pub(super) orders: Mutex<Sender<Order>>,
    /// A compaction under way.
    pub(super) compact: compact::State,
    /// Long work in the background gives up.
    pub(super) stopping: AtomicBool,
}

/// What planners and the log thread share.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) overlay: Overlay,
    /// The log thread sleeps.
    pub(super) log_idle: bool,
    pub(super) closing: bool,
    /// Why no commit can be taken any more.
    pub(super) broken: Option<String>,
}

/// How far the index is.
#[derive(Debug)]
pub(super) struct Applied {
    pub(super) position: u64,
    pub(super) hash: Hash,
    /// The scans over the whole index that are under way.
    pub(super) sweeps: Sweeps,
}

/// Numbers for [`Stats`].
#[derive(Debug, Default)]
pub(super) struct Meters {
    pub(super) durable: AtomicU64,
    pub(super) checkpoint: AtomicU64,
    pub(super) groups: AtomicU64,
    pub(super) group_commits_last: AtomicU64,
    pub(super) group_commits_max: AtomicU64,
    pub(super) sync_us_last: AtomicU64,
    pub(super) sync_us_max: AtomicU64,
    pub(super) sync_us_total: AtomicU64,
    pub(super) apply_us_last: AtomicU64,
    pub(super) apply_us_total: AtomicU64,
    pub(super) log_bytes: AtomicU64,
    /// Bytes written to the log since the last snapshot of this run.
    pub(super) since_snapshot: AtomicU64,
    pub(super) surprises: AtomicU64,
    pub(super) failures: AtomicU64,
    pub(super) rebuilds: AtomicU64,
    /// Why the last group failed; cleared by the next that does not.
    pub(super) failed: Mutex<Option<String>>,
    /// Bounds what is said of failures.
    pub(super) failures_said: Seldom,
    pub(super) standing_said: Seldom,
    pub(super) checkpoints_said: Seldom,
}

impl Plan {
    /// Refuses a commit that can't be taken now.
    pub(super) fn admit(&self, options: &EngineOptions, room: &Meter) -> Result<(), StoreError> {
        if let Some(words) = &self.broken {
            return Err(StoreError::Failed(words.clone()));
        }
        if self.closing {
            return Err(StoreError::Closed);
        }
        if let Some(why) = room.standing() {
            return Err(StoreError::Failed(why));
        }
        let waiting = self.overlay.commits();
        let full =
            waiting >= options.pending_max || self.overlay.bytes() >= options.pending_bytes_max;
        if full {
            return Err(StoreError::Busy { waiting });
        }
        Ok(())
    }
}

impl Shared {
    /// The newest group that set out has failed, with all behind it: nothing of them was stored.
    pub(super) fn fail_group(&self, mut acks: Vec<Ack>, words: &str) {
        {
            let mut plan = self.plan.lock();
            acks.extend(plan.overlay.fail());
        }
        self.meters.failures.fetch_add(1, Relaxed);
        *self.meters.failed.lock() = Some(words.to_owned());
        if let Some(kept_back) = self.meters.failures_said.due() {
            let commits = acks.len();
            tracing::error!(
                event = "store_commits_failed",
                commits,
                kept_back,
                "commits were not stored: {words}"
            );
        }
        for ack in acks {
            ack.tell(Err(StoreError::Failed(words.to_owned())));
        }
    }

    /// No commit can be taken any more.
    pub(super) fn break_down(&self, acks: Vec<Ack>, words: &str) {
        self.plan.lock().broken = Some(words.to_owned());
        self.fail_group(acks, words);
    }

    /// Gives the care thread something to do.
    pub(super) fn order(&self, order: Order) {
        // After the care thread has ended there is nobody to take care any more.
        let _ = self.orders.lock().send(order);
    }

    /// Passes an error of a read on; one that shows damage makes the index be built anew.
    pub(super) fn heed<T>(&self, read: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(StoreError::Corrupt { what, .. }) = &read {
            self.order(Order::Mend(what.clone()));
        }
        read
    }

    pub(super) fn stats(&self) -> Stats {
        let meters = &self.meters;
        Stats {
            position: *self.position.borrow(),
            durable: meters.durable.load(Relaxed),
            checkpoint: meters.checkpoint.load(Relaxed),
            queued: self.plan.lock().overlay.commits(),
            groups: meters.groups.load(Relaxed),
            group_commits_last: meters.group_commits_last.load(Relaxed),
            group_commits_max: meters.group_commits_max.load(Relaxed),
            sync_us_last: meters.sync_us_last.load(Relaxed),
            sync_us_max: meters.sync_us_max.load(Relaxed),
            sync_us_total: meters.sync_us_total.load(Relaxed),
            apply_us_total: meters.apply_us_total.load(Relaxed),
            apply_us_last: meters.apply_us_last.load(Relaxed),
            log_bytes: meters.log_bytes.load(Relaxed),
            surprises: meters.surprises.load(Relaxed),
            failures: meters.failures.load(Relaxed),
            rebuilds: meters.rebuilds.load(Relaxed),
            failed: self
                .room
                .standing()
                .or_else(|| meters.failed.lock().clone()),
        }
    }
}
