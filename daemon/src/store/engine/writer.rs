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
/// Between two tries while the index can't be written.
const STANDING_PAUSE: Duration = Duration::from_millis(250);
/// Longest time between two tries to build it anew.
const MEND_PAUSE_MAX: Duration = Duration::from_secs(10);

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
        if let Some(words) = shared.room.standing() {
            shared.fail_group(acks, &words);
            continue;
        }
        if shared.compact.take_rotation() {
            log.rotate();
        }
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
        if let Err(words) = apply(shared, &together)
            && !stand_still(shared, groups, &mut together, words, &mend)
        {
            // The next start goes on from the log.
            return;
        }
        let reached = reach_of(&together);
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

/// The newest commit of some groups and the hash of its frame; none where there is none.
fn reach_of(groups: &[Group]) -> Option<(u64, Hash)> {
    let written = groups.iter().rev().find(|g| g.layer.commits() > 0)?;
    Some((written.layer.last(), written.hash))
}

/// The index can't be written. Nothing is lost by it: the groups are in the log. Commits are refused until it can
/// be, or until it is built anew; whoever waits for a group that is durable is told so. False where the engine closes first.
fn stand_still(
    shared: &Shared,
    groups: &Receiver<Group>,
    together: &mut Vec<Group>,
    mut why: String,
    mend: &impl Fn(&str, u64) -> Result<(), String>,
) -> bool {
    let mut pause = STANDING_PAUSE;
    let mut mend_at = Instant::now();
    let mut worse = String::new();
    loop {
        match (shared.room.check_index(), reach_of(together)) {
            (Err(words), _) => worse = words,
            (Ok(()), Some((last, _))) if Instant::now() >= mend_at => match mend(&why, last) {
                Ok(()) => break,
                Err(words) => {
                    worse = words;
                    pause = (pause * 2).min(MEND_PAUSE_MAX);
                    mend_at = Instant::now() + pause;
                }
            },
            (Ok(()), _) => {}
        }
        let words = format!("the index can't be written ({why}) nor built anew: {worse}");
        if let Some(kept_back) = shared.meters.standing_said.due() {
            tracing::error!(
                event = "store_index_standing",
                kept_back,
                "commits are refused: {words}"
            );
        }
        shared.room.stand(&words);
        for ack in together.iter_mut().flat_map(|group| group.acks.drain(..)) {
            ack.tell(Ok(()));
        }
        if shared.stopping.load(Relaxed) {
            // Those behind are in the log, too.
            while let Ok(group) = groups.recv() {
                group.acks.into_iter().for_each(|ack| ack.tell(Ok(())));
            }
            return false;
        }
        std::thread::sleep(STANDING_PAUSE);
        together.extend(groups.try_iter());
        // The room may be back, or another thread have built the index anew.
        if shared.room.check_index().is_ok() {
            match apply(shared, together) {
                Ok(()) => break,
                Err(words) => why = words,
            }
        }
    }
    shared.room.go_on();
    tracing::warn!(
        event = "store_index_going",
        "the index can be written again: commits are taken"
    );
    true
}

fn apply(shared: &Shared, groups: &[Group]) -> Result<(), String> {
    let Some((last, hash)) = reach_of(groups) else {
        return Ok(());
    };
    shared.room.check_index()?;
    shared.options.faults().before_index()?;
    let started = Instant::now();
    let mut applied = shared.apply.lock();
    let index = shared.index.load();
    let written = catch_unwind(AssertUnwindSafe(|| {
        let sweeps = &mut applied.sweeps;
        let seen = |seen: Seen<'_>| {
            note_surprise(&shared.meters.surprises, &seen);
            sweeps.saw(&seen);
        };
        match groups {
            [only] => index.write(only.layer.merged().filter(concerns_index), seen)?,
            several => index.write(merged(several).into_values().filter(concerns_index), seen)?,
        }
        let changed = count(shared, groups, last);
        index.reach(last, &hash, changed.iter().copied())?;
        Ok(changed)
    }));
    let changed = written.unwrap_or_else(|_| Err("sled panicked".to_owned()))?;
    shared.counts.write().extend(changed);
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

/// The counts that the groups change, as they are at their end.
fn count(shared: &Shared, groups: &[Group], last: u64) -> Vec<(Kind, Count)> {
    let mut deltas: BTreeMap<Kind, i64> = BTreeMap::new();
    for (kind, delta) in groups.iter().flat_map(|group| group.layer.counts()) {
        *deltas.entry(kind).or_default() += delta;
    }
    let counts = shared.counts.read();
    deltas
        .into_iter()
        .map(|(kind, delta)| {
            let mut count = counts.get(&kind).copied().unwrap_or_default();
            count.records = count.records.saturating_add_signed(delta);
            count.position = last;
            (kind, count)
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
