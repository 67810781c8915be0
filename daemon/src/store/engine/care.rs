//! Care in the background: verifies the index, takes snapshots, drops what is no longer needed, mends damage.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::Ordering::Relaxed,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant, SystemTime},
};

use tokio::sync::oneshot;

use super::{
    checkpoint,
    error::StoreError,
    kept,
    options::SnapshotInfo,
    read::LogReader,
    rebuild,
    shared::Shared,
    snapshot::{self, SnapshotWriter},
    sweep::{self, Verdict},
};

/// How often it is looked whether a snapshot is due.
const TICK: Duration = Duration::from_secs(1);
/// Damage seen again so soon after the index was built anew is not mended again.
const MEND_PAUSE: Duration = Duration::from_secs(600);

/// What the care thread is asked to do.
#[derive(Debug)]
pub(super) enum Order {
    /// Take a snapshot now.
    Snapshot(oneshot::Sender<Result<SnapshotInfo, StoreError>>),
    /// The sweep that opening began is to be finished.
    Verify,
    /// The index showed damage.
    Mend(String),
    /// The engine closes.
    Stop,
}

/// Runs until the engine closes.
pub(super) fn run(shared: &Shared, orders: &Receiver<Order>) {
    let mut mended: Option<Instant> = None;
    let mut tried = Instant::now();
    loop {
        match orders.recv_timeout(TICK) {
            Ok(Order::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            Ok(Order::Snapshot(reply)) => {
                // Whoever gave up waiting needs no answer.
                let _ = reply.send(take_snapshot(shared));
            }
            Ok(Order::Verify) => verify(shared),
            Ok(Order::Mend(why)) => {
                if mended.is_none_or(|at| at.elapsed() > MEND_PAUSE) {
                    mend(shared, &why);
                    mended = Some(Instant::now());
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
    match sweep::run(shared, None, |_| Ok::<_, std::convert::Infallible>(())) {
        Ok(Verdict::Sound(reached)) => {
            tracing::info!(position = reached.position, "the index was verified");
        }
        Ok(Verdict::Unsound(why)) => mend(shared, &why),
        Ok(Verdict::Unfinished | Verdict::Abandoned) => {}
    }
}

fn mend(shared: &Shared, why: &str) {
    tracing::error!(why, "the index is damaged");
    if let Err(error) = rebuild::replace(shared, why, None) {
        tracing::error!("the index can't be built anew: {error}");
    }
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
        tracing::error!("cannot take a snapshot: {error}");
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
    shared.meters.since_snapshot.store(0, Relaxed);
    let begin = sweep::begin(shared);
    let mut writer = SnapshotWriter::begin(
        &shared.path,
        shared.catalog.format(),
        begin.position,
        &begin.hash,
    )
    .map_err(failed)?;
    let swept = sweep::run(shared, None, |records| {
        writer.records(
            records
                .iter()
                .map(|(key, stored)| (key.as_ref(), stored.as_ref())),
        )
    });
    let reached = match swept.map_err(failed)? {
        Verdict::Sound(reached) => reached,
        Verdict::Unsound(why) => {
            shared.order(Order::Mend(why.clone()));
            return Err(StoreError::Failed(format!(
                "no snapshot was taken, as the index is damaged: {why}"
            )));
        }
        Verdict::Unfinished | Verdict::Abandoned => return Err(StoreError::Closed),
    };
    let mut reader = LogReader::new(Arc::clone(&shared.catalog), begin.position + 1);
    while reader.next_position() <= reached.position {
        let frame = reader.read().map_err(|stop| {
            StoreError::Failed(format!(
                "cannot read {}: {}",
                stop.file.display(),
                stop.words()
            ))
        })?;
        writer.frame(&frame).map_err(failed)?;
    }
    let info = writer.finish(&reached).map_err(failed)?;
    tracing::info!(path = %info.path.display(), position = info.position, "took a snapshot");
    // The log behind the last checkpoint is never needless.
    let dropped = checkpoint::make(shared, false).and_then(|()| drop_needless(shared));
    if let Err(error) = dropped {
        tracing::warn!("cannot remove what is no longer needed: {error}");
    }
    kept::sweep(&shared.path);
    Ok(info)
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
    let safe = begins.min(shared.checkpoint.lock().position);
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
