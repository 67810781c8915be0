//! When a channel that failed is started again, and when it is given up.

use std::time::{Duration, Instant};

use trunkline_host::CallError;

/// First wait before a restart.
const DELAY_BASE: Duration = Duration::from_millis(100);
/// Longest wait before a restart.
const DELAY_MAX: Duration = Duration::from_secs(60);
/// Longest wait where the machine can't start a process.
const SHORTAGE_DELAY_MAX: Duration = Duration::from_secs(30);
/// So often a plugin may hang: each time costs a thread.
pub const HANGS_MAX: u32 = 2;
/// Running this long without a failure forgets the ones before.
const HEALTHY_AFTER: Duration = Duration::from_secs(60);

/// Why a channel's actor ended or its plugin is not to be trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// A call did not come back in time; its thread is abandoned.
    Hang(&'static str),
    /// The actor itself panicked.
    Panic(String),
    /// The plugin's own process failed.
    Crash(String),
    /// It ended without being asked to.
    Ended,
    /// The plugin could not be opened again.
    Open(String),
    /// A process for the plugin could not be started: the machine's fault.
    Shortage(String),
}

impl From<CallError> for Fault {
    /// Of a failure of the plugin's own process.
    fn from(error: CallError) -> Self {
        match error {
            CallError::NotStarted(words) => Self::Shortage(words),
            CallError::Crashed(words) => Self::Crash(words),
            error => Self::Crash(error.to_string()),
        }
    }
}

impl Fault {
    pub(super) fn words(&self) -> String {
        match self {
            Self::Hang(call) => format!("the plugin hung in {call}"),
            Self::Panic(words) => format!("the channel's actor panicked: {words}"),
            Self::Crash(words) => format!("the plugin failed in its process: {words}"),
            Self::Ended => "the channel's actor ended by itself".into(),
            Self::Open(words) => format!("the plugin could not be opened again: {words}"),
            Self::Shortage(words) => words.clone(),
        }
    }
}

/// What to do after a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Start again after this wait (to be jittered).
    Restart(Duration),
    /// Leave it down until it is reloaded or enabled again.
    GiveUp(String),
}

/// Faults so far.
#[derive(Debug)]
pub(super) struct History {
    faults_max: u32,
    faults: u32,
    hangs: u32,
    shortages: u32,
    last: Option<Instant>,
}

impl History {
    pub(super) fn new(faults_max: u32) -> Self {
        Self {
            faults_max,
            faults: 0,
            hangs: 0,
            shortages: 0,
            last: None,
        }
    }

    /// Decides after a fault at `now`. For what the machine
    /// lacks nothing is given up.
    pub(super) fn after(&mut self, fault: &Fault, now: Instant) -> Verdict {
        let calm = self
            .last
            .is_some_and(|last| now.duration_since(last) > HEALTHY_AFTER);
        if calm {
            self.faults = 0;
            self.shortages = 0;
        }
        self.last = Some(now);
        if matches!(fault, Fault::Shortage(_)) {
            self.shortages += 1;
            return Verdict::Restart(delay(self.shortages).min(SHORTAGE_DELAY_MAX));
        }
        self.faults += 1;
        self.hangs += u32::from(matches!(fault, Fault::Hang(_)));
        if self.hangs >= HANGS_MAX {
            return Verdict::GiveUp(format!("{}, for the second time", fault.words()));
        }
        if self.faults >= self.faults_max {
            return Verdict::GiveUp(format!(
                "{} ({} failures in a row)",
                fault.words(),
                self.faults
            ));
        }
        Verdict::Restart(delay(self.faults).min(DELAY_MAX))
    }
}

/// The wait after so many in a row.
fn delay(count: u32) -> Duration {
    let doublings = count.saturating_sub(1).min(16);
    DELAY_BASE * 2u32.pow(doublings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_limit_and_then_it_is_given_up() {
        let mut history = History::new(5);
        let start = Instant::now();
        let waits: Vec<Verdict> = (0..5)
            .map(|_| history.after(&Fault::Ended, start))
            .collect();
        let restart = |ms| Verdict::Restart(Duration::from_millis(ms));
        assert_eq!(
            waits[..4],
            [restart(100), restart(200), restart(400), restart(800)]
        );
        assert!(matches!(&waits[4], Verdict::GiveUp(words) if words.contains("5 failures")));
    }

    #[test]
    fn what_the_machine_lacks_is_waited_for_without_end() {
        let mut history = History::new(2);
        let start = Instant::now();
        let shortage = Fault::Shortage("no memory".into());
        for _ in 0..100 {
            let verdict = history.after(&shortage, start);
            assert!(matches!(verdict, Verdict::Restart(wait) if wait <= SHORTAGE_DELAY_MAX));
        }
        let restart = Verdict::Restart(DELAY_BASE);
        assert_eq!(history.after(&Fault::Ended, start), restart);
    }

    #[test]
    fn a_calm_period_forgets_faults_but_the_second_hang_is_the_last() {
        let mut history = History::new(2);
        let start = Instant::now();
        assert!(matches!(
            history.after(&Fault::Hang("send"), start),
            Verdict::Restart(_)
        ));
        let later = start + HEALTHY_AFTER * 2;
        assert!(matches!(
            history.after(&Fault::Ended, later),
            Verdict::Restart(_)
        ));
        let much_later = later + HEALTHY_AFTER * 2;
        assert!(matches!(
            history.after(&Fault::Hang("send"), much_later),
            Verdict::GiveUp(_)
        ));
    }
}
