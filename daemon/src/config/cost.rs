//! `[channel.ID.cost]` and `[organization.SLUG.cost]`: how much may be sent in a day.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::storage::OrganizationRetention;

/// An organization: what concerns all of its channels together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Organization {
    /// What all of its channels may send together.
    pub cost: Cost,
    /// How long it keeps things.
    pub retention: OrganizationRetention,
}

/// A guard against runaway cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Cost {
    /// Most that is accepted for sending in one day of UTC, in segments for text messages and in
    /// messages for all else; no limit where it is absent. A message counts on the day it is
    /// accepted, also where it is sent later or not at all.
    pub daily_segments: Option<u64>,
}
