//! Builds an index anew, from the newest good snapshot and the log behind it, or from the log alone.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use super::{
    checkpoint,
    error::OpenError,
    folder::{next_index_folder, remove_other_indexes, sync_folder},
    guard,
    index::{Index, Reached},
    options::EngineOptions,
    progress::{Teller, Work},
    read::LogReader,
    replay::{Counting, LogEnd, Replay, survey},
    segment::Catalog,
    shared::Shared,
    snapshot,
    sweep::Sweeps,
};

/// Where an index can be built from.
pub(super) struct Source<'a> {
    pub(super) path: &'a Path,
    pub(super) options: &'a EngineOptions,
    pub(super) catalog: &'a Arc<Catalog>,
    /// Why it has to be.
    pub(super) why: &'a str,
}

/// An index that is being built.
pub(super) struct Building {
    pub(super) index: Index,
    pub(super) reached: Reached,
    reader: LogReader,
    teller: Teller,
    pub(super) commits: u64,
}

impl Building {
    /// Applies the log up to `until`, all of which is known to be durable.
    pub(super) fn advance(&mut self, until: u64) -> Result<(), OpenError> {
        let teller = self.teller.clone();
        let progress = |position| teller.tell(Work::ReplayingLog, position, Some(until));
        progress(self.reached.position);
        let replay = Replay::new(&self.index, Counting::AsFound, &progress);
        let applied = replay.run(&mut self.reader, &mut self.reached, until);
        self.commits += applied.map_err(|what| refused(self.index.path(), what))?;
        progress(self.reached.position);
        Ok(())
    }
}

impl Source<'_> {
    /// Builds an index from all that can be read, whatever is missing; the first and last commit of each hole.
    pub(super) fn build_over_holes(&self) -> Result<(Building, Vec<(u64, u64)>), OpenError> {
        let mut building = self.begin_anywhere()?;
        let progress = |position| self.options.teller.tell(Work::ReplayingLog, position, None);
        let replay = Replay::new(&building.index, Counting::AsFound, &progress);
        let holes = replay.run_over_holes(&mut building.reader, &mut building.reached);
        let holes = holes.map_err(|what| refused(building.index.path(), what))?;
        Ok((building, holes))
    }

    fn begin_anywhere(&self) -> Result<Building, OpenError> {
        match self.begin() {
            Err(OpenError::NothingToRebuildFrom { .. }) => {
                let before = self.catalog.oldest().map_or(0, |s| s.first - 1);
                let mut building = self.building(self.fresh()?, Reached::default());
                building.reader = LogReader::new(Arc::clone(self.catalog), before + 1);
                Ok(building)
            }
            begun => begun,
        }
    }

    /// Builds an index at the end of the log, while nobody writes to it.
    pub(super) fn build_whole(&self, durable: u64) -> Result<(Building, LogEnd), OpenError> {
        let mut building = self.begin()?;
        let mut reader = LogReader::new(Arc::clone(self.catalog), building.reached.position + 1);
        // Where the log does not reach back so far, reading will say so.
        let before = reader.seek().ok();
        if before.is_some_and(|before| before != building.reached.hash) {
            return Err(self.nothing("the log behind the snapshot is another one".to_owned()));
        }
        let surveyed = survey(self.catalog, &mut reader, building.reached.hash, durable);
        let end = surveyed.map_err(|damage| damage.into_error())?;
        building.advance(end.last)?;
        Ok((building, end))
    }

    /// Fills a fresh index from the newest good snapshot; leaves it empty where the whole log is there.
    pub(super) fn begin(&self) -> Result<Building, OpenError> {
        tracing::warn!(event = "store_index_rebuilding", store = %self.path.display(), why = self.why, "building the index anew");
        let mut missing =
            "there is no snapshot, and the log does not begin with the first commit".to_owned();
        for snapshot in snapshot::list(self.path)? {
            let index = self.fresh()?;
            let total = snapshot::contents(&snapshot.path).ok();
            let total = total.map(|(_, counts)| counts.values().sum());
            let progress = |records| {
                self.options
                    .teller
                    .tell(Work::ReadingSnapshot, records, total);
            };
            match snapshot::load(&snapshot.path, &index, &progress) {
                Ok(reached) => return Ok(self.building(index, reached)),
                Err(what) => {
                    missing = format!("{}: {what}", snapshot.path.display());
                    tracing::error!(
                        event = "store_snapshot_unusable",
                        "cannot use a snapshot: {missing}"
                    );
                    drop(index);
                }
            }
        }
        let whole = self.catalog.oldest().is_none_or(|s| s.first == 1);
        if !whole {
            return Err(self.nothing(missing));
        }
        Ok(self.building(self.fresh()?, Reached::default()))
    }

    /// Fills a fresh index from one snapshot and no other.
    fn begin_from(&self, snapshot: &Path) -> Result<Building, OpenError> {
        let index = self.fresh()?;
        let progress = |records| tracing::debug!(records, "reading the snapshot");
        let reached = snapshot::load(snapshot, &index, &progress);
        let reached = reached.map_err(|what| refused(snapshot, what))?;
        Ok(self.building(index, reached))
    }

    fn building(&self, index: Index, reached: Reached) -> Building {
        Building {
            reader: LogReader::new(Arc::clone(self.catalog), reached.position + 1),
            index,
            reached,
            teller: self.options.teller.clone(),
            commits: 0,
        }
    }

    fn fresh(&self) -> Result<Index, OpenError> {
        let folder = next_index_folder(self.path)?;
        let opened = guard::open(
            &folder,
            self.options.cache_bytes,
            self.options.index_timeout,
        );
        opened
            .map(|(index, _)| index)
            .map_err(|what| refused(&folder, what))
    }

    fn nothing(&self, missing: String) -> OpenError {
        OpenError::NothingToRebuildFrom {
            path: self.path.to_owned(),
            why: self.why.to_owned(),
            missing,
        }
    }
}

