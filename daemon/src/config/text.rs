//! `[channel.ID.text]`: what becomes of texts that do not fit, and of typographic characters.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a channel sends text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Text {
    /// What becomes of a text longer than the channel takes: "reject" it, or "split" it into
    /// messages that are sent one after another.
    pub long: Long,
    /// True sends curly quotes, dashes, ellipses and the like as their plain forms where that
    /// makes a text message GSM-7. What is stored and shown stays as it was written.
    pub fold: bool,
    /// Most messages that one text is split into.
    #[schemars(range(min = 1, max = 100))]
    pub parts_max: u32,
    /// Most segments of one text message; no limit but the channel's where it is absent.
    #[schemars(range(min = 1, max = 255))]
    pub segments_max: Option<u32>,
}

impl Default for Text {
    fn default() -> Self {
        Self {
            long: Long::default(),
            fold: false,
            parts_max: 10,
            segments_max: None,
        }
    }
}

/// What becomes of a text that is too long.
// Comments on the variants would turn the schema's `enum` into a list of alternatives.
#[allow(missing_docs)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Long {
    #[default]
    Reject,
    Split,
}
