//! `[store]` and `[retention]`: where things are kept, and for how long.

use std::{path::PathBuf, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::units::{ByteSize, HumanTime};

/// The store on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// The folder of everything that Trunkline keeps; one daemon at a time.
    #[schemars(extend("x-restart" = true))]
    pub path: PathBuf,
    /// Cache of the index. Real memory use is three to seven times as much.
    #[serde(with = "ByteSize")]
    #[schemars(extend("x-restart" = true))]
    pub cache_bytes: u64,
    /// Time between two snapshots; the log before the second newest one is deleted.
    #[serde(with = "HumanTime")]
    #[schemars(extend("x-restart" = true))]
    pub snapshot_interval: Duration,
    /// Bytes of the disk that are left free: with fewer, webhooks with messages are answered 503 (providers come
    /// back), sends are refused or wait, and no attachment is fetched, so that what is under way can still be stored. It
    /// ends by itself. 0: go on until the disk is full.
    #[serde(with = "ByteSize")]
    #[schemars(extend("x-restart" = true))]
    pub reserve_bytes: u64,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            path: "/var/lib/trunkline".into(),
            cache_bytes: 16 << 20,
            snapshot_interval: Duration::from_secs(24 * 3600),
            reserve_bytes: 64 << 20,
        }
    }
}

/// What is deleted by age. Messages and contacts are not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// How long webhook events are kept, with their raw bodies and the marks by which a repeated
    /// webhook is recognized.
    #[serde(with = "HumanTime")]
    pub webhook_events: Duration,
    /// How long an `Idempotency-Key` is remembered.
    #[serde(with = "HumanTime")]
    pub idempotency_keys: Duration,
    /// How long notifications are kept once they are acknowledged.
    #[serde(with = "HumanTime")]
    pub notifications: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            webhook_events: Duration::from_secs(30 * 86_400),
            idempotency_keys: Duration::from_secs(7 * 86_400),
            notifications: Duration::from_secs(30 * 86_400),
        }
    }
}
