//! When calls came and how many were under way: what a gateway's concurrency looks like from here.

use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Calls remembered at most; later ones are not noted.
const CALLS_MAX: usize = 4_000_000;

/// One call, when it had been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallMark {
    /// Time since the simulator's start.
    pub at: Duration,
    /// Calls under way then, this one included.
    pub under_way: u32,
}

/// The calls to one endpoint.
#[derive(Debug)]
pub(crate) struct Traffic {
    started: Instant,
    under_way: Arc<AtomicU32>,
    marks: Mutex<Vec<CallMark>>,
}

impl Default for Traffic {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            under_way: Arc::default(),
            marks: Mutex::default(),
        }
    }
}

impl Traffic {
    /// Notes a call; it is under way until the guard is dropped.
    pub(crate) fn enter(&self) -> UnderWay {
        let under_way = self.under_way.fetch_add(1, Ordering::Relaxed) + 1;
        let mut marks = self.marks.lock();
        if marks.len() < CALLS_MAX {
            let at = self.started.elapsed();
            marks.push(CallMark { at, under_way });
        }
        UnderWay(Arc::clone(&self.under_way))
    }

    /// All calls noted, in the order they came.
    pub(crate) fn marks(&self) -> Vec<CallMark> {
        self.marks.lock().clone()
    }

    /// How many were noted.
    pub(crate) fn count(&self) -> usize {
        self.marks.lock().len()
    }

    /// From the `first`-th to the `last`-th call, counted from 1; none where there are fewer.
    pub(crate) fn span(&self, first: usize, last: usize) -> Option<Duration> {
        let marks = self.marks.lock();
        let at = |place: usize| Some(marks.get(place.checked_sub(1)?)?.at);
        Some(at(last)?.saturating_sub(at(first)?))
    }

    /// Forgets the calls noted so far.
    pub(crate) fn clear(&self) {
        self.marks.lock().clear();
    }
}

/// A call under way.
#[derive(Debug)]
pub(crate) struct UnderWay(Arc<AtomicU32>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_while_they_are_under_way() {
        let traffic = Traffic::default();
        let first = traffic.enter();
        let second = traffic.enter();
        drop((first, second));
        let third = traffic.enter();
        let marks = traffic.marks();
        let under_way: Vec<u32> = marks.iter().map(|mark| mark.under_way).collect();
        assert_eq!(under_way, [1, 2, 1]);
        assert_eq!(traffic.span(1, 3), marks[2].at.checked_sub(marks[0].at));
        assert_eq!((traffic.span(0, 1), traffic.span(1, 4)), (None, None));
        traffic.clear();
        assert_eq!(traffic.count(), 0);
        drop(third);
    }
}
