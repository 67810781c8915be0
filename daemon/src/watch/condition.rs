//! The condition of one channel: a plain state machine over signals. No clock, no I/O.
//!
//! ```text
//! probes ── good ─────────┐
//!        ── finding ──────┤ what the provider itself says: stays until a good probe
//!        ── silence ──────┤ passing trouble: degraded, then down; over after good signals in a row
//! sends  ── good, trouble ┤ the same, by their share and by failures in a row
//!        ── refused ──────┤ credentials: a finding; twice in a row passing trouble too
//! stopped, quiet, lost canary, switched off
//!                         └─> status: the worst of all that holds
//! ```
//!
//! Down by passing trouble lets single sends through after a good probe (a trial). The status stays down until
//! enough good signals came in a row, so that a provider whose probe works and whose sends do not
//! neither flaps nor burns attempts.

use std::time::Duration;

use super::window::Window;
use crate::{config, model::HealthStatus};

/// First wait until a channel in trouble is probed again; it doubles up to the interval.
const RETRY_BASE: Duration = Duration::from_secs(5);

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Grade {
    /// Messages go out, with trouble.
    Degraded,
    /// They do not.
    Down,
}

/// What is learned of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Signal {
    /// A check found it able to send.
    ProbeGood,
    /// A check, or the provider's answer to it, says surely what is wrong.
    ProbeFinding(Grade, String),
    /// A check brought no usable answer, which may pass.
    ProbeSilent(String),
    /// A provider took a message.
    SendGood,
    /// The provider answered an attempt, and says nothing of the channel by it: the recipient or the
    /// text was wrong, or it throttles.
    SendAnswered,
    /// An attempt failed on the way to the provider or inside it.
    SendTrouble(String),
    /// The provider refused our credentials.
    SendRefused(String),
    /// The channel does not run.
    Stopped(String),
    /// Nothing came in for longer than it should; none: something did, or need not.
    Quiet(Option<String>),
    /// A canary did not come back; none: one did.
    CanaryLost(Option<String>),
    /// An operator's switch.
    Enabled(bool),
}

/// What is known of one channel.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    enabled: bool,
    /// True once a check came to an end.
    is_checked: bool,
    stopped: Option<String>,
    finding: Option<(Grade, String)>,
    passing: Option<(Grade, String)>,
    quiet: Option<String>,
    lost: Option<String>,
    /// True where single sends are let through although passing trouble has it down.
    is_trial: bool,
    /// Checks without an answer in a row.
    silent: u32,
    /// Attempts in a row that were trouble.
    failed: u32,
    /// Attempts in a row whose credentials were refused.
    refused: u32,
    /// Good signals in a row, and those of them that were checks.
    good: u32,
    good_probes: u32,
    window: Window,
    /// Checks made since trouble began.
    retries: u32,
}

impl Default for Condition {
    fn default() -> Self {
        Self {
            enabled: true,
            is_checked: false,
            stopped: None,
            finding: None,
            passing: None,
            quiet: None,
            lost: None,
            is_trial: false,
            silent: 0,
            failed: 0,
            refused: 0,
            good: 0,
            good_probes: 0,
            window: Window::default(),
            retries: 0,
        }
    }
}

impl Condition {
    /// The status: the worst of all that holds.
    pub(super) fn status(&self) -> HealthStatus {
        if !self.enabled {
            return HealthStatus::Disabled;
        }
        match self.worst() {
            Some((Grade::Down, _)) => HealthStatus::Down,
            Some((Grade::Degraded, _)) => HealthStatus::Degraded,
            None if self.is_checked => HealthStatus::Healthy,
            None => HealthStatus::Unknown,
        }
    }

    /// What is wrong, where something is.
    pub(super) fn reason(&self) -> Option<&str> {
        self.worst().map(|(_, words)| words)
    }

    fn worst(&self) -> Option<(Grade, &str)> {
        let stopped = self.stopped.iter().map(|words| (Grade::Down, words));
        let graded = [&self.finding, &self.passing].into_iter().flatten();
        let graded = graded.map(|(grade, words)| (*grade, words));
        let degraded = [&self.lost, &self.quiet].into_iter().flatten();
        let degraded = degraded.map(|words| (Grade::Degraded, words));
        let all = stopped.chain(graded).chain(degraded);
        // Of equally bad ones the first; `max_by_key` would give the last.
        let worst = all.reduce(|worst, next| if next.0 > worst.0 { next } else { worst });
        worst.map(|(grade, words)| (grade, words.as_str()))
    }

    /// Whether it may send now.
    pub(super) fn lets_send(&self) -> bool {
        self.enabled
            && self.stopped.is_none()
            && !is_down(self.finding.as_ref())
            && (!is_down(self.passing.as_ref()) || self.is_trial)
    }

