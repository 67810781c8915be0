//! The one clock of the store: time and ids that never run backwards, not even over a restart.
//!
//! It shows the machine's time, and follows it forward at once. Where that was set back, the clock goes on, a tenth
//! slower, until the two agree: what came later is later, and waits end in time. A machine's time that moves
//! by more than [`JUMP`] against the time that passed has jumped.
//!
//! One that goes forward by more than [`LEAP_MAX`] is followed, but not believed: nothing is removed by it until it is
//! taken back, or a new start says that it is right.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use uuid::{ContextV7, Timestamp, Uuid};

use crate::model::{MessageId, Millis, Place};

/// Less than this is a correction, as time servers make them.
const JUMP: Duration = Duration::from_secs(2);
/// The machine's time is not believed where it goes forward by more: an hour, as of a time zone taken for another, and
/// a little.
const LEAP_MAX: Duration = Duration::from_secs(3_900);
/// Of each stretch of this many, one is left out while the machine's time is behind.
const SLOWED_BY: u32 = 10;

/// A clock that never runs backwards.
pub(crate) struct Clock {
    began: Instant,
    state: Mutex<State>,
}

struct State {
    last: Duration,
    /// The machine's time and the time that passed, when they were last compared.
    wall: Duration,
    passed: Instant,
    /// The machine's time and the time that passed, when it was last the latest that is believed.
    believed: (Duration, Instant),
    /// The machine's time is further ahead of that than is believed.
    has_leapt: bool,
    /// Jumps that nobody has taken note of.
    jumps: Vec<Jump>,
    context: ContextV7,
}

/// The machine's time was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Jump {
    /// What the clock showed before.
    pub from_ms: Millis,
    /// What it shows after.
    pub to_ms: Millis,
    /// By how much the machine's time was set; negative where it was set back.
    pub by_ms: i64,
}

/// Jumps remembered until somebody asks.
const JUMPS_MAX: usize = 16;

impl Clock {
    /// A clock that shows at least `floor_ms`.
    pub(crate) fn starting_at(floor_ms: Millis) -> Self {
        let (wall, began) = (wall(), Instant::now());
        Self {
            began,
            state: Mutex::new(State {
                last: Duration::from_millis(u64::try_from(floor_ms).unwrap_or(0)),
                wall,
                passed: began,
                believed: (wall, began),
                has_leapt: false,
                jumps: Vec::new(),
                context: ContextV7::new().with_additional_precision(),
            }),
        }
    }

    /// Makes the clock show at least `floor_ms` from here on.
    pub(crate) fn raise_to(&self, floor_ms: Millis) {
        let floor = Duration::from_millis(u64::try_from(floor_ms).unwrap_or(0));
        let mut state = self.state.lock();
        state.last = state.last.max(floor);
    }

    /// The time now.
    pub(crate) fn now(&self) -> Millis {
        millis(self.state.lock().advance())
    }

    /// The time since the Unix epoch, for ids that hold a place of their own.
    pub(crate) fn time(&self) -> Duration {
        self.state.lock().advance()
    }

    /// An id that no message has: greater than those of all messages before it, smaller than those of
    /// all after it.
    pub(crate) fn boundary(&self) -> MessageId {
        let mut state = self.state.lock();
        state.last = state.advance() + Duration::from_micros(1);
        let nowhere = Place { thread: 0, seq: 0 };
        MessageId::at(nowhere, state.last)
    }

    /// A new id, greater than every one before it.
    pub(crate) fn id(&self) -> Uuid {
        let mut state = self.state.lock();
        let now = state.advance();
        Uuid::new_v7(Timestamp::from_unix(
            &state.context,
            now.as_secs(),
            now.subsec_nanos(),
        ))
    }

    /// The time since this clock was made: for what is measured within one run.
    pub(crate) fn passed(&self) -> Millis {
        millis(self.began.elapsed())
    }

    /// True where the machine's time has jumped and nobody has taken note of it.
    pub(crate) fn has_jumped(&self) -> bool {
        let mut state = self.state.lock();
        state.advance();
        !state.jumps.is_empty()
    }

    /// The machine's time, by which old records may be removed; none while it is not believed. It may be behind the
    /// clock.
    pub(crate) fn believed(&self) -> Option<Millis> {
        let mut state = self.state.lock();
        state.advance();
        (!state.has_leapt).then(|| millis(state.wall))
    }

    /// The jumps that nobody has taken note of; they stay until [`Clock::settled`].
    pub(crate) fn jumps(&self) -> Vec<Jump> {
        self.state.lock().jumps.clone()
    }

    /// So many jumps, the oldest, were taken note of.
    pub(crate) fn settled(&self, count: usize) {
        let jumps = &mut self.state.lock().jumps;
        jumps.drain(..count.min(jumps.len()));
    }
}

/// What the machine says that it is.
pub(crate) fn wall() -> Duration {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default()
}

