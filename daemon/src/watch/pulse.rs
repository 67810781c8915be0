//! Whether the daemon as a whole makes progress: what the service manager's watchdog is told.
//!
//! ```text
//! threads that must not stand still ─ keep ─┐
//! store: something queued, nothing moves? ──┴─> Vigil (plain state) ─ nobody is stuck? ─> a beat
//! ```
//!
//! A channel's own thread is not among them: what hangs there costs that channel alone, and its guardian
//! starts it again. What must be alive is the thread of the guardians.

use std::{
    collections::BTreeMap,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use crate::store::Steps;

/// Beats looked for in one interval of the watchdog.
const LOOKS: u32 = 4;

/// A part of the daemon without which the rest is worth nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The thread that watches over the channels' threads.
    Guardians,
    /// The thread that outboxes and their calls run on.
    Outboxes,
    /// A thread of the public listener.
    Worker(u32),
    /// The store's writer.
    Store,
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Guardians => formatter.write_str("guardians"),
            Self::Outboxes => formatter.write_str("outboxes"),
            Self::Worker(number) => write!(formatter, "public listener {number}"),
            Self::Store => formatter.write_str("store writer"),
        }
    }
}

/// Who gave the last sign of life when. No clock, no I/O.
#[derive(Debug)]
struct Vigil {
    /// A part without a sign for so long is stuck.
    limit: Duration,
    signs: BTreeMap<Part, Instant>,
    store: Option<Steps>,
}

impl Vigil {
    fn new(limit: Duration) -> Self {
        Self {
            limit,
            signs: BTreeMap::new(),
            store: None,
        }
    }

    /// A part is alive.
    fn sign(&mut self, part: Part, now: Instant) {
        self.signs.insert(part, now);
    }

    /// A part has ended in order, or was replaced.
    fn forget(&mut self, part: Part) {
        self.signs.remove(&part);
    }

    /// The store's writer is alive where it has nothing to do, or has done some of it.
    fn store(&mut self, seen: Steps, now: Instant) {
        let before = self.store.replace(seen);
        let has_moved = before.is_none_or(|before| before.steps != seen.steps);
        if seen.queued == 0 || has_moved {
            self.sign(Part::Store, now);
        }
    }

    /// Who is stuck.
    fn stuck(&self, now: Instant) -> Vec<Part> {
        let late = |at: Instant| now.saturating_duration_since(at) > self.limit;
        let stuck = self.signs.iter().filter(|(_, at)| late(**at));
        stuck.map(|(part, _)| *part).collect()
    }
}

/// Collects signs of life from all threads. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Pulse {
    vigil: Arc<Mutex<Vigil>>,
    every: Duration,
}

impl Pulse {
    /// For a watchdog that wants a beat in each `interval`.
    pub fn new(interval: Duration) -> Self {
        Self {
            // The last beat was sent when all was well: so much later it is due again.
            vigil: Arc::new(Mutex::new(Vigil::new(interval / 2))),
            every: interval / LOOKS,
        }
    }

    /// Time between two signs of life.
    pub fn every(&self) -> Duration {
        self.every
    }

    /// Gives signs of life for the thread that it runs on until it is dropped.
    pub async fn keep(self, part: Part) {
        let ends = Ends { pulse: self, part };
        loop {
            ends.pulse.vigil.lock().sign(part, Instant::now());
            tokio::time::sleep(ends.pulse.every).await;
        }
    }

    /// Takes note of how far the store is; gives those that are stuck, none where all is well.
    pub fn look(&self, store: Steps) -> Vec<Part> {
        let now = Instant::now();
        let mut vigil = self.vigil.lock();
        vigil.store(store, now);
        vigil.stuck(now)
    }
}

struct Ends {
    pulse: Pulse,
    part: Part,
}

impl Drop for Ends {
    fn drop(&mut self) {
        self.pulse.vigil.lock().forget(self.part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn progress(queued: u64, steps: u64) -> Steps {
        Steps { queued, steps }
    }

    #[test]
    fn a_part_without_a_sign_is_stuck_until_it_gives_one() {
        let start = Instant::now();
        let mut vigil = Vigil::new(5 * S);
        vigil.sign(Part::Guardians, start);
        vigil.sign(Part::Worker(0), start);
        assert!(vigil.stuck(start + 5 * S).is_empty());
        vigil.sign(Part::Guardians, start + 4 * S);
        assert_eq!(vigil.stuck(start + 6 * S), [Part::Worker(0)]);
        vigil.sign(Part::Worker(0), start + 7 * S);
        assert!(vigil.stuck(start + 7 * S).is_empty());
        vigil.forget(Part::Guardians);
        vigil.forget(Part::Worker(0));
        assert!(vigil.stuck(start + 99 * S).is_empty(), "gone in order");
    }

    #[test]
    fn the_store_is_stuck_where_something_waits_and_nothing_moves() {
        let start = Instant::now();
        let at = |second: u32| start + second * S;
        let mut vigil = Vigil::new(5 * S);
        // Idle for as long as it likes.
        for second in 0..20 {
            vigil.store(progress(0, 7), at(second));
        }
        assert!(vigil.stuck(at(20)).is_empty());
        // Busy, and getting on, if only by failing.
        for second in 20..40 {
            vigil.store(progress(9, u64::from(second)), at(second));
        }
        assert!(vigil.stuck(at(40)).is_empty());
        for second in 40..50 {
            vigil.store(progress(9, 39), at(second));
        }
        assert_eq!(vigil.stuck(at(50)), [Part::Store]);
        vigil.store(progress(8, 40), at(51));
        assert!(vigil.stuck(at(51)).is_empty());
    }
}
