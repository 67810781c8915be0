//! What the doctor found.

use serde::Serialize;

use super::retest::Finding;
use crate::model::{ChannelId, Millis};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// As it should be, or nothing is known against it.
    Ok,
    /// Works, but should be looked at.
    Warning,
    /// Does not work, or is not safe.
    Fault,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its name, for programs.
    pub name: &'static str,
    /// How bad it is.
    pub state: State,
    /// What was found and what to do.
    pub words: String,
}

impl Check {
    pub(super) fn new(name: &'static str, state: State, words: impl Into<String>) -> Self {
        Self {
            name,
            state,
            words: words.into(),
        }
    }

    /// One check of several findings: as bad as the worst of them, which come first. `fine` is
    /// said where there are none.
    pub(super) fn of(name: &'static str, mut found: Vec<(State, String)>, fine: &str) -> Self {
        found.sort_by_key(|(state, _)| std::cmp::Reverse(*state));
        let state = found.first().map_or(State::Ok, |(state, _)| *state);
        let words: Vec<String> = found.into_iter().map(|(_, words)| words).collect();
        if words.is_empty() {
            return Self::new(name, State::Ok, fine);
        }
        Self::new(name, state, words.join("; "))
    }
}

/// A refused webhook and what came of trying it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// When it came.
    pub at_ms: Millis,
    /// Why it was refused, in the adapter's words.
    pub reason: String,
    /// What would have matched, or why nothing did.
    pub finding: Finding,
}

/// An examination of one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Which.
    pub channel: ChannelId,
    /// What was looked at.
    pub checks: Vec<Check>,
    /// The refused webhooks that are remembered, newest first.
    pub rejected: Vec<Examined>,
    /// How many trials were made of them.
    pub trials: usize,
}