/// A time since the Unix epoch in milliseconds.
pub(crate) fn millis(time: Duration) -> Millis {
    Millis::try_from(time.as_millis()).unwrap_or(Millis::MAX)
}

impl State {
    fn advance(&mut self) -> Duration {
        self.advance_to(wall(), Instant::now())
    }

    fn advance_to(&mut self, wall: Duration, passed: Instant) -> Duration {
        let elapsed = passed.saturating_duration_since(self.passed);
        let expected = self.wall + elapsed;
        let before = self.last;
        let slowed = self.last + elapsed.saturating_sub(elapsed / SLOWED_BY);
        self.last = if wall >= self.last { wall } else { slowed };
        if wall.abs_diff(expected) > JUMP && self.jumps.len() < JUMPS_MAX {
            self.jumps.push(Jump {
                from_ms: millis(before),
                to_ms: millis(self.last),
                by_ms: millis(wall) - millis(expected),
            });
        }
        let (believed, at) = self.believed;
        let due = believed + passed.saturating_duration_since(at);
        self.has_leapt = wall > due + LEAP_MAX;
        if wall >= due && !self.has_leapt {
            self.believed = (wall, passed);
        }
        (self.wall, self.passed) = (wall, passed);
        self.last
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn ids_and_time_only_grow_also_when_the_clock_was_ahead() {
        let ahead = Clock::starting_at(Millis::from(u32::MAX) * 1000);
        assert!(ahead.now() >= Millis::from(u32::MAX) * 1000);
        let ids: Vec<Uuid> = (0..5000).map(|_| ahead.id()).collect();
        assert!(ids.is_sorted());
        let clock = Clock::starting_at(0);
        let ids: Vec<Uuid> = (0..5000).map(|_| clock.id()).collect();
        assert!(ids.is_sorted() && clock.now() > 1_700_000_000_000);
        assert!(!clock.has_jumped());
    }

    #[test]
    fn a_clock_set_back_goes_on_and_one_set_forward_is_followed() {
        let clock = Clock::starting_at(0);
        let mut state = clock.state.lock();
        let (start, began) = (state.wall, state.passed);
        let second = Duration::from_secs(1);
        assert_eq!(
            state.advance_to(start + second, began + second),
            start + second
        );
        assert!(state.jumps.is_empty());
        let back = state.advance_to(
            (start + 2 * second).saturating_sub(HOUR),
            began + 2 * second,
        );
        assert_eq!(back, start + second + second * 9 / 10);
        let later = state.advance_to(
            (start + 12 * second).saturating_sub(HOUR),
            began + 12 * second,
        );
        assert_eq!(later, back + 9 * second);
        let forward = state.advance_to(start + 13 * second + HOUR, began + 13 * second);
        assert_eq!(forward, start + 13 * second + HOUR);
        let by: Vec<i64> = state.jumps.iter().map(|jump| jump.by_ms).collect();
        assert_eq!(by, [-3_600_000, 7_200_000]);
        assert_eq!(state.jumps[1].to_ms, millis(forward));
    }

    #[test]
    fn a_leap_forward_is_not_believed_until_it_is_taken_back() {
        let clock = Clock::starting_at(0);
        let mut state = clock.state.lock();
        let (start, began) = (state.wall, state.passed);
        let second = Duration::from_secs(1);
        let year = HOUR * 24 * 365;
        state.advance_to(start + second + HOUR, began + second);
        assert!(!state.has_leapt, "an hour is believed");
        state.advance_to(start + 2 * second, began + 2 * second);
        state.advance_to(start + 3 * second + year, began + 3 * second);
        assert!(state.has_leapt);
        state.advance_to(start + 60 * second + year, began + 60 * second);
        assert!(state.has_leapt, "it stays so");
        let shown = state.advance_to(start + 61 * second, began + 61 * second);
        assert!(!state.has_leapt && shown > start + year);
        assert_eq!(state.wall, start + 61 * second);
        state.advance_to(start.saturating_sub(year), began + 62 * second);
        state.advance_to(start + 63 * second, began + 63 * second);
        assert!(!state.has_leapt, "set back and right again");
    }

    proptest! {
        #[test]
        fn whatever_the_machine_says_the_clock_never_runs_backwards_and_never_stands(
            steps in prop::collection::vec((0u64..5_000, -4_000_000i64..4_000_000), 1..100),
        ) {
            let clock = Clock::starting_at(0);
            let mut state = clock.state.lock();
            let (mut wall, mut passed) = (state.wall, state.passed);
            for (step, jump) in steps {
                passed += Duration::from_millis(step);
                wall = Duration::from_millis(
                    u64::try_from((millis(wall) + jump).max(0)).unwrap_or(0) + step,
                );
                let before = state.last;
                let now = state.advance_to(wall, passed);
                prop_assert!(now >= before);
                prop_assert!(now.saturating_sub(before) >= Duration::from_millis(step) * 9 / 10 || now == wall);
            }
        }
    }
}
