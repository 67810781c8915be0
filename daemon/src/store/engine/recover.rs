//! Opening: takes the lock, brings the index to the end of the log, or builds it anew, and proves it.
//!
//! ```text
//! checkpoint ─> index good? ── yes ─> log readable to its end? ── yes ─> replay
//!                   │                        └─ no ─> index covers what is lost, and is intact ─> salvage
//!                   │                                        └─ no ─> refuse
//!                   └─ no ──> newest good snapshot, then the log behind it ─> fresh index
//! ```

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::{self, Receiver},
    },
    time::Instant,
};

use arc_swap::ArcSwap;
use parking_lot::{Condvar, Mutex, RwLock};
use tokio::sync::watch;

use super::{
    care::{self, Order},
    checkpoint::{self, Checkpoint},
    error::OpenError,
    folder::{claim, index_folder, remove_other_indexes},
    format::{self, FORMAT},
    guard,
    index::{Index, Reached},
    log::Log,
    options::{EngineOptions, OpenReport, RepairReport},
    overlay::Overlay,
    progress::Work,
    read::{LogReader, Stop},
    rebuild::{self, Source},
    replay::{Counting, Damage, LogEnd, Replay, cut, survey},
    room::Meter,
    running::Running,
    segment::Catalog,
    shared::{Applied, Meters, Plan, Shared},
    sweep::{self, Sweeps, Verdict, Who},
};

/// An index at the end of the log.
struct Opened {
    index: Index,
    reached: Reached,
    /// Where an unfinished write begins.
    stop: Option<Stop>,
    replayed: u64,
    /// What the log lost, and the index seems to hold.
    damage: Option<Box<Damage>>,
}

/// Opens the store in `path`, creating it where there is none.
pub(super) fn open(
    path: &Path,
    options: EngineOptions,
) -> Result<(Arc<Shared>, Running, OpenReport), OpenError> {
    let lock = claim(path)?;
    let format = format::check(path)?.unwrap_or(FORMAT);
    let catalog = Arc::new(Catalog::load(&path.join("log"), format)?);
    let saved = Checkpoint::load(path);
    let mut report = OpenReport {
        clean: saved.is_none_or(|c| c.clean),
        ..OpenReport::default()
    };
    let opened = match existing(path, &options, &catalog, saved)? {
        Ok(opened) => opened,
        Err(why) => {
            let source = Source {
                path,
                options: &options,
                catalog: &catalog,
                why: &why,
            };
            let opened = anew(&source, saved)?;
            report.rebuilt = Some(why);
            opened
        }
    };
    report.position = opened.reached.position;
    report.replayed = opened.replayed;
    if let Some(stop) = &opened.stop {
        report.cut_bytes = cut(stop)?;
    }
    let (shared, orders) = share(path, options, catalog, opened.index, opened.reached, saved);
    let mut generation = generation_of(&shared);
    match opened.damage {
        None => prove(&shared, &mut report)?,
        Some(damage) => {
            report.salvaged = Some(salvage(&shared, *damage)?);
            generation += 1;
        }
    }
    settle(&shared)?;
    let log = begin_log(&shared, generation)?;
    let running = Running::start(&shared, log, orders, lock)
        .map_err(OpenError::io("start threads for", path))?;
    Ok((shared, running, report))
}

/// Goes on without what cannot be read: see [`super::repair`].
pub(super) fn repair(path: &Path, options: EngineOptions) -> Result<RepairReport, OpenError> {
    let lock = claim(path)?;
    let format = format::check(path)?.unwrap_or(FORMAT);
    let catalog = Arc::new(Catalog::load(&path.join("log"), format)?);
    let saved = Checkpoint::load(path);
    let source = Source {
        path,
        options: &options,
        catalog: &catalog,
        why: "a repair was asked for",
    };
    let (building, holes) = source.build_over_holes()?;
    let position = building.reached.position;
    let known = saved.map_or(0, |c| c.position);
    let (shared, orders) = share(
        path,
        options,
        catalog,
        building.index,
        building.reached,
        saved,
    );
    keep(&shared)?;
    settle(&shared)?;
    let log = begin_log(&shared, generation_of(&shared) + 1)?;
    let running = Running::start(&shared, log, orders, lock)
        .map_err(OpenError::io("start threads for", path))?;
    running.close(&shared);
    let lost_end = (known > position).then_some((position + 1, known));
    Ok(RepairReport {
        position,
        lost: holes.into_iter().chain(lost_end).collect(),
    })
}

