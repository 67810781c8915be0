//! `[reload]`: what becomes of a channel that a reload breaks.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::units::HumanTime;

/// What happens when a reload restarts a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Reload {
    /// A channel whose last check was good is checked with its new configuration before it is used.
    /// Where that fails by what a configuration can cause (credentials, account, plugin; not an
    /// outage of the provider): "return" leaves the channel on the configuration and plugin that it
    /// ran with, until the next reload; "keep" uses the new configuration all the same.
    pub on_failed_probe: OnFailedProbe,
    /// How long a reload waits for those checks. One that takes longer counts as an outage of the
    /// provider.
    #[serde(with = "HumanTime")]
    pub probe_timeout: Duration,
}

/// What becomes of a channel whose new configuration fails its check.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnFailedProbe {
    /// It uses it all the same.
    Keep,
    /// It goes back to what it ran with.
    #[default]
    Return,
}

impl Default for Reload {
    fn default() -> Self {
        Self {
            on_failed_probe: OnFailedProbe::default(),
            probe_timeout: Duration::from_secs(10),
        }
    }
}
