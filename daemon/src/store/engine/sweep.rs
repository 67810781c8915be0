//! A sweep: one scan over the whole index while commits go on, that ends with an exact tally.
//!
//! The scan goes in slices, each under the apply lock. The index thread reports every write of a key that
//! the scan has passed already, so the tally at the end is that of the moment of its end, though the scan was
//! at no single moment. Verification compares the tally with the counts; a snapshot writes what passes by.

use std::{
    collections::HashMap,
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

use sled::IVec;

use super::{
    index::{Count, Kind, Reached, Seen},
    record::{KEY_BYTES_MIN, kind_of},
    shared::Shared,
};

/// How far a scan is, and what it has counted.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    /// The last key passed; empty at the start.
    pub(super) at: Vec<u8>,
    pub(super) tally: HashMap<Kind, i64>,
}

impl Sweep {
    /// The scan passed a key.
    pub(super) fn pass(&mut self, key: &[u8]) {
        *self.tally.entry(kind_of(key)).or_default() += 1;
        self.at.clear();
        self.at.extend_from_slice(key);
    }

    /// A group wrote a key.
    pub(super) fn saw(&mut self, seen: &Seen<'_>) {
        if seen.key <= self.at.as_slice() && seen.was_there != seen.is_there {
            let delta = if seen.is_there { 1 } else { -1 };
            *self.tally.entry(kind_of(seen.key)).or_default() += delta;
        }
    }
}

/// Who has a scan made. Each has one at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// Verification and snapshots.
    Care,
    /// An export.
    Export,
}

/// The scans under way.
#[derive(Debug, Default)]
pub(super) struct Sweeps([Option<Sweep>; 2]);

impl Sweeps {
    /// A group wrote a key.
    pub(super) fn saw(&mut self, seen: &Seen<'_>) {
        for sweep in self.0.iter_mut().flatten() {
            sweep.saw(seen);
        }
    }

    fn of(&mut self, who: Who) -> &mut Option<Sweep> {
        &mut self.0[who as usize]
    }
}

/// Records passed in one slice, while no group can be applied.
const SLICE_RECORDS: usize = 128;
/// What a scan in the background leaves to others between two slices.
const PAUSE: Duration = Duration::from_micros(500);

/// How a sweep ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// All values and counts are right, at this place.
    Sound(Reached),
    /// What is wrong.
    Unsound(String),
    /// The time was up; it can go on where it is.
    Unfinished,
    /// The index was replaced, or the engine closes.
    Abandoned,
}

/// Begins a sweep; gives the place of its beginning.
pub(super) fn begin(shared: &Shared, who: Who) -> Reached {
    let mut applied = shared.apply.lock();
    *applied.sweeps.of(who) = Some(Sweep::default());
    Reached {
        position: applied.position,
        hash: applied.hash,
        counts: HashMap::new(),
    }
}

/// Gives a sweep up, where it has not ended.
pub(super) fn end(shared: &Shared, who: Who) {
    *shared.apply.lock().sweeps.of(who) = None;
}

/// Goes on with the sweep that was begun, until its end or `deadline`. `sink` gets all records that pass, outside of the
/// lock; its error ends the sweep and is given back.
pub(super) fn run<E>(
    shared: &Shared,
    who: Who,
    deadline: Option<Instant>,
    mut sink: impl FnMut(&[(IVec, IVec)]) -> Result<(), E>,
) -> Result<Verdict, E> {
    loop {
        let began = Instant::now();
        let (records, verdict) = step(shared, who);
        let held = began.elapsed();
        if !records.is_empty() {
            sink(&records)?;
        }
        if let Some(verdict) = verdict {
            return Ok(verdict);
        }
        match deadline {
            Some(deadline) if Instant::now() >= deadline => return Ok(Verdict::Unfinished),
            Some(_) => {}
            // On a busy machine slices take long: commits have at least half of the time to themselves.
            None => std::thread::sleep(PAUSE.max(held)),
        }
    }
}

/// Passes one slice; a verdict where that was the last.
fn step(shared: &Shared, who: Who) -> (Vec<(IVec, IVec)>, Option<Verdict>) {
    let mut applied = shared.apply.lock();
    let index = shared.index.load();
    let abandoned = shared.stopping.load(Relaxed);
    let slot = applied.sweeps.of(who);
    let Some(sweep) = slot.as_mut().filter(|_| !abandoned) else {
        *slot = None;
        return (Vec::new(), Some(Verdict::Abandoned));
    };
    let records = match index.slice(&sweep.at, SLICE_RECORDS) {
        Ok(records) => records,
        Err(e) => {
            *slot = None;
            return (Vec::new(), Some(Verdict::Unsound(e.to_string())));
        }
    };
    if let Some((key, _)) = records.iter().find(|(key, _)| key.len() < KEY_BYTES_MIN) {
        let what = format!("a key has {} bytes", key.len());
        return (Vec::new(), Some(Verdict::Unsound(what)));
    }
    for (key, _) in &records {
        sweep.pass(key);
    }
    if records.len() == SLICE_RECORDS {
        return (records, None);
    }
    let tally = slot.take().unwrap_or_default().tally;
    let counts = shared.counts.read().clone();
    let verdict = match difference(&counts, &tally) {
        Some(what) => Verdict::Unsound(what),
        None => Verdict::Sound(Reached {
            position: applied.position,
            hash: applied.hash,
            counts,
        }),
    };
    (records, Some(verdict))
}

/// The first count that is not as it should be, in words.
fn difference(counts: &HashMap<Kind, Count>, tally: &HashMap<Kind, i64>) -> Option<String> {
    let kinds = counts.keys().chain(tally.keys());
    let mut kinds: Vec<_> = kinds.collect();
    kinds.sort_unstable();
    kinds.into_iter().find_map(|kind| {
        let counted = counts.get(kind).map_or(0, |c| c.records);
        let found = tally.get(kind).copied().unwrap_or(0);
        (i64::try_from(counted) != Ok(found)).then(|| {
            let (organization, kind) = kind;
            format!("organization {organization} should have {counted} records of kind {kind}, found {found}")
        })
    })
}
