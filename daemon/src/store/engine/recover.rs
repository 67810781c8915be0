//! Opening: takes the lock, brings the index to the end of the log, or builds it anew.

use std::{
    collections::HashMap,
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwap;
use parking_lot::{Condvar, Mutex, RwLock};
use tokio::sync::watch;

use super::{
    checkpoint::Checkpoint,
    error::OpenError,
    guard,
    index::{Index, Reached},
    log::Log,
    options::{EngineOptions, OpenReport},
    overlay::Overlay,
    replay::{Counting, Replay, ReplayError, Replayed, cut},
    running::number_of,
    segment::Catalog,
    shared::{Applied, Meters, Plan, Shared},
};

pub(super) use super::running::Running;

/// Opens the store in `path`, creating it where there is none.
pub(super) fn open(
    path: &Path,
    options: EngineOptions,
) -> Result<(Arc<Shared>, Running, OpenReport), OpenError> {
    let log_folder = path.join("log");
    for folder in [path, &log_folder, &path.join("snapshots")] {
        std::fs::create_dir_all(folder).map_err(OpenError::io("create", folder))?;
    }
    sync_folder(path)?;
    let lock = lock(path)?;
    let (catalog, _bad) = Catalog::load(&log_folder)?;
    let catalog = Arc::new(catalog);
    let checkpoint = Checkpoint::load(path);
    let mut report = OpenReport {
        clean: checkpoint.is_none_or(|c| c.clean),
        ..OpenReport::default()
    };
    let number = checkpoint.map_or(1, |c| c.index);
    let (index, replayed) = match existing(path, &options, &catalog, checkpoint, number)? {
        Ok(good) => good,
        Err(why) => {
            report.rebuilt = Some(why);
            rebuild(path, &options, &catalog, checkpoint)?
        }
    };
    report.replayed = replayed.commits;
    if let Some(stop) = &replayed.end {
        report.cut_bytes = cut(stop)?;
    }
    report.position = replayed.reached.position;
    let checkpoint = settle(path, &index, &replayed.reached, checkpoint)?;
    let (shared, running) = start(
        path,
        options,
        catalog,
        index,
        replayed.reached,
        checkpoint,
        lock,
    )?;
    Ok((shared, running, report))
}

/// The index there is, brought to the end of the log. The inner error says why it is no good.
#[expect(clippy::type_complexity, reason = "used once")]
fn existing(
    path: &Path,
    options: &EngineOptions,
    catalog: &Arc<Catalog>,
    checkpoint: Option<Checkpoint>,
    number: u64,
) -> Result<Result<(Index, Replayed), String>, OpenError> {
    let fresh = checkpoint.is_none() && catalog.newest().is_none();
    let folder = index_folder(path, number);
    if !fresh && !folder.exists() {
        return Ok(Err("its folder is gone".to_owned()));
    }
    let checkpoint = match checkpoint {
        Some(checkpoint) => checkpoint,
        None if fresh => Checkpoint::default(),
        None => return Ok(Err("no checkpoint can be read".to_owned())),
    };
    let (index, reached) = match guard::open(&folder, options.cache_bytes, options.index_timeout) {
        Ok(opened) => opened,
        Err(why) => return Ok(Err(why)),
    };
    let reached = match reached {
        Some(reached) => reached,
        None if checkpoint.position == 0 => Reached::default(),
        None => return Ok(Err("it is empty".to_owned())),
    };
    if reached.position < checkpoint.position {
        return Ok(Err("it is behind its checkpoint".to_owned()));
    }
    let replay = Replay {
        index: &index,
        catalog,
        counting: Counting::AsPlanned,
        durable: reached.position,
        progress: &|_| (),
    };
    match replay.run(checkpoint.position, checkpoint.hash, reached.counts) {
        Ok(replayed) => Ok(Ok((index, replayed))),
        Err(ReplayError::Index(why)) => Ok(Err(why)),
        Err(ReplayError::Log(damage)) => Err(damage.into_error()),
    }
}

fn rebuild(
    path: &Path,
    options: &EngineOptions,
    catalog: &Arc<Catalog>,
    checkpoint: Option<Checkpoint>,
) -> Result<(Index, Replayed), OpenError> {
    let folder = next_index_folder(path)?;
    let refused = |what| OpenError::Index {
        path: folder.clone(),
        what,
    };
    let (index, _) =
        guard::open(&folder, options.cache_bytes, options.index_timeout).map_err(refused)?;
    let replay = Replay {
        index: &index,
        catalog,
        counting: Counting::AsFound,
        durable: checkpoint.map_or(0, |c| c.position),
        progress: &|position| tracing::info!(position, "building the index anew"),
    };
    match replay.run(0, [0; 32], HashMap::new()) {
        Ok(replayed) => Ok((index, replayed)),
        Err(ReplayError::Index(what)) => Err(refused(what)),
        Err(ReplayError::Log(damage)) => Err(damage.into_error()),
    }
}

/// Makes the index durable where it is now, says so, and removes all others.
fn settle(
    path: &Path,
    index: &Index,
    reached: &Reached,
    before: Option<Checkpoint>,
) -> Result<Checkpoint, OpenError> {
    let folder = index.path();
    index.sync().map_err(|what| OpenError::Index {
        path: folder.to_owned(),
        what,
    })?;
    sync_folder(folder)?;
    sync_folder(path)?;
    let number = number_of(folder).expect("index folders are numbered");
    let checkpoint = Checkpoint {
        sequence: before.map_or(1, |c| c.sequence + 1),
        index: number,
        position: reached.position,
        hash: reached.hash,
        clean: false,
    };
    checkpoint
        .save(path)
        .map_err(OpenError::io("write the checkpoint in", path))?;
    for (other, folder) in index_folders(path)? {
        if other != number {
            std::fs::remove_dir_all(&folder).map_err(OpenError::io("remove", &folder))?;
        }
    }
    Ok(checkpoint)
}

fn start(
    path: &Path,
    options: EngineOptions,
    catalog: Arc<Catalog>,
    index: Index,
    reached: Reached,
    checkpoint: Checkpoint,
    lock: File,
) -> Result<(Arc<Shared>, Running), OpenError> {
    let generation = catalog.newest().map_or(1, |s| s.generation);
    let mut log = Log::new(
        Arc::clone(&catalog),
        options.segment_bytes,
        generation,
        reached.position,
        reached.hash,
        options.faults.clone(),
    );
    log.make_room(1).map_err(|what| OpenError::Io {
        action: "begin a segment in",
        path: catalog.folder().to_owned(),
        source: std::io::Error::other(what),
    })?;
    let meters = Meters::default();
    meters
        .durable
        .store(reached.position, std::sync::atomic::Ordering::Relaxed);
    let shared = Arc::new(Shared {
        path: path.to_owned(),
        plan: Mutex::new(Plan {
            overlay: Overlay::new(reached.position + 1),
            log_idle: false,
            closing: false,
            broken: None,
        }),
        work: Condvar::new(),
        index: ArcSwap::from_pointee(index),
        apply: Mutex::new(Applied {
            position: reached.position,
            hash: reached.hash,
            sweep: None,
        }),
        counts: RwLock::new(reached.counts),
        position: watch::Sender::new(reached.position),
        catalog,
        retained: Mutex::default(),
        meters,
        options,
    });
    let running = Running::start(&shared, log, checkpoint, lock)
        .map_err(OpenError::io("start threads for", path))?;
    Ok((shared, running))
}

fn lock(path: &Path) -> Result<File, OpenError> {
    let path = path.join("lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(OpenError::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked { path }),
        Err(TryLockError::Error(source)) => Err(OpenError::io("lock", &path)(source)),
    }
}

fn sync_folder(path: &Path) -> Result<(), OpenError> {
    let synced = File::open(path).and_then(|folder| folder.sync_all());
    synced.map_err(OpenError::io("sync", path))
}

pub(super) fn index_folder(path: &Path, number: u64) -> PathBuf {
    path.join(format!("index-{number}"))
}

fn index_folders(path: &Path) -> Result<Vec<(u64, PathBuf)>, OpenError> {
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(path).map_err(OpenError::io("list", path))? {
        let folder = entry.map_err(OpenError::io("list", path))?.path();
        folders.extend(number_of(&folder).map(|number| (number, folder)));
    }
    Ok(folders)
}

/// A folder for the next index, which does not exist yet.
pub(super) fn next_index_folder(path: &Path) -> Result<PathBuf, OpenError> {
    let highest = index_folders(path)?.into_iter().map(|(n, _)| n).max();
    Ok(index_folder(path, highest.unwrap_or(0) + 1))
}