    /// When the next check is due after the last one.
    pub(super) fn wait(&self, interval: Duration) -> Duration {
        if !self.is_troubled() {
            return interval;
        }
        let doubled = 2_u32.saturating_pow(self.retries.saturating_sub(1));
        RETRY_BASE.saturating_mul(doubled).min(interval)
    }

    /// Whether it is looked at more often than on the interval.
    pub(super) fn is_troubled(&self) -> bool {
        self.enabled && (self.passing.is_some() || is_down(self.finding.as_ref()))
    }

    /// Takes a signal.
    pub(super) fn take(&mut self, signal: Signal, rules: &config::Health) {
        match signal {
            Signal::ProbeGood => {
                self.probed();
                self.silent = 0;
                self.finding = None;
                self.good_probes = self.good_probes.saturating_add(1);
                self.note_good(rules);
            }
            Signal::ProbeFinding(grade, words) => {
                self.probed();
                self.silent = 0;
                self.note_bad();
                self.finding = Some((grade, words));
            }
            Signal::ProbeSilent(words) => {
                self.probed();
                self.note_bad();
                self.silent = self.silent.saturating_add(1);
                self.raise(grade(self.silent >= rules.down_after), words);
            }
            Signal::SendGood => {
                (self.silent, self.failed, self.refused) = (0, 0, 0);
                self.window.push(false, rules.sends_window as usize);
                self.note_good(rules);
            }
            Signal::SendAnswered => self.failed = 0,
            Signal::SendTrouble(words) => self.note_trouble(words, rules),
            Signal::SendRefused(words) => {
                self.note_bad();
                // Many at once are one; another after a good check is not.
                if !is_down(self.finding.as_ref()) {
                    self.refused = self.refused.saturating_add(1);
                }
                if self.refused > 1 {
                    self.raise(Grade::Down, words.clone());
                }
                self.finding = Some((Grade::Down, words));
            }
            Signal::Stopped(words) => self.stopped = Some(words),
            Signal::Quiet(words) => self.quiet = words,
            Signal::CanaryLost(words) => self.lost = words,
            Signal::Enabled(enabled) => self.switch(enabled),
        }
        if !self.is_troubled() {
            self.retries = 0;
        }
    }

    fn probed(&mut self) {
        self.is_checked = true;
        self.stopped = None;
        self.retries = self.retries.saturating_add(1);
    }

    /// Switched on it begins anew.
    fn switch(&mut self, enabled: bool) {
        if enabled && !self.enabled {
            *self = Self {
                stopped: self.stopped.take(),
                ..Self::default()
            };
        }
        self.enabled = enabled;
    }

    fn note_bad(&mut self) {
        (self.good, self.good_probes) = (0, 0);
        self.is_trial = false;
    }

    fn note_good(&mut self, rules: &config::Health) {
        self.good = self.good.saturating_add(1);
        let is_over = match &self.passing {
            None => return,
            Some((Grade::Down, _)) => {
                self.is_trial = true;
                self.good >= rules.up_after
            }
            // Sends that go well now and then are no recovery: their share must have gone down.
            Some((Grade::Degraded, _)) => {
                let calm = !self
                    .window
                    .has_share(rules.sends_trouble_percent.div_ceil(2) as usize);
                self.good_probes >= rules.up_after || (calm && self.good >= rules.up_after)
            }
        };
        if is_over {
            self.passing = None;
            self.is_trial = false;
            self.failed = 0;
            self.window.clear();
        }
    }

    fn note_trouble(&mut self, words: String, rules: &config::Health) {
        self.note_bad();
        self.window.push(true, rules.sends_window as usize);
        self.failed = self.failed.saturating_add(1);
        if self.failed >= rules.sends_down_after {
            self.raise(Grade::Down, words);
        } else if self.window.len() >= rules.sends_min as usize
            && self.window.has_share(rules.sends_trouble_percent as usize)
        {
            self.raise(Grade::Degraded, words);
        }
    }

    /// Passing trouble gets worse or goes on, with the words of the latest.
    fn raise(&mut self, grade: Grade, words: String) {
        let known = self.passing.as_ref().map(|(known, _)| *known);
        let grade = known.map_or(grade, |known| known.max(grade));
        self.passing = Some((grade, words));
    }
}

fn is_down(trouble: Option<&(Grade, String)>) -> bool {
    trouble.is_some_and(|(grade, _)| *grade == Grade::Down)
}

fn grade(is_down: bool) -> Grade {
    if is_down {
        Grade::Down
    } else {
        Grade::Degraded
    }
}

#[cfg(test)]
mod tests;
