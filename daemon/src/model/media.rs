//! Files of the daemon: attachments that came in, and those uploaded to go out.

use std::{fmt, str::FromStr};

use data_encoding::HEXLOWER;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ChannelId, EventId, Failure, MessageId, Millis};

/// The SHA-256 of a file's bytes: its name everywhere.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MediaHash([u8; 32]);

/// A text that names no file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a file is named by its SHA-256: 64 hexadecimal digits in lower case")]
pub struct ParseHashError;

impl MediaHash {
    /// Wraps a digest.
    pub fn new(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// The digest.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for MediaHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for MediaHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for MediaHash {
    type Err = ParseHashError;

    fn from_str(text: &str) -> Result<Self, ParseHashError> {
        let bytes = HEXLOWER.decode(text.as_bytes());
        let bytes = bytes.map_err(|_| ParseHashError)?;
        bytes.try_into().map(Self).map_err(|_| ParseHashError)
    }
}

/// What an organization knows of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaRecord {
    /// Bytes.
    pub size: u64,
    /// The type that it is served with: found in its bytes, not in what anyone claims.
    pub content_type: String,
    /// File name, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// When it was last stored or uploaded.
    pub stored_at_ms: Millis,
    /// Messages that name it. What none names is removed after a while.
    #[serde(default)]
    pub references: u32,
}

/// Attachments of one received message that are to be fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaJob {
    /// The message.
    pub message: MessageId,
    /// The channel whose webhook brought it; that of the message may be another.
    pub receiver: ChannelId,
    /// That webhook, which holds the bytes of attachments inside its body.
    pub event: EventId,
    /// Attempts so far.
    #[serde(default)]
    pub attempts: u32,
    /// When the message came.
    pub since_ms: Millis,
    /// Not before this time.
    pub due_ms: Millis,
}

/// Why an attachment is not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MediaFailure {
    /// Its place in the message's list, from 0.
    pub index: u32,
    /// Why.
    pub error: Failure,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_digest_in_lower_case_names_a_file() {
        let text = "ab".repeat(32);
        let hash: MediaHash = text.parse().unwrap();
        assert_eq!(hash.to_string(), text);
        for wrong in [
            "",
            "ab",
            "../../etc/passwd",
            &"AB".repeat(32),
            &"ab".repeat(33),
        ] {
            assert_eq!(wrong.parse::<MediaHash>(), Err(ParseHashError), "{wrong}");
        }
    }
}
