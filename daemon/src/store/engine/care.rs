//! Care in the background: verifies the index, takes snapshots, drops what is no longer needed, mends damage.

use std::{
    path::Path,
    sync::{
        atomic::Ordering::Relaxed,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant, SystemTime},
};

use tokio::sync::oneshot;

use super::{
    checkpoint,
    compact::{self, Compaction},
    error::StoreError,
    export::{self, ExportError},
    kept,
    options::SnapshotInfo,
    rebuild,
    shared::Shared,
    snapshot::{self, SnapshotWriter},
    sweep::{self, Verdict, Who},
};

/// How often it is looked whether a snapshot is due.
const TICK: Duration = Duration::from_secs(1);
/// Damage seen again so soon after the index was built anew is not mended again.
const MEND_PAUSE: Duration = Duration::from_secs(600);
/// The same where it could not be built, for want of room or otherwise.
const MEND_RETRY: Duration = Duration::from_secs(5);

/// What the care thread is asked to do.
#[derive(Debug)]
pub(super) enum Order {
    /// Take a snapshot now.
    Snapshot(oneshot::Sender<Result<SnapshotInfo, StoreError>>),
    /// Remove from the disk what was deleted before this commit.
    Compact(u64, oneshot::Sender<Result<Compaction, StoreError>>),
    /// The sweep that opening began is to be finished.
    Verify,
    /// The index showed damage.
    Mend(String),
    /// The engine closes.
    Stop,
}

