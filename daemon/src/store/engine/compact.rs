//! Compaction: what was deleted leaves the disk. Commits go on meanwhile.
//!
//! ```text
//! begin a new segment ─> snapshot of what is there ─> readers of the log have passed ─> index built from it, in a
//! fresh folder ─> older snapshots and segments removed ─> looked at: nothing older is left
//! ```
//!
//! Segments hold every value ever written, older snapshots those of their day, and sled's file what it has not
//! collected yet. All of them are files begun before the compaction; after it there is none. Room for the log is
//! always written full of zeros, so no file begins with old bytes.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::{
    Engine,
    care::{self, Order},
    checkpoint,
    error::StoreError,
    folder, rebuild, segment,
    shared::Shared,
    snapshot,
};

/// The kind of a change that means nothing to anybody.
const NOTHING: u16 = 0;
/// What is pinned where no export may begin: nothing of the log is kept for it.
const NO_EXPORT: u64 = u64::MAX;
/// How long readers of the log are waited for.
const READERS_MAX: Duration = Duration::from_secs(60);
/// Between two looks at them.
const LOOK: Duration = Duration::from_millis(50);

/// What a compaction did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compaction {
    /// Whatever was deleted by this commit is gone.
    pub position: u64,
    /// Records there are.
    pub records: u64,
    /// Bytes of the snapshot.
    pub snapshot_bytes: u64,
    /// Segments that were removed.
    pub segments: u64,
    /// Snapshots that were removed.
    pub snapshots: u64,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// How far a compaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompactionStep {
    /// None is under way.
    Idle,
    /// The snapshot is written.
    Snapshot,
    /// Readers of the log are waited for.
    Readers,
    /// The index is built.
    Index,
    /// Old files are removed.
    Removing,
}

impl CompactionStep {
    /// All of them, in order.
    pub const ALL: [Self; 5] = [
        Self::Idle,
        Self::Snapshot,
        Self::Readers,
        Self::Index,
        Self::Removing,
    ];

    /// As it is written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Snapshot => "snapshot",
            Self::Readers => "readers",
            Self::Index => "index",
            Self::Removing => "removing",
        }
    }
}

/// While there is one no export begins: the log and the index that it reads would go.
struct Alone<'a>(&'a Shared);

impl<'a> Alone<'a> {
    /// None while an export is under way.
    fn with(shared: &'a Shared) -> Option<Self> {
        let mut pinned = shared.pinned.lock();
        if pinned.is_some() {
            return None;
        }
        *pinned = Some(NO_EXPORT);
        Some(Self(shared))
    }
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        *self.0.pinned.lock() = None;
    }
}

fn backup_under_way() -> StoreError {
    let words = "cannot compact the store: a backup is under way; try again when it is done";
    StoreError::Failed(words.into())
}

/// What the engine's threads and a compaction tell each other.
#[derive(Debug, Default)]
pub(super) struct State {
    /// The next group begins a new segment.
    rotate: AtomicBool,
    /// Readers of the log are asked to pass this commit.
    let_go: AtomicU64,
    step: AtomicU8,
}

impl State {
    /// Whether the next group is to begin a new segment; told once.
    pub(super) fn take_rotation(&self) -> bool {
        self.rotate.load(Relaxed) && self.rotate.swap(false, Relaxed)
    }

    fn enter(&self, step: CompactionStep) {
        let number = CompactionStep::ALL.iter().position(|one| *one == step);
        let number = number.and_then(|at| u8::try_from(at).ok());
        self.step.store(number.unwrap_or_default(), Relaxed);
    }
}

impl Engine {
    /// Removes from the disk what was deleted before this call. Resolves when it is proved: no file of log, snapshots and
    /// index is left that was begun before. Commits go on meanwhile; an export does not begin, and while one is under way
    /// this is refused.
    pub async fn compact(&self) -> Result<Compaction, StoreError> {
        let shared = &self.0.shared;
        let pinned = *shared.pinned.lock();
        // Another compaction is waited for.
        if pinned.is_some_and(|behind| behind != NO_EXPORT) {
            return Err(backup_under_way());
        }
        shared.compact.rotate.store(true, Relaxed);
        let marked = self.transact(|tx| {
            tx.change(NOTHING, []);
            Ok::<_, StoreError>(())
        })?;
        let ((), position) = marked.await?;
        let (reply, done) = oneshot::channel();
        shared.order(Order::Compact(position.0, reply));
        done.await.unwrap_or(Err(StoreError::Closed))
    }

    /// How far the compaction under way is.
    pub fn compaction_step(&self) -> CompactionStep {
        let number = self.0.shared.compact.step.load(Relaxed);
        let step = CompactionStep::ALL.get(usize::from(number));
        step.copied().unwrap_or(CompactionStep::Idle)
    }

    /// The commit that whoever retains the log is asked to pass, as a compaction waits for it.
    pub fn let_go(&self) -> u64 {
        self.0.shared.compact.let_go.load(Relaxed)
    }
}

