//! The reply window: how long after a person's last message free-form messages may go to them.

use serde::{Deserialize, Serialize};

use super::Millis;

/// How a channel's reply window is kept and judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowRule {
    /// Our address that people write to: what they write to one opens none to another.
    pub scope: String,
    /// How long it stays open, in milliseconds.
    pub length_ms: Millis,
}

/// What is known of one person's window to one of our addresses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// When they last wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard_at_ms: Option<Millis>,
    /// The latest time at which the provider said that it is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused_at_ms: Option<Millis>,
}

/// A window as it is at some time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WindowState {
    /// Whether free-form messages may go.
    pub open: bool,
    /// When it closes, or closed by itself; none where it was never open or the provider says that
    /// it is closed.
    pub expires_at_ms: Option<Millis>,
}

impl Window {
    /// They wrote. What is older than known changes nothing.
    pub fn hear(&mut self, at_ms: Millis) {
        self.heard_at_ms = self.heard_at_ms.max(Some(at_ms));
    }

    /// The provider refused a message of this time because the window was closed.
    pub fn refuse(&mut self, at_ms: Millis) {
        self.refused_at_ms = self.refused_at_ms.max(Some(at_ms));
    }

    /// What it is `now_ms`, where it lasts `length_ms`. A refusal counts until they write again.
    pub fn state(&self, length_ms: Millis, now_ms: Millis) -> WindowState {
        let heard = self
            .heard_at_ms
            .filter(|heard| self.refused_at_ms.is_none_or(|refused| refused < *heard));
        let expires_at_ms = heard.map(|heard| heard.saturating_add(length_ms));
        WindowState {
            open: expires_at_ms.is_some_and(|ends| now_ms < ends),
            expires_at_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: Millis = 24 * 3_600_000;

    fn window(heard_at_ms: Option<Millis>, refused_at_ms: Option<Millis>) -> Window {
        Window {
            heard_at_ms,
            refused_at_ms,
        }
    }

    #[test]
    fn it_closes_by_itself_or_by_the_providers_word() {
        let rows = [
            (window(None, None), 0, false, None),
            (window(Some(5), None), 5, true, Some(5 + DAY)),
            (window(Some(5), None), 4 + DAY, true, Some(5 + DAY)),
            (window(Some(5), None), 5 + DAY, false, Some(5 + DAY)),
            (window(Some(5), Some(6)), 7, false, None),
            (window(Some(5), Some(5)), 7, false, None),
            (window(Some(7), Some(6)), 8, true, Some(7 + DAY)),
        ];
        for (window, now, open, expires_at_ms) in rows {
            let want = WindowState {
                open,
                expires_at_ms,
            };
            assert_eq!(window.state(DAY, now), want, "{window:?} at {now}");
        }
    }

    proptest! {
        /// The order in which things become known does not matter.
        #[test]
        fn late_news_changes_nothing_newer(mut heard in prop::collection::vec(0i64..1000, 1..6), refused in prop::collection::vec(0i64..1000, 0..4), now in 0i64..3000) {
            let note = |heard: &[i64], refused: &[i64]| {
                let mut window = Window::default();
                for at in heard {
                    window.hear(*at);
                }
                for at in refused {
                    window.refuse(*at);
                }
                window.state(500, now)
            };
            let forwards = note(&heard, &refused);
            heard.reverse();
            prop_assert_eq!(forwards, note(&heard, &refused));
        }
    }
}
