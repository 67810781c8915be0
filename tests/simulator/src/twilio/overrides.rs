//! Connection overrides in a webhook URL's fragment: `#rc=3&rp=all&rt=4000` (Twilio's "Webhooks:
//! Connection Overrides").

use crate::{Answer, SimulatorError};
use std::time::Duration;

/// What the fragment asks for. Connect timeout, edge and SNI mean nothing on loopback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Overrides {
    /// Retries after the first attempt.
    pub(super) retries: u32,
    /// Limit for one attempt.
    pub(super) attempt: Duration,
    /// Limit for all attempts.
    pub(super) total: Duration,
    on: Vec<Failure>,
}

/// What can be retried (`rp`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    /// `4xx`.
    Refused,
    /// `5xx`.
    Failed,
    /// `ct`: no connection.
    Connect,
    /// `rt`: no answer on the connection.
    Read,
}

impl Default for Overrides {
    fn default() -> Self {
        Self {
            retries: 1,
            attempt: Duration::from_secs(15),
            total: Duration::from_secs(15),
            on: vec![Failure::Connect],
        }
    }
}

impl Overrides {
    /// Reads the fragment of a URL; what is missing or out of range keeps its default.
    pub(super) fn of(url: &str) -> Self {
        let mut overrides = Self::default();
        let fragment = url.split_once('#').map_or("", |(_, fragment)| fragment);
        for (key, value) in form_urlencoded::parse(fragment.as_bytes()) {
            let number = |least: u64, most: u64| {
                let parsed = value.parse::<u64>().ok();
                parsed.filter(|number| (least..=most).contains(number))
            };
            match key.as_ref() {
                "rc" => {
                    let retries = number(0, 5).and_then(|count| u32::try_from(count).ok());
                    overrides.retries = retries.unwrap_or(overrides.retries);
                }
                "rt" => {
                    let limit = number(100, 15_000).map(Duration::from_millis);
                    overrides.attempt = limit.unwrap_or(overrides.attempt);
                }
                "tt" => {
                    let limit = number(100, 15_000).map(Duration::from_millis);
                    overrides.total = limit.unwrap_or(overrides.total);
                }
                "rp" => overrides.on = failures(&value),
                _ => {}
            }
        }
        overrides
    }

    /// Whether this outcome is one to try again after.
    pub(super) fn retry(&self, outcome: &Result<Answer, SimulatorError>) -> bool {
        let failure = match outcome {
            Ok(answer) if (400..500).contains(&answer.status) => Failure::Refused,
            Ok(answer) if (500..600).contains(&answer.status) => Failure::Failed,
            Err(SimulatorError::NoAnswer { connect: true, .. }) => Failure::Connect,
            Err(SimulatorError::NoAnswer { .. } | SimulatorError::Slow { .. }) => Failure::Read,
            _ => return false,
        };
        self.on.contains(&failure)
    }
}

/// Reads `rp`: a list of `4xx`, `5xx`, `ct`, `rt`, or `all`.
fn failures(list: &str) -> Vec<Failure> {
    let known = [
        ("4xx", Failure::Refused),
        ("5xx", Failure::Failed),
        ("ct", Failure::Connect),
        ("rt", Failure::Read),
    ];
    let asked = |word: &str| list.split(',').any(|item| item == word || item == "all");
    let asked = known.into_iter().filter(|(word, _)| asked(word));
    asked.map(|(_, failure)| failure).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether an answer with this status is followed by another attempt.
    fn retries(overrides: &Overrides, status: u16) -> bool {
        overrides.retry(&Ok(Answer {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            elapsed: Duration::ZERO,
            attempts: 1,
        }))
    }

    #[test]
    fn by_default_only_a_failed_connection_is_tried_again() {
        let overrides = Overrides::of("https://gw.example.com/in");
        assert_eq!(overrides, Overrides::default());
        assert!(!retries(&overrides, 500) && !retries(&overrides, 404));
        let refused = |connect| {
            Err(SimulatorError::NoAnswer {
                url: String::new(),
                reason: String::new(),
                connect,
            })
        };
        assert!(overrides.retry(&refused(true)));
        assert!(!overrides.retry(&refused(false)));
    }

    #[test]
    fn the_fragment_asks_for_more() {
        let overrides = Overrides::of("https://gw.example.com/in?a=b#rc=3&rp=all&rt=4000&tt=9");
        assert_eq!(overrides.retries, 3);
        assert_eq!(overrides.attempt, Duration::from_secs(4));
        assert_eq!(
            overrides.total,
            Duration::from_secs(15),
            "9 is out of range"
        );
        assert!(retries(&overrides, 500) && retries(&overrides, 404));
        assert!(!retries(&overrides, 200) && !retries(&overrides, 302));
        let some = Overrides::of("http://x/#rc=2&rp=5xx,rt");
        assert!(retries(&some, 503) && !retries(&some, 401));
    }
}
