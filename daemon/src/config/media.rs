//! `[media]`: attachments, both ways.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::units::{ByteSize, HumanTime};

/// Types that are kept by default: what people send each other, and nothing that runs.
const TYPES: [&str; 17] = [
    "image/*",
    "audio/*",
    "video/*",
    "text/*",
    "message/rfc822",
    "application/pdf",
    "application/rtf",
    "application/json",
    "application/xml",
    "application/zip",
    "application/gzip",
    "application/epub+zip",
    "application/msword",
    "application/vnd.*",
    "application/pkcs7-signature",
    "application/pgp-signature",
    "application/ogg",
];

/// Attachments that are received, uploaded and handed to providers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Media {
    /// Largest attachment that is fetched or uploaded. A message whose attachment is larger is kept
    /// without it.
    #[serde(with = "ByteSize")]
    pub bytes_max: u64,
    /// Types that are kept, found in the bytes themselves; a star stands for any ending. What can't be
    /// told is `application/octet-stream`, what runs on some machine `application/x-executable`.
    pub types: Vec<String>,
    /// Bytes that all files together may have; more are refused. 0 is no limit.
    #[serde(with = "ByteSize")]
    pub total_bytes_max: u64,
    /// Messages of one channel whose attachments are fetched at the same time.
    #[schemars(range(min = 1, max = 64))]
    pub concurrency: u32,
    /// A call that moves a file may take this long, where that is more than `[outbound] call_timeout`.
    #[serde(with = "HumanTime")]
    pub timeout: Duration,
    /// How long the link works that a provider fetches a file by.
    #[serde(with = "HumanTime")]
    pub link_lifetime: Duration,
    /// How long a file is kept that no message names: one that was uploaded and not sent yet.
    #[serde(with = "HumanTime")]
    pub unused_max: Duration,
}

impl Media {
    /// Whether a type is one of those that are kept.
    pub fn allows(&self, content_type: &str) -> bool {
        self.types
            .iter()
            .any(|allowed| match allowed.strip_suffix('*') {
                Some(beginning) => content_type.starts_with(beginning),
                None => content_type == allowed,
            })
    }
}

impl Default for Media {
    fn default() -> Self {
        Self {
            bytes_max: 25 << 20,
            types: TYPES.map(str::to_owned).to_vec(),
            total_bytes_max: 0,
            concurrency: 4,
            timeout: Duration::from_secs(300),
            link_lifetime: Duration::from_secs(3600),
            unused_max: Duration::from_secs(24 * 3600),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_ending() {
        let media = Media::default();
        for kept in ["image/png", "application/pdf", "application/vnd.ms-excel"] {
            assert!(media.allows(kept), "{kept}");
        }
        for refused in ["application/x-executable", "application/pdfx", "image", ""] {
            assert!(!media.allows(refused), "{refused}");
        }
    }
}
