//! The one clock of the store: time and ids that never run backwards, not even over a restart.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use uuid::{ContextV7, Timestamp, Uuid};

use crate::model::{MessageId, Millis, Place};

/// A clock that stands still rather than run backwards.
pub(crate) struct Clock {
    state: Mutex<State>,
}

struct State {
    last: Duration,
    context: ContextV7,
}

impl Clock {
    /// A clock that shows at least `floor_ms`.
    pub(crate) fn starting_at(floor_ms: Millis) -> Self {
        Self {
            state: Mutex::new(State {
                last: Duration::from_millis(u64::try_from(floor_ms).unwrap_or(0)),
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
        let now = self.state.lock().advance();
        Millis::try_from(now.as_millis()).unwrap_or(Millis::MAX)
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
}

impl State {
    fn advance(&mut self) -> Duration {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        self.last = self.last.max(now);
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_time_only_grow_also_when_the_clock_was_ahead() {
        let ahead = Clock::starting_at(Millis::from(u32::MAX) * 1000);
        assert_eq!(ahead.now(), Millis::from(u32::MAX) * 1000);
        let ids: Vec<Uuid> = (0..5000).map(|_| ahead.id()).collect();
        assert!(ids.is_sorted());
        let clock = Clock::starting_at(0);
        let ids: Vec<Uuid> = (0..5000).map(|_| clock.id()).collect();
        assert!(ids.is_sorted() && clock.now() > 1_700_000_000_000);
    }
}