fn generation_of(shared: &Shared) -> u64 {
    shared.catalog.newest().map_or(1, |s| s.generation)
}

/// Keeps what the index holds in a snapshot, before the log behind it is begun anew.
fn keep(shared: &Shared) -> Result<(), OpenError> {
    let kept = care::take_snapshot(shared);
    kept.map(drop).map_err(|e| OpenError::Io {
        action: "keep a snapshot in",
        path: shared.path.clone(),
        source: std::io::Error::other(e.to_string()),
    })
}

/// The index there is, brought to the end of the log. The inner error says why it is no good.
fn existing(
    path: &Path,
    options: &EngineOptions,
    catalog: &Arc<Catalog>,
    saved: Option<Checkpoint>,
) -> Result<Result<Opened, String>, OpenError> {
    let fresh = saved.is_none() && catalog.oldest().is_none() && !has_snapshots(path)?;
    let saved = match saved {
        Some(saved) => saved,
        None if fresh => Checkpoint::default(),
        None => return Ok(Err("no checkpoint can be read".to_owned())),
    };
    let folder = index_folder(path, saved.index.max(1));
    if !fresh && !folder.exists() {
        return Ok(Err("its folder is gone".to_owned()));
    }
    let (index, reached) = match guard::open(&folder, options.cache_bytes, options.index_timeout) {
        Ok((index, Some(reached))) => (index, reached),
        Ok((index, None)) if saved.position == 0 => (index, Reached::default()),
        Ok(_) => return Ok(Err("it is empty".to_owned())),
        Err(why) => return Ok(Err(why)),
    };
    if reached.position < saved.position {
        return Ok(Err("it is behind its checkpoint".to_owned()));
    }
    let opened = catch_up(catalog, options, index, reached, saved)?;
    Ok(opened)
}

fn has_snapshots(path: &Path) -> Result<bool, OpenError> {
    Ok(!super::snapshot::list(path)?.is_empty())
}

/// Applies the log behind the checkpoint, once it is known to be readable to its end.
fn catch_up(
    catalog: &Arc<Catalog>,
    options: &EngineOptions,
    index: Index,
    reached: Reached,
    saved: Checkpoint,
) -> Result<Result<Opened, String>, OpenError> {
    let begin = || LogReader::new(Arc::clone(catalog), saved.position + 1);
    let mut reader = begin();
    if reader.seek().is_ok_and(|before| before != saved.hash) {
        return Ok(Err("it belongs to another log".to_owned()));
    }
    // A checkpoint behind which there is no log at all has lost it, unless there never was any.
    let lost = catalog.holding(saved.position + 1).is_none() && saved.position > 0;
    let durable = if lost {
        reached.position.max(saved.position + 1)
    } else {
        reached.position
    };
    let (from, mut reader, end, damage) = match survey(catalog, &mut reader, saved.hash, durable) {
        Ok(end) => {
            let from = Reached {
                position: saved.position,
                hash: saved.hash,
                counts: reached.counts,
            };
            (from, begin(), end, None)
        }
        Err(damage) if damage.lost_from <= reached.position || (lost && saved.clean) => {
            let (reader, end) = step_over(catalog, &reached, &damage, lost)?;
            (reached, reader, end, Some(damage))
        }
        Err(damage) => return Err(damage.into_error()),
    };
    let mut reached = from;
    let until = end.last;
    let progress = |position| {
        options
            .teller
            .tell(Work::ReplayingLog, position, Some(until));
    };
    let replay = Replay::new(&index, Counting::AsPlanned, &progress);
    match replay.run(&mut reader, &mut reached, end.last) {
        Ok(replayed) => Ok(Ok(Opened {
            index,
            reached,
            stop: end.stop,
            replayed,
            damage,
        })),
        Err(why) => Ok(Err(why)),
    }
}

/// Finds the log behind what the index holds, whatever lies before.
fn step_over(
    catalog: &Arc<Catalog>,
    reached: &Reached,
    damage: &Damage,
    lost: bool,
) -> Result<(LogReader, LogEnd), OpenError> {
    let mut reader = LogReader::new(Arc::clone(catalog), reached.position + 1);
    if reader.jump().map_err(Stop::into_error)? {
        let end = survey(catalog, &mut reader, reached.hash, reached.position);
        let end = end.map_err(|damage| damage.into_error())?;
        return Ok((LogReader::jumped(catalog, reached.position + 1), end));
    }
    if damage.lost_to > reached.position && !lost {
        return Err(damage.to_error());
    }
    let end = LogEnd {
        last: reached.position,
        hash: reached.hash,
        stop: None,
    };
    Ok((reader, end))
}

