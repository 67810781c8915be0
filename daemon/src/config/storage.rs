//! `[store]` and `[retention]`: where things are kept, and for how long.

use std::{path::PathBuf, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::units::{ByteSize, HumanTime, HumanTimeOrOff};

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

/// What is deleted by age. "0s" keeps for ever.
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
    /// How long messages are kept, with all that hangs on them. What waits to be sent stays.
    #[serde(with = "HumanTimeOrOff")]
    pub messages: Duration,
    /// How long files are kept that came in or were uploaded; their messages stay.
    #[serde(with = "HumanTimeOrOff")]
    pub media: Duration,
    /// How long contacts are kept of whom no message is left, since the last one.
    #[serde(with = "HumanTimeOrOff")]
    pub contacts: Duration,
    /// How long entries of the audit are kept. The chain of those that are left stays provable.
    #[serde(with = "HumanTimeOrOff")]
    pub audit: Duration,
    /// Least time between two compactions of the store after erasures; several erasures share one.
    #[serde(with = "HumanTime")]
    pub compact_interval: Duration,
}

/// How long an organization keeps things, where that differs from `[retention]`. "0s" keeps for ever.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OrganizationRetention {
    /// Messages.
    pub messages: Option<Kept>,
    /// Files.
    pub media: Option<Kept>,
    /// Contacts of whom no message is left.
    pub contacts: Option<Kept>,
    /// Entries of the audit.
    pub audit: Option<Kept>,
}

/// How long something is kept; zero is for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Kept(#[serde(with = "HumanTimeOrOff")] pub Duration);

impl JsonSchema for Kept {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        HumanTimeOrOff::schema_name()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        HumanTimeOrOff::json_schema(generator)
    }
}

impl Retention {
    /// The same with what an organization says otherwise.
    #[must_use]
    pub fn with(&self, own: &OrganizationRetention) -> Self {
        let or = |own: Option<Kept>, all: Duration| own.map_or(all, |Kept(own)| own);
        Self {
            messages: or(own.messages, self.messages),
            media: or(own.media, self.media),
            contacts: or(own.contacts, self.contacts),
            audit: or(own.audit, self.audit),
            ..self.clone()
        }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            webhook_events: Duration::from_secs(30 * 86_400),
            idempotency_keys: Duration::from_secs(7 * 86_400),
            notifications: Duration::from_secs(30 * 86_400),
            messages: Duration::ZERO,
            media: Duration::ZERO,
            contacts: Duration::ZERO,
            audit: Duration::ZERO,
            compact_interval: Duration::from_secs(600),
        }
    }
}
