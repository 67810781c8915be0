//! The two threads every commit passes: one makes a group durable, the other applies it.
//!
//! ```text
//! planners ─> queued layers ─> log thread: one frame, one write, one fdatasync
//!                        acknowledge who waits for that <─┤
//!                                   └─> index thread: merged writes into sled ─> acknowledge
//! ```
//!
//! While groups are applied the next ones are being made durable, and commits that come meanwhile
//! gather to the one after. The index thread gets a group only when it is durable, and takes all
//! that are there at once: what one of them writes and another writes over never gets to sled.

use std::{
    collections::BTreeMap,
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
    layer::{Layer, Merged},
    log::Log,
    overlay::{Ack, Until},
    shared::Shared,
};

/// Groups applied at once.
const GROUPS_TOGETHER: usize = 16;

/// A durable group on its way to the index.
pub(super) struct Group {
    layer: Arc<Layer>,
    acks: Vec<Ack>,
    hash: Hash,
}

/// Runs until the engine closes and nothing is queued any more.
pub(super) fn run_log(shared: &Shared, mut log: Log, index: &SyncSender<Group>) {
    let mut hash = log.hash();
    while let Some((layer, mut acks)) = next_group(shared) {
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
        for ack in acks.extract_if(.., |ack| ack.until == Until::Durable) {
            ack.tell(Ok(()));
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
    while let Ok(first) = groups.recv() {
        let mut together = vec![first];
        together.extend(groups.try_iter().take(GROUPS_TOGETHER - 1));
        let written = together
            .iter()
            .rev()
            .find(|group| group.layer.commits() > 0);
        let reached = written.map(|group| (group.layer.last(), group.hash));
        if let Some((last, hash)) = reached
            && let Err(words) = apply(shared, &together, last, hash)
            && let Err(worse) = mend(&words, last)
        {
            let words = format!("the index can't be written ({words}) nor rebuilt: {worse}");
            let acks = together.into_iter().flat_map(|group| group.acks);
            shared.break_down(acks.collect(), &words);
            return;
        }
        let arrived = {
            let mut plan = shared.plan.lock();
            let arrived = together.iter().map(|_| plan.overlay.arrived());
            arrived.collect::<Vec<_>>()
        };
        if let Some((last, _)) = reached {
            shared.position.send_replace(last);
        }
        for ack in together.into_iter().flat_map(|group| group.acks) {
            ack.tell(Ok(()));
        }
        drop(arrived);
    }
}

fn apply(shared: &Shared, groups: &[Group], last: u64, hash: Hash) -> Result<(), String> {
    let started = Instant::now();
    let mut applied = shared.apply.lock();
    let index = shared.index.load();
    let written = catch_unwind(AssertUnwindSafe(|| {
        let sweep = &mut applied.sweep;
        let seen = |seen: Seen<'_>| {
            note_surprise(&shared.meters.surprises, &seen);
            if let Some(sweep) = sweep {
                sweep.saw(&seen);
            }
        };
        match groups {
            [only] => index.write(only.layer.merged().filter(concerns_index), seen)?,
            several => index.write(merged(several).into_values().filter(concerns_index), seen)?,
        }
        let changed = count(shared, groups, last);
        index.reach(last, &hash, changed.into_iter())
    }));
    written.unwrap_or_else(|_| Err("sled panicked".to_owned()))?;
    applied.position = last;
    applied.hash = hash;
    let took = micros(started.elapsed());
    shared.meters.apply_us_last.store(took, Relaxed);
    shared.meters.apply_us_total.fetch_add(took, Relaxed);
    Ok(())
}

/// A key that comes and goes within what is applied at once is nothing to the index.
fn concerns_index(write: &Merged<'_>) -> bool {
    write.known || write.stored.is_some()
}

/// What the groups write together, the newest winning.
fn merged(groups: &[Group]) -> BTreeMap<&[u8], Merged<'_>> {
    let mut all: BTreeMap<&[u8], Merged<'_>> = BTreeMap::new();
    for write in groups.iter().flat_map(|group| group.layer.merged()) {
        all.entry(write.key)
            .and_modify(|known| known.stored = write.stored)
            .or_insert(write);
    }
    all
}

/// Brings the counts up to the end of the groups; gives those that changed.
fn count(shared: &Shared, groups: &[Group], last: u64) -> Vec<(Kind, Count)> {
    let mut deltas: BTreeMap<Kind, i64> = BTreeMap::new();
    for (kind, delta) in groups.iter().flat_map(|group| group.layer.counts()) {
        *deltas.entry(kind).or_default() += delta;
    }
    let mut counts = shared.counts.write();
    deltas
        .into_iter()
        .map(|(kind, delta)| {
            let count = counts.entry(kind).or_default();
            count.records = count.records.saturating_add_signed(delta);
            count.position = last;
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
        tracing::error!(
            event = "store_planner_surprised",
            key,
            "a planner called a key {said}, and it was {found}"
        );
    }
}