fn anew(source: &Source<'_>, saved: Option<Checkpoint>) -> Result<Opened, OpenError> {
    let (building, end) = source.build_whole(saved.map_or(0, |c| c.position))?;
    Ok(Opened {
        index: building.index,
        reached: building.reached,
        stop: end.stop,
        replayed: building.commits,
        damage: None,
    })
}

fn share(
    path: &Path,
    options: EngineOptions,
    catalog: Arc<Catalog>,
    index: Index,
    reached: Reached,
    saved: Option<Checkpoint>,
) -> (Arc<Shared>, Receiver<Order>) {
    let (orders, receiver) = mpsc::channel();
    let meters = Meters::default();
    meters.durable.store(reached.position, Relaxed);
    let shared = Shared {
        room: Arc::new(Meter::new(path, options.reserve_bytes)),
        path: path.to_owned(),
        options,
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
            sweeps: Sweeps::default(),
        }),
        counts: RwLock::new(reached.counts),
        position: watch::Sender::new(reached.position),
        catalog,
        retained: Mutex::default(),
        pinned: Mutex::default(),
        meters,
        checkpoint: Mutex::new(saved.unwrap_or_default()),
        rebuilding: Mutex::new(()),
        orders: Mutex::new(orders),
        compact: super::compact::State::default(),
        stopping: AtomicBool::new(false),
    };
    (Arc::new(shared), receiver)
}

/// Verifies the index for as long as opening may take, and leaves the rest to the background.
fn prove(shared: &Shared, report: &mut OpenReport) -> Result<(), OpenError> {
    sweep::begin(shared, Who::Care);
    let deadline = Instant::now() + shared.options.verify_budget;
    match sweep::run(
        shared,
        Who::Care,
        Some(deadline),
        |_| Ok::<_, OpenError>(()),
    )? {
        Verdict::Sound(_) | Verdict::Abandoned => Ok(()),
        Verdict::Unfinished => {
            shared.order(Order::Verify);
            Ok(())
        }
        Verdict::Unsound(why) => {
            rebuild::replace(shared, &why, None).map_err(|what| OpenError::Index {
                path: shared.path.clone(),
                what,
            })?;
            report.rebuilt = Some(why);
            Ok(())
        }
    }
}

/// Lets the index stand in for what the log has lost, if all of it is intact, and keeps it in a snapshot at once.
fn salvage(shared: &Shared, damage: Damage) -> Result<String, OpenError> {
    sweep::begin(shared, Who::Care);
    let forever = Instant::now() + std::time::Duration::from_secs(u64::from(u32::MAX));
    match sweep::run(shared, Who::Care, Some(forever), |_| Ok::<_, OpenError>(()))? {
        Verdict::Sound(_) => {}
        _ => return Err(damage.into_error()),
    }
    let words = damage.stop.words();
    let words = format!(
        "{} at byte {}: {words}",
        damage.stop.file.display(),
        damage.stop.offset
    );
    tracing::error!(
        event = "store_log_damaged",
        "the log is damaged, the index stands in for it: {words}"
    );
    keep(shared)?;
    Ok(words)
}

/// Makes the index durable where it is now, says so, and removes all others.
fn settle(shared: &Shared) -> Result<(), OpenError> {
    let index = shared.index.load();
    checkpoint::make(shared, false).map_err(|what| OpenError::Index {
        path: index.path().to_owned(),
        what,
    })?;
    remove_other_indexes(&shared.path, index.path())
}

fn begin_log(shared: &Shared, generation: u64) -> Result<Log, OpenError> {
    let (position, hash) = {
        let applied = shared.apply.lock();
        (applied.position, applied.hash)
    };
    let mut log = Log::new(
        Arc::clone(&shared.catalog),
        shared.options.segment_bytes,
        generation,
        position,
        hash,
        shared.options.faults(),
        Arc::clone(&shared.room),
    );
    log.make_room(1).map_err(|what| OpenError::Io {
        action: "begin a segment in",
        path: shared.catalog.folder().to_owned(),
        source: std::io::Error::other(what),
    })?;
    Ok(log)
}
