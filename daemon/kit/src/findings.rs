//! What one check finds while it runs.

use std::collections::BTreeSet;

use crate::report::Outcome;

/// Failures of one check that are told; then it ends.
const FAILURES_MAX: usize = 5;

/// Why a call gave nothing to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The check that made the call fails by it.
    Fault(String),
    /// It counts against another check, which has been told.
    Elsewhere(&'static str),
    /// The plugin broke so many processes that no more are started.
    GivenUp(u32),
}

/// The findings of one check.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// What does not hold.
    pub(crate) failures: Vec<String>,
    /// What is allowed and worth a look.
    pub(crate) warnings: Vec<String>,
    /// What was measured.
    pub(crate) facts: Vec<String>,
    elsewhere: BTreeSet<&'static str>,
    given_up: Option<u32>,
    skipped: Option<String>,
    is_cut: bool,
}

impl Findings {
    /// Something does not hold.
    pub(crate) fn fail(&mut self, words: impl Into<String>) {
        if self.is_full() {
            self.is_cut = true;
        } else {
            self.failures.push(words.into());
        }
    }

    /// Something is worth a look.
    pub(crate) fn warn(&mut self, words: impl Into<String>) {
        self.warnings.push(words.into());
    }

    /// Something was measured.
    pub(crate) fn fact(&mut self, words: impl Into<String>) {
        self.facts.push(words.into());
    }

    /// The check can't be tried.
    pub(crate) fn skip(&mut self, words: impl Into<String>) {
        self.skipped.get_or_insert(words.into());
    }

    /// A call went wrong.
    pub(crate) fn trouble(&mut self, trouble: Trouble) {
        match trouble {
            Trouble::Fault(words) => self.fail(words),
            Trouble::Elsewhere(id) => {
                self.elsewhere.insert(id);
            }
            Trouble::GivenUp(processes) => self.given_up = Some(processes),
        }
    }

    /// True where more need not be looked for: enough is wrong.
    pub(crate) fn is_full(&self) -> bool {
        self.failures.len() >= FAILURES_MAX || self.given_up.is_some()
    }

    /// Outcome, and why where it is skipped.
    pub(crate) fn outcome(&mut self) -> (Outcome, Option<String>) {
        if self.is_cut {
            self.facts.push("there is more: it ended here".into());
        }
        if !self.failures.is_empty() {
            return (Outcome::Failed, None);
        }
        if !self.elsewhere.is_empty() {
            let ids: Vec<_> = self.elsewhere.iter().copied().collect();
            let why = format!("could not be tried to its end: see {}", ids.join(" and "));
            return (Outcome::Skipped, Some(why));
        }
        if let Some(processes) = self.given_up {
            let why =
                format!("the plugin ended or hung {processes} processes before: mend that first");
            return (Outcome::Skipped, Some(why));
        }
        match self.skipped.take() {
            Some(why) => (Outcome::Skipped, Some(why)),
            None => (Outcome::Passed, None),
        }
    }
}