/// Compacts; `mark` is a commit made after the last deletion that is to be gone, in a segment begun after it.
pub(super) fn run(shared: &Shared, mark: u64) -> Result<Compaction, StoreError> {
    let done = compact(shared, mark);
    shared.compact.enter(CompactionStep::Idle);
    done
}

fn compact(shared: &Shared, mark: u64) -> Result<Compaction, StoreError> {
    let started = Instant::now();
    let _alone = Alone::with(shared).ok_or_else(backup_under_way)?;
    let enter = |step| shared.compact.enter(step);
    let cut = shared.catalog.holding(mark).ok_or_else(|| {
        StoreError::Failed("the log has lost the segment that was just begun".into())
    })?;
    enter(CompactionStep::Snapshot);
    let taken = care::take_snapshot(shared)?;
    enter(CompactionStep::Readers);
    wait_for_readers(shared, cut.first - 1)?;
    enter(CompactionStep::Index);
    rebuild::renew(shared, &taken.path).map_err(StoreError::Failed)?;
    checkpoint::make(shared, false).map_err(StoreError::Failed)?;
    enter(CompactionStep::Removing);
    let failed = |what: String| StoreError::Failed(format!("cannot compact the store: {what}"));
    let snapshots = remove_snapshots(shared, mark).map_err(failed)?;
    let segments = remove_segments(shared, cut.number).map_err(failed)?;
    let left = {
        // An index that is built anew meanwhile would be taken for an old one.
        let _one = shared.rebuilding.lock();
        let kept = shared.index.load().path().to_owned();
        folder::remove_other_indexes(&shared.path, &kept).map_err(|e| failed(e.to_string()))?;
        folder::sync_folder(&shared.path).map_err(|e| failed(e.to_string()))?;
        left_over(shared, mark, cut.number, &kept).map_err(failed)?
    };
    if let Some(left) = left {
        return Err(failed(format!("{} is still there", left.display())));
    }
    let took = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(
        event = "store_compacted",
        position = mark,
        segments,
        snapshots,
        took_ms = took,
        "the store was compacted"
    );
    Ok(Compaction {
        position: mark,
        records: taken.records,
        snapshot_bytes: taken.bytes,
        segments,
        snapshots,
        took_ms: took,
    })
}

/// Whoever goes on from a saved position must not need what is removed.
fn wait_for_readers(shared: &Shared, position: u64) -> Result<(), StoreError> {
    shared.compact.let_go.fetch_max(position, Relaxed);
    let started = Instant::now();
    loop {
        let behind = {
            let retained = shared.retained.lock();
            let mut behind = retained.iter().filter(|(_, at)| **at < position);
            behind.next().map(|(name, _)| name.clone())
        };
        let Some(name) = behind else {
            return Ok(());
        };
        if shared.stopping.load(Relaxed) {
            return Err(StoreError::Closed);
        }
        if started.elapsed() > READERS_MAX {
            return Err(StoreError::Failed(format!(
                "cannot compact the store: {name} still reads the log"
            )));
        }
        std::thread::sleep(LOOK);
    }
}

fn remove_snapshots(shared: &Shared, mark: u64) -> Result<u64, String> {
    let mut removed = 0;
    for old in snapshot::list(&shared.path).map_err(|e| e.to_string())? {
        if old.position < mark {
            std::fs::remove_file(&old.path).map_err(|e| e.to_string())?;
            removed += 1;
        }
    }
    let folder = shared.path.join("snapshots");
    folder::sync_folder(&folder).map_err(|e| e.to_string())?;
    Ok(removed)
}

/// Removes all segments before a number, those that nobody could read included.
fn remove_segments(shared: &Shared, before: u64) -> Result<u64, String> {
    let mut removed = 0;
    for old in shared.catalog.all() {
        if old.number < before {
            let gone = shared.catalog.remove(old.number);
            gone.map_err(|e| e.to_string())?;
            removed += 1;
        }
    }
    for path in old_segments(shared.catalog.folder(), before)? {
        std::fs::remove_file(&path).map_err(|e| e.to_string())?;
        removed += 1;
    }
    folder::sync_folder(shared.catalog.folder()).map_err(|e| e.to_string())?;
    Ok(removed)
}

fn old_segments(folder: &Path, before: u64) -> Result<Vec<PathBuf>, String> {
    let mut old = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|e| e.to_string())? {
        let path = entry.map_err(|e| e.to_string())?.path();
        if segment::number_of(&path).is_some_and(|number| number < before) {
            old.push(path);
        }
    }
    Ok(old)
}

/// A file or folder that was begun before the compaction.
fn left_over(
    shared: &Shared,
    mark: u64,
    segment: u64,
    index: &Path,
) -> Result<Option<PathBuf>, String> {
    let snapshots = snapshot::list(&shared.path).map_err(|e| e.to_string())?;
    let snapshots = snapshots.into_iter().filter(|s| s.position < mark);
    let segments = old_segments(shared.catalog.folder(), segment)?;
    let indexes = folder::index_folders(&shared.path).map_err(|e| e.to_string())?;
    let indexes = indexes.into_iter().filter(|folder| folder != index);
    let mut left = snapshots.map(|s| s.path).chain(segments).chain(indexes);
    Ok(left.next())
}
