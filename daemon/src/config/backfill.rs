//! `[backfill]`: messages that providers took in while the daemon was down.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::units::{HumanTime, HumanTimeOrOff};

/// Fetching what came in while the daemon was down, from providers that list it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Backfill {
    /// A start after a downtime of this length or more asks the providers for what came in
    /// meanwhile; "0" never does.
    #[serde(with = "HumanTimeOrOff")]
    pub after_downtime: Duration,
    /// The time before the start that is asked for, at most.
    #[serde(with = "HumanTime")]
    pub window_max: Duration,
}

impl Default for Backfill {
    fn default() -> Self {
        Self {
            after_downtime: Duration::from_secs(120),
            window_max: Duration::from_secs(24 * 3600),
        }
    }
}
