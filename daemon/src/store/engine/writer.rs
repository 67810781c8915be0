//! The two threads every commit passes: one makes a group durable, the other applies it.
//!
//! ```text
//! planners ─> queued layers ─> log thread: one frame, one write, one fdatasync
//!                                   └─> index thread: merged writes into sled ─> acknowledge
//! ```
//!
//! While a group is applied the next one is being made durable, and those that come meanwhile
//! gather to the one after. The index thread gets a group only when it is durable.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, SyncSender},
    },
    time::{Duration, Instant},
};

use super::{
    frame::Hash,
    index::{Count, Kind, Seen},
    layer::Layer,
    log::Log,
    overlay::Ack,
    shared::{Applied, Shared},
};

/// A durable group on its way to the index.
pub(super) struct Group {
    layer: Arc<Layer>,
    acks: Vec<Ack>,
    hash: Hash,
}

/// Runs until the engine closes and nothing is queued any more.
pub(super) fn run_log(shared: &Shared, mut log: Log, index: &SyncSender<Group>) {
    let mut hash = log.hash();
    while let Some((layer, acks)) = next_group(shared) {
        if layer.commits() > 0 {
            match log.append(&layer) {
                Ok(appended) => {
                    hash = appended.hash;
                    shared.meters.durable.store(layer.last(), Relaxed);
                    note_append(shared, &layer, appended.bytes, appended.sync);
                }
                Err(words) => {
                    shared.fail_group(acks, &words);
                    continue;
                }
            }
        }
        if let Err(unsent) = index.send(Group { layer, acks, hash }) {
            shared.break_down(unsent.0.acks, "the index thread has ended");
        }
    }
    log.trim();
}

fn next_group(shared: &Shared) -> Option<(Arc<Layer>, Vec<Ack>)> {
    let mut plan = shared.plan.lock();
    while !plan.overlay.has_queued() {
        if plan.closing {
            return None;
        }
        plan.log_idle = true;
        shared.work.wait(&mut plan);
        plan.log_idle = false;
    }
    plan.overlay.take()
}

fn note_append(shared: &Shared, layer: &Layer, bytes: u64, sync: Duration) {
    let meters = &shared.meters;
    let commits = layer.commits() as u64;
    meters.groups.fetch_add(1, Relaxed);
    meters.log_bytes.fetch_add(bytes, Relaxed);
    meters.since_snapshot.fetch_add(bytes, Relaxed);
    meters.group_commits_last.store(commits, Relaxed);
    meters.group_commits_max.fetch_max(commits, Relaxed);
    meters.sync_us_last.store(micros(sync), Relaxed);
    meters.sync_us_total.fetch_add(micros(sync), Relaxed);
    meters.sync_us_max.fetch_max(micros(sync), Relaxed);
    if let Some(mut failed) = meters.failed.try_lock() {
        *failed = None;
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Runs until the log thread is gone. `mend` builds the index anew when it can't be written.
pub(super) fn run_index(
    shared: &Shared,
    groups: &Receiver<Group>,
    mend: impl Fn(&str, u64) -> Result<(), String>,
) {
    for group in groups {
        if group.layer.commits() > 0
            && let Err(words) = apply(shared, &group)
            && let Err(worse) = mend(&words, group.layer.last())
        {
            let words = format!("the index can't be written ({words}) nor rebuilt: {worse}");
            shared.break_down(group.acks, &words);
            return;
        }
        let arrived = shared.plan.lock().overlay.arrived();
        if group.layer.commits() > 0 {
            shared.position.send_replace(group.layer.last());
        }
        for ack in group.acks {
            // Whoever gave up waiting needs no answer.
            let _ = ack.send(Ok(()));
        }
        drop(arrived);
    }
}

fn apply(shared: &Shared, group: &Group) -> Result<(), String> {
    let started = Instant::now();
    let mut applied = shared.apply.lock();
    let index = shared.index.load();
    let layer = &group.layer;
    let written = catch_unwind(AssertUnwindSafe(|| {
        let sweep = &mut applied.sweep;
        index.write(layer.merged(), |seen| {
            note_surprise(&shared.meters.surprises, &seen);
            if let Some(sweep) = sweep {
                sweep.saw(&seen);
            }
        })?;
        let changed = count(shared, layer);
        index.reach(layer.last(), &group.hash, changed.into_iter())
    }));
    written.unwrap_or_else(|_| Err("sled panicked".to_owned()))?;
    reach(&mut applied, layer, group.hash);
    let took = micros(started.elapsed());
    shared.meters.apply_us_last.store(took, Relaxed);
    shared.meters.apply_us_total.fetch_add(took, Relaxed);
    Ok(())
}

fn reach(applied: &mut Applied, layer: &Layer, hash: Hash) {
    applied.position = layer.last();
    applied.hash = hash;
}

/// Brings the counts up to the end of the layer; gives those that changed.
fn count(shared: &Shared, layer: &Layer) -> Vec<(Kind, Count)> {
    let mut counts = shared.counts.write();
    layer
        .counts()
        .map(|(kind, delta)| {
            let count = counts.entry(kind).or_default();
            count.records = count.records.saturating_add_signed(delta);
            count.position = layer.last();
            (kind, *count)
        })
        .collect()
}

fn note_surprise(surprises: &AtomicU64, seen: &Seen<'_>) {
    if seen.was_there == seen.known {
        return;
    }
    if surprises.fetch_add(1, Relaxed) == 0 {
        let key = data_encoding::HEXLOWER.encode(seen.key);
        let (said, found) = if seen.known {
            ("there", "missing")
        } else {
            ("new", "there")
        };
        tracing::error!(key, "a planner called a key {said}, and it was {found}");
    }
}
