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
    on: RetryOn,
}

/// What is retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct RetryOn {
    refused: bool,
    failed: bool,
    connect: bool,
    slow: bool,
}

impl Default for Overrides {
    fn default() -> Self {
        Self {
            retries: 1,
            attempt: Duration::from_secs(15),
            total: Duration::from_secs(15),
            on: RetryOn {
                refused: false,
                failed: false,
                connect: true,
                slow: false,
            },
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
                "rp" => overrides.on = RetryOn::of(&value),
                _ => {}
            }
        }
        overrides
    }

    /// Whether this outcome is one to try again after.
    pub(super) fn retry(&self, outcome: &Result<Answer, SimulatorError>) -> bool {
        match outcome {
            Ok(answer) => match answer.status {
                400..=499 => self.on.refused,
                500..=599 => self.on.failed,
                _ => false,
            },
            Err(SimulatorError::NoAnswer { connect, .. }) => {
                if *connect {
                    self.on.connect
                } else {
                    self.on.slow
                }
            }
            Err(SimulatorError::Slow { .. }) => self.on.slow,
            Err(_) => false,
        }
    }
}

impl RetryOn {
    fn of(list: &str) -> Self {
        let asks = |word: &str| list.split(',').any(|item| item == word || item == "all");
        Self {
            refused: asks("4xx"),
            failed: asks("5xx"),
            connect: asks("ct"),
            slow: asks("rt"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16) -> Result<Answer, SimulatorError> {
        Ok(Answer {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            elapsed: Duration::ZERO,
            attempts: 1,
        })
    }

    #[test]
    fn by_default_only_a_failed_connection_is_tried_again() {
        let overrides = Overrides::of("https://gw.example.com/in");
        assert_eq!(overrides, Overrides::default());
        assert!(!overrides.retry(&answer(500)) && !overrides.retry(&answer(404)));
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
        assert!(overrides.retry(&answer(500)) && overrides.retry(&answer(404)));
        assert!(!overrides.retry(&answer(200)) && !overrides.retry(&answer(302)));
        let some = Overrides::of("http://x/#rc=2&rp=5xx,rt");
        assert!(some.retry(&answer(503)) && !some.retry(&answer(401)));
    }
}
