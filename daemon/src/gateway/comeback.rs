//! Taking a reload back for a channel that it would break.
//!
//! ```text
//! restart ─┬─ not checked, or in trouble before ─────────────────────> taken
//!          └─ good before ─> candidate beside the old one ─ check ─┬─ good, or passing trouble ─> taken
//!                            (no webhooks, no sends)               └─ the configuration's fault ─> previous
//! ```
//!
//! The candidate takes nothing before its check: until then, and where it fails, the old instance
//! goes on with its webhooks and its queue, so nothing is lost, doubled or refused on the way.
//! The decisions are plain functions; [`super::reload`] carries them out.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::RwLock;
use trunkline_plugin_api::{AdapterError, ErrorClass, Probe, ProbeState};

use trunkline_host::Plugin;

use crate::{
    config::{self, Config, OnFailedProbe},
    model::Millis,
};

/// A channel that runs on the configuration from before a reload.
#[derive(Debug, Clone)]
pub struct Comeback {
    /// When it went back.
    pub since_ms: Millis,
    /// What its check said, in words.
    pub reason: String,
    /// The keys that it does not use, or the plugin.
    pub keys: Vec<String>,
    /// The plugin that it runs on.
    pub(super) plugin: Option<Arc<Plugin>>,
}

/// The channels that went back, until the next reload.
#[derive(Debug, Default)]
pub struct Comebacks(RwLock<BTreeMap<String, Comeback>>);

impl Comebacks {
    /// Of one channel.
    pub fn get(&self, channel: &str) -> Option<Comeback> {
        self.0.read().get(channel).cloned()
    }

    /// The ids of all.
    pub(super) fn ids(&self) -> Vec<String> {
        self.0.read().keys().cloned().collect()
    }

    /// What the last reload left.
    pub(super) fn replace(&self, comebacks: BTreeMap<String, Comeback>) {
        *self.0.write() = comebacks;
    }
}

/// What is known of a channel before its restart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Before {
    /// It is switched on, before and after.
    pub(super) enabled: bool,
    /// Its last check was good.
    pub(super) was_good: bool,
    /// It could go on as it is in the new configuration.
    pub(super) fits: bool,
}

/// Whether a channel's new configuration is checked before it is used.
pub(super) fn is_tried(policy: OnFailedProbe, before: Before) -> bool {
    policy == OnFailedProbe::Return && before.enabled && before.was_good && before.fits
}

/// Whether a channel as it runs can stand beside the other channels of a new configuration: its paths
/// are its own, the account that it names is there.
pub(super) fn fits(old: &config::Channel, new: &Config) -> bool {
    let others = new.channels.values().filter(|other| other.id != old.id);
    let mut paths = others.flat_map(|other| &other.webhook_paths);
    let account = old.account.as_ref();
    !paths.any(|path| old.webhook_paths.contains(path))
        && account.is_none_or(|name| new.accounts.contains_key(name))
}

/// What becomes of a channel after the check of its new configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is used.
    Take,
    /// The channel stays with what it ran with, for this reason.
    GoBack(String),
}

/// The code of errors that the daemon makes of an adapter that misbehaves.
const PLUGIN_FAULT: &str = "channel";

/// Judges a check. What may pass by itself, or may be the provider's, is no reason to go back.
pub(super) fn judge(checked: Result<Probe, AdapterError>) -> Verdict {
    match checked {
        Ok(probe) if probe.state == ProbeState::Down => {
            let words = probe.detail;
            Verdict::GoBack(words.unwrap_or_else(|| "the provider says that it is down".into()))
        }
        Ok(_) => Verdict::Take,
        Err(error) => match error.class {
            ErrorClass::Throttled => Verdict::Take,
            ErrorClass::Transient | ErrorClass::Ambiguous if error.code != PLUGIN_FAULT => {
                Verdict::Take
            }
            _ => Verdict::GoBack(error.message),
        },
    }
}

/// What owners and the log are told.
pub(super) fn words(channel: &str, comeback: &Comeback) -> String {
    format!(
        "Channel {channel} went back to its previous configuration: with the new one ({}) its check \
         failed: {}. Put that right and run `trunkline reload`; a restart of the daemon would use the \
         new configuration.",
        comeback.keys.join(", "),
        comeback.reason.trim_end_matches('.'),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(class: ErrorClass, code: &str) -> Result<Probe, AdapterError> {
        Err(AdapterError::new(class, code, "words"))
    }

    #[test]
    fn only_what_a_configuration_can_cause_goes_back() {
        let back = Verdict::GoBack("words".into());
        for class in [
            ErrorClass::Config,
            ErrorClass::Credentials,
            ErrorClass::Unsupported,
            ErrorClass::Bug,
        ] {
            assert_eq!(judge(error(class, "x")), back, "{class:?}");
        }
        for class in [
            ErrorClass::Transient,
            ErrorClass::Throttled,
            ErrorClass::Ambiguous,
        ] {
            assert_eq!(judge(error(class, "x")), Verdict::Take, "{class:?}");
        }
        for class in [ErrorClass::Transient, ErrorClass::Ambiguous] {
            assert_eq!(judge(error(class, PLUGIN_FAULT)), back, "a broken plugin");
        }
    }

    #[test]
    fn a_provider_that_says_down_goes_back_and_degraded_is_taken() {
        let probe = |state| judge(Ok(Probe::new(state)));
        assert_eq!(probe(ProbeState::Healthy), Verdict::Take);
        assert_eq!(probe(ProbeState::Degraded), Verdict::Take);
        assert!(matches!(probe(ProbeState::Down), Verdict::GoBack(_)));
    }

    #[test]
    fn only_a_channel_that_was_good_is_tried() {
        let good = Before {
            enabled: true,
            was_good: true,
            fits: true,
        };
        assert!(is_tried(OnFailedProbe::Return, good));
        assert!(!is_tried(OnFailedProbe::Keep, good));
        for before in [
            Before {
                enabled: false,
                ..good
            },
            Before {
                was_good: false,
                ..good
            },
            Before {
                fits: false,
                ..good
            },
        ] {
            assert!(!is_tried(OnFailedProbe::Return, before), "{before:?}");
        }
    }
}
