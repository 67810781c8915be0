//! When to try again, as a plain function of what happened.

use std::time::Duration;

use trunkline_plugin_api::AdapterError;

use crate::{config, model::Millis};

/// Bounds of the wait and of the tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The first wait at most.
    pub base: Duration,
    /// The longest wait.
    pub max: Duration,
    /// Tries in all.
    pub attempts_max: u32,
    /// Time since acceptance after which it is given up.
    pub age_max: Duration,
}

impl From<&config::Outbound> for Backoff {
    fn from(section: &config::Outbound) -> Self {
        Self {
            base: section.backoff_base,
            max: section.backoff_max,
            attempts_max: section.attempts_max,
            age_max: section.age_max,
        }
    }
}

/// What to do after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Try again at this time.
    At(Millis),
    /// Never again.
    GiveUp,
}

impl Backoff {
    /// Decides after the `attempts`-th try (from 1) of a message accepted at `accepted_ms` failed
    /// at `now_ms`. `chance` in [0, 1) is where in the window the wait falls: full jitter. What
    /// the provider asks for wins over the window.
    pub fn after(
        &self,
        error: &AdapterError,
        attempts: u32,
        accepted_ms: Millis,
        now_ms: Millis,
        chance: f64,
    ) -> Next {
        if !error.class.is_retried() || attempts >= self.attempts_max {
            return Next::GiveUp;
        }
        let wait = match error.retry_after_ms {
            Some(asked) => Duration::from_millis(asked),
            None => self.window(attempts).mul_f64(chance.clamp(0.0, 1.0)),
        };
        let wait_ms = Millis::try_from(wait.as_millis()).unwrap_or(Millis::MAX);
        let at = now_ms.saturating_add(wait_ms.max(1));
        let age_ms = Millis::try_from(self.age_max.as_millis()).unwrap_or(Millis::MAX);
        if at.saturating_sub(accepted_ms) > age_ms {
            return Next::GiveUp;
        }
        Next::At(at)
    }

    /// The window of the wait after the `attempts`-th try: doubling from `base` up to `max`.
    fn window(&self, attempts: u32) -> Duration {
        let doublings = attempts.saturating_sub(1).min(30);
        self.base.saturating_mul(1 << doublings).min(self.max)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use trunkline_plugin_api::ErrorClass;

    use super::*;

    const BACKOFF: Backoff = Backoff {
        base: Duration::from_secs(5),
        max: Duration::from_secs(3600),
        attempts_max: 12,
        age_max: Duration::from_secs(24 * 3600),
    };

    fn error(class: ErrorClass) -> AdapterError {
        AdapterError::new(class, "x", "x")
    }

    #[test]
    fn only_what_passes_is_tried_again() {
        for class in [
            ErrorClass::Recipient,
            ErrorClass::OptedOut,
            ErrorClass::Bug,
            ErrorClass::Ambiguous,
        ] {
            assert_eq!(BACKOFF.after(&error(class), 1, 0, 0, 0.5), Next::GiveUp);
        }
        assert_eq!(
            BACKOFF.after(&error(ErrorClass::Transient), 1, 0, 0, 0.5),
            Next::At(2500)
        );
        assert_eq!(
            BACKOFF.after(&error(ErrorClass::Transient), 12, 0, 0, 0.5),
            Next::GiveUp
        );
    }

    #[test]
    fn what_the_provider_asks_for_wins() {
        let asked = error(ErrorClass::Throttled).with_retry_after_ms(90_000);
        assert_eq!(BACKOFF.after(&asked, 1, 0, 1000, 0.0), Next::At(91_000));
        let too_late = error(ErrorClass::Throttled).with_retry_after_ms(25 * 3_600_000);
        assert_eq!(BACKOFF.after(&too_late, 1, 0, 0, 0.0), Next::GiveUp);
    }

    proptest! {
        #[test]
        fn a_wait_stays_in_its_window(attempts in 1u32..12, chance in 0.0f64..1.0, now in 0i64..1_000_000) {
            let next = BACKOFF.after(&error(ErrorClass::Transient), attempts, now, now, chance);
            let Next::At(at) = next else { panic!("given up: {next:?}") };
            let window = BACKOFF.window(attempts).as_millis();
            prop_assert!(at > now);
            prop_assert!(u128::try_from(at - now).unwrap() <= window.max(1));
        }
    }
}
