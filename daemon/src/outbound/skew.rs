//! How far our clock is from the providers', by the `Date` of their answers.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use jiff::fmt::rfc2822;

use crate::model::Millis;

/// Between two looks: a clock drifts slowly.
const INTERVAL_MS: Millis = 60_000;

/// The last difference seen. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct ProviderClock(Arc<Seen>);

#[derive(Debug, Default)]
struct Seen {
    /// 0 before the first.
    at_ms: AtomicI64,
    ahead_ms: AtomicI64,
}

impl ProviderClock {
    /// Compares an answer's `Date` with our time, at most once a minute. A date that can't be read
    /// says nothing.
    pub(super) fn note(&self, date: Option<&str>, now_ms: Millis) {
        let last = self.0.at_ms.load(Ordering::Relaxed);
        if last != 0 && (now_ms - last).abs() < INTERVAL_MS {
            return;
        }
        let Some(theirs) = date.and_then(|date| rfc2822::parse(date).ok()) else {
            return;
        };
        let ahead = now_ms.saturating_sub(theirs.timestamp().as_millisecond());
        self.0.ahead_ms.store(ahead, Ordering::Relaxed);
        self.0.at_ms.store(now_ms, Ordering::Relaxed);
    }

    /// By how many milliseconds our clock is ahead, and when that was seen; a second or two of it
    /// is the rounding of the header and the way here.
    pub fn ahead_ms(&self) -> Option<(i64, Millis)> {
        let at_ms = self.0.at_ms.load(Ordering::Relaxed);
        (at_ms != 0).then(|| (self.0.ahead_ms.load(Ordering::Relaxed), at_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_compared_and_nonsense_is_not() {
        let clock = ProviderClock::default();
        let now_ms = 784_111_777_000 + 400_000;
        for nonsense in [None, Some(""), Some("yesterday"), Some("784111777")] {
            clock.note(nonsense, now_ms);
            assert_eq!(clock.ahead_ms(), None);
        }
        clock.note(Some("Sun, 06 Nov 1994 08:49:37 GMT"), now_ms);
        assert_eq!(clock.ahead_ms(), Some((400_000, now_ms)));
        clock.note(Some("Sun, 06 Nov 1994 08:49:37 GMT"), now_ms + 10);
        assert_eq!(clock.ahead_ms(), Some((400_000, now_ms)));
        clock.note(Some("Sun, 06 Nov 1994 08:57:17 GMT"), now_ms + INTERVAL_MS);
        assert_eq!(clock.ahead_ms(), Some((0, now_ms + INTERVAL_MS)));
    }
}