/// Runs until the engine closes.
pub(super) fn run(shared: &Shared, orders: &Receiver<Order>) {
    let mut rests_until = Instant::now();
    let mut tried = Instant::now();
    loop {
        match orders.recv_timeout(TICK) {
            Ok(Order::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            Ok(Order::Snapshot(reply)) => {
                // Whoever gave up waiting needs no answer.
                let _ = reply.send(take_snapshot(shared));
            }
            Ok(Order::Compact(mark, reply)) => {
                let done = make_sure_to_compact(shared).and_then(|()| compact::run(shared, mark));
                let _ = reply.send(done);
            }
            Ok(Order::Verify) => verify(shared),
            Ok(Order::Mend(why)) => {
                if Instant::now() >= rests_until {
                    let pause = if mend(shared, &why) {
                        MEND_PAUSE
                    } else {
                        MEND_RETRY
                    };
                    rests_until = Instant::now() + pause;
                }
            }
            Err(RecvTimeoutError::Timeout) => {
                if tried.elapsed() > Duration::from_secs(60) || tried.elapsed() < 2 * TICK {
                    tried = Instant::now();
                    snapshot_if_due(shared);
                }
            }
        }
    }
}

fn verify(shared: &Shared) {
    match sweep::run(shared, Who::Care, None, |_| {
        Ok::<_, std::convert::Infallible>(())
    }) {
        Ok(Verdict::Sound(reached)) => {
            tracing::info!(
                event = "store_index_verified",
                position = reached.position,
                "the index was verified"
            );
        }
        Ok(Verdict::Unsound(why)) => shared.order(Order::Mend(why)),
        Ok(Verdict::Unfinished | Verdict::Abandoned) => {}
    }
}

/// True where the index was built anew.
fn mend(shared: &Shared, why: &str) -> bool {
    tracing::error!(event = "store_index_damaged", why, "the index is damaged");
    let built = rebuild::replace(shared, why, None);
    if let Err(error) = &built {
        tracing::error!(
            event = "store_index_not_rebuilt",
            "the index can't be built anew: {error}"
        );
    }
    built.is_ok()
}

fn snapshot_if_due(shared: &Shared) {
    let options = &shared.options;
    let newest = snapshot::list(&shared.path)
        .ok()
        .and_then(|s| s.into_iter().next());
    let position = *shared.position.borrow();
    let due = match newest {
        Some(newest) => {
            age(&newest.path) >= options.snapshot_interval && newest.position < position
        }
        None => position > 0 && log_age(shared) >= options.snapshot_interval,
    };
    let grown = shared.meters.since_snapshot.load(Relaxed) >= options.snapshot_log_bytes;
    if (due || grown)
        && let Err(error) = take_snapshot(shared)
    {
        tracing::error!(
            event = "store_snapshot_failed",
            "cannot take a snapshot: {error}"
        );
    }
}

fn age(path: &Path) -> Duration {
    let modified = std::fs::metadata(path).and_then(|m| m.modified());
    let age = modified
        .ok()
        .and_then(|at| SystemTime::now().duration_since(at).ok());
    age.unwrap_or_default()
}

fn log_age(shared: &Shared) -> Duration {
    let oldest = shared.catalog.oldest();
    oldest.map_or(Duration::ZERO, |s| age(&s.path(shared.catalog.folder())))
}

/// Takes a snapshot, then drops what it makes needless.
pub(super) fn take_snapshot(shared: &Shared) -> Result<SnapshotInfo, StoreError> {
    let failed = |e: std::io::Error| StoreError::Failed(format!("cannot write a snapshot: {e}"));
    make_sure_of_room(shared)?;
    shared.meters.since_snapshot.store(0, Relaxed);
    let begin = sweep::begin(shared, Who::Care);
    let mut writer = SnapshotWriter::begin(
        &shared.path,
        shared.catalog.format(),
        begin.position,
        &begin.hash,
    )
    .map_err(failed)?;
    let filled = export::fill(shared, Who::Care, &begin, writer.stream());
    let reached = filled.map_err(|error| match error {
        ExportError::Sink(error) => failed(error),
        ExportError::Store(error) => error,
    })?;
    let info = writer.finish(&reached).map_err(failed)?;
    tracing::info!(event = "store_snapshot_taken", path = %info.path.display(), position = info.position, "took a snapshot");
    // The log behind the last checkpoint is never needless.
    let dropped = checkpoint::make(shared, false).and_then(|()| drop_needless(shared));
    if let Err(error) = dropped {
        tracing::warn!(
            event = "store_cleanup_failed",
            "cannot remove what is no longer needed: {error}"
        );
    }
    kept::sweep(&shared.path);
    Ok(info)
}

/// Refuses a compaction before it begins where its snapshot and index together would fill the disk.
fn make_sure_to_compact(shared: &Shared) -> Result<(), StoreError> {
    let room = rebuild::make_sure_of_room(shared, snapshot_bytes(shared));
    room.map_err(|why| {
        StoreError::Failed(format!(
            "cannot compact the store: {why} for a snapshot and an index; make room"
        ))
    })
}

/// Bytes that the next snapshot will have, about: those of the one before and what came since.
fn snapshot_bytes(shared: &Shared) -> u64 {
    let newest = snapshot::list(&shared.path)
        .ok()
        .and_then(|s| s.into_iter().next());
    let before = newest.and_then(|s| std::fs::metadata(s.path).ok());
    let since = shared.meters.since_snapshot.load(Relaxed);
    before.map_or(0, |meta| meta.len()).saturating_add(since)
}

/// Refuses a snapshot that would fill the disk.
fn make_sure_of_room(shared: &Shared) -> Result<(), StoreError> {
    let needed = snapshot_bytes(shared);
    let free = shared.room.look();
    if free > needed {
        return Ok(());
    }
    Err(StoreError::Failed(format!(
        "a snapshot needs about {needed} bytes, and {free} are free"
    )))
}

/// Removes snapshots older than the second newest, and segments that neither it nor a consumer needs.
fn drop_needless(shared: &Shared) -> Result<(), String> {
    let snapshots = snapshot::list(&shared.path).map_err(|e| e.to_string())?;
    let [_, second, older @ ..] = snapshots.as_slice() else {
        return Ok(());
    };
    for snapshot in older {
        std::fs::remove_file(&snapshot.path).map_err(|e| e.to_string())?;
    }
    let begins = snapshot::begins_at(&second.path)?;
    let pinned = shared.pinned.lock().unwrap_or(u64::MAX);
    let safe = begins.min(shared.checkpoint.lock().position).min(pinned);
    let consumers = shared.retained.lock().values().copied().min();
    for (segment, bytes_behind) in before(shared, safe) {
        let wanted = consumers.is_some_and(|position| position < segment.1);
        if wanted && bytes_behind <= shared.options.retain_bytes_max {
            break;
        }
        shared
            .catalog
            .remove(segment.0)
            .map_err(|e| e.to_string())?;
    }
    Ok(())
}

/// The segments that hold nothing behind `position`, oldest first: number and last commit, and the bytes of them and of
/// all that follow.
fn before(shared: &Shared, position: u64) -> Vec<((u64, u64), u64)> {
    let segments = shared.catalog.all();
    let folder = shared.catalog.folder();
    let bytes = |path: &Path| std::fs::metadata(path).map_or(0, |m| m.len());
    let mut left: u64 = segments.iter().map(|s| bytes(&s.path(folder))).sum();
    let mut needless = Vec::new();
    for pair in segments.windows(2) {
        let last = pair[1].first - 1;
        if last > position {
            break;
        }
        needless.push(((pair[0].number, last), left));
        left -= bytes(&pair[0].path(folder));
    }
    needless
}
