//! How fast a channel, or all channels of one provider account, may send.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A rate of sends; every part of a split message counts as one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Sends a second, in the long run.
    #[schemars(range(min = 0.001, max = 100_000))]
    pub per_second: f64,
    /// Sends at once after a quiet time; a second's worth where it is not given.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub burst: Option<u32>,
}

impl Rate {
    /// Sends at once after a quiet time.
    pub fn burst(&self) -> f64 {
        self.burst.map_or(self.per_second, f64::from).max(1.0)
    }
}

/// What becomes of a send whose outcome stays unknown after the provider was asked.
// Comments on the variants would turn the schema's `enum` into a list of alternatives.
#[allow(missing_docs)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Uncertain {
    #[default]
    Hold,
    Resend,
}