fn refused(path: &Path, what: String) -> OpenError {
    OpenError::Index {
        path: path.to_owned(),
        what,
    }
}

/// Builds the index anew while the engine serves, and swaps it in. With `until`, up to that commit, which is durable
/// and not applied yet: the index thread does this when it can't write.
pub(super) fn replace(shared: &Shared, why: &str, until: Option<u64>) -> Result<(), String> {
    let _one = shared.rebuilding.lock();
    shared.options.faults().before_index()?;
    exchange(shared, || build_and_swap(shared, why, until))?;
    shared.meters.rebuilds.fetch_add(1, Relaxed);
    let index = shared.index.load();
    tracing::warn!(event = "store_index_rebuilt", index = %index.path().display(), "the index was built anew");
    Ok(())
}

/// Does the work that puts another index in place of the one there is, which it gives, and removes the files of the
/// one that nobody uses then.
fn exchange(
    shared: &Shared,
    work: impl FnOnce() -> Result<Arc<Index>, String>,
) -> Result<(), String> {
    let exchanged = catch_unwind(AssertUnwindSafe(work));
    let exchanged = exchanged.unwrap_or_else(|_| Err("sled panicked".to_owned()));
    let kept = shared.index.load().path().to_owned();
    match exchanged {
        Ok(old) => {
            retire(old, &shared.path, &kept);
            Ok(())
        }
        Err(why) => {
            // What was begun takes room, and nobody uses it.
            let _ = remove_other_indexes(&shared.path, &kept);
            Err(why)
        }
    }
}

fn build_and_swap(shared: &Shared, why: &str, until: Option<u64>) -> Result<Arc<Index>, String> {
    make_sure_of_room(shared, 0)?;
    let source = Source {
        path: &shared.path,
        options: &shared.options,
        catalog: &shared.catalog,
        why,
    };
    let building = source.begin().map_err(|e| e.to_string())?;
    bring_in(shared, building, until)
}

/// Refuses to build an index that would fill the disk, beside so many bytes of other files.
pub(super) fn make_sure_of_room(shared: &Shared, beside: u64) -> Result<(), String> {
    // Fresh, an index takes less than one that has been written to for long.
    let needed = (bytes_in(shared.index.load().path()) / 2).saturating_add(beside);
    let free = shared.room.look();
    if free < needed {
        return Err(format!(
            "{free} bytes are free, and it needs about {needed}"
        ));
    }
    Ok(())
}

/// Puts an index in place of the one there is that has never held what is not in this snapshot or behind it.
pub(super) fn renew(shared: &Shared, snapshot: &Path) -> Result<(), String> {
    let _one = shared.rebuilding.lock();
    make_sure_of_room(shared, 0)
        .map_err(|why| format!("the index of a compacted store can't be built: {why}"))?;
    let source = Source {
        path: &shared.path,
        options: &shared.options,
        catalog: &shared.catalog,
        why: "the store is compacted",
    };
    exchange(shared, || {
        let building = source.begin_from(snapshot).map_err(|e| e.to_string())?;
        bring_in(shared, building, None)
    })
}

/// Brings an index up to date and puts it in place of the one there is, which it gives.
fn bring_in(
    shared: &Shared,
    mut building: Building,
    until: Option<u64>,
) -> Result<Arc<Index>, String> {
    let near = *shared.position.borrow();
    let caught_up = building.advance(near);
    caught_up.map_err(|e| e.to_string())?;
    // A full disk shows here, while the old one can still be read.
    building.index.sync()?;
    let old = swap(shared, building, until)?;
    if let Err(error) = checkpoint::make(shared, false) {
        tracing::warn!(
            event = "store_checkpoint_failed",
            "no checkpoint of the new index could be made yet: {error}"
        );
    }
    Ok(old)
}

/// Bytes of the files in a folder.
fn bytes_in(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| Some(entry.metadata().ok()?.len()))
        .sum()
}

fn swap(shared: &Shared, mut building: Building, until: Option<u64>) -> Result<Arc<Index>, String> {
    let mut applied = shared.apply.lock();
    let until = until.unwrap_or(applied.position);
    building.advance(until).map_err(|e| e.to_string())?;
    applied.position = building.reached.position;
    applied.hash = building.reached.hash;
    applied.sweeps = Sweeps::default();
    *shared.counts.write() = building.reached.counts;
    Ok(shared.index.swap(Arc::new(building.index)))
}

/// Closes the old index once nobody reads it any more, and removes its folder; at the latest the next start does.
fn retire(mut old: Arc<Index>, store: &Path, kept: &Path) {
    for _ in 0..100 {
        match Arc::try_unwrap(old) {
            Ok(index) => {
                drop(index);
                let _ = sync_folder(store);
                if let Err(error) = remove_other_indexes(store, kept) {
                    tracing::warn!(
                        event = "store_cleanup_failed",
                        "cannot remove the old index: {error}"
                    );
                }
                return;
            }
            Err(still) => old = still,
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}
