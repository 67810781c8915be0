//! What one connection is doing, and until when it may. A plain state: no clock, no I/O.

use std::{cell::Cell, time::Instant};

use crate::config::Limits;

/// One connection, shared by its stream and its requests; all of them live on one thread.
#[derive(Debug)]
pub(super) struct Line {
    phase: Cell<Phase>,
    under_way: Cell<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// A request's head is awaited since then, and begun or not.
    Head { since: Instant, begun: bool },
    /// A request is being answered.
    Busy,
    /// The last answer ended then.
    Idle { since: Instant },
}

/// Whose time it is that runs out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// That of a head; some of it came, or nothing.
    Head { begun: bool },
    /// That between two requests.
    KeepAlive,
}

impl Line {
    /// A connection that was made now: its first head is awaited.
    pub(super) fn new(now: Instant) -> Self {
        let begun = false;
        Self {
            phase: Cell::new(Phase::Head { since: now, begun }),
            under_way: Cell::new(0),
        }
    }

    /// Bytes came.
    pub(super) fn heard(&self, now: Instant) {
        let begun = true;
        match self.phase.get() {
            Phase::Idle { .. } => self.phase.set(Phase::Head { since: now, begun }),
            Phase::Head { since, .. } => self.phase.set(Phase::Head { since, begun }),
            Phase::Busy => {}
        }
    }

    /// A request's head is complete.
    pub(super) fn begin(&self) {
        self.under_way.set(self.under_way.get() + 1);
        self.phase.set(Phase::Busy);
    }

    /// A request's answer is complete, or given up.
    pub(super) fn end(&self, now: Instant) {
        let left = self.under_way.get().saturating_sub(1);
        self.under_way.set(left);
        if left == 0 {
            self.phase.set(Phase::Idle { since: now });
        }
    }

    /// What is waited for, and until when; none while a request is under way.
    pub(super) fn deadline(&self, limits: &Limits) -> Option<(Instant, Wait)> {
        match self.phase.get() {
            Phase::Head { since, begun } => {
                Some((since + limits.head_timeout, Wait::Head { begun }))
            }
            Phase::Idle { since } => Some((since + limits.keep_alive, Wait::KeepAlive)),
            Phase::Busy => None,
        }
    }

    /// Whether it can be closed without cutting anything off.
    pub(super) fn is_quiet(&self) -> bool {
        match self.phase.get() {
            Phase::Idle { .. } => true,
            Phase::Head { begun, .. } => !begun,
            Phase::Busy => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn limits() -> Limits {
        Limits {
            head_timeout: 10 * S,
            keep_alive: 15 * S,
            ..Limits::default()
        }
    }

    #[test]
    fn a_head_has_its_time_from_the_connection_and_then_from_its_first_byte() {
        let start = Instant::now();
        let line = Line::new(start);
        assert!(line.is_quiet());
        let silent = Wait::Head { begun: false };
        assert_eq!(line.deadline(&limits()), Some((start + 10 * S, silent)));
        // Trickling wins no time.
        for second in 1..9 {
            line.heard(start + second * S);
        }
        let begun = Wait::Head { begun: true };
        assert_eq!(line.deadline(&limits()), Some((start + 10 * S, begun)));
        assert!(!line.is_quiet());
        line.begin();
        line.heard(start + 9 * S);
        assert_eq!(line.deadline(&limits()), None);
        line.end(start + 20 * S);
        let idle = Some((start + 35 * S, Wait::KeepAlive));
        assert_eq!(line.deadline(&limits()), idle);
        line.heard(start + 30 * S);
        assert_eq!(line.deadline(&limits()), Some((start + 40 * S, begun)));
    }

    #[test]
    fn it_is_idle_only_when_the_last_request_has_ended() {
        let start = Instant::now();
        let line = Line::new(start);
        line.begin();
        line.begin();
        line.end(start);
        assert!(!line.is_quiet());
        assert_eq!(line.deadline(&limits()), None);
        line.end(start);
        assert!(line.is_quiet());
    }
}
