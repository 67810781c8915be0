//! `[plugins]`: where adapters are loaded from, and how much rope they get.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::units::{ByteSize, HumanTime};

/// Loading and guarding of plugins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Plugins {
    /// Folders searched for plugins, the first match wins. They must belong to root or to the
    /// daemon's user and must not be writable by anyone else.
    #[schemars(length(min = 1))]
    pub path: Vec<PathBuf>,
    /// A call that takes longer is logged as a warning.
    #[serde(with = "HumanTime")]
    pub call_budget: Duration,
    /// A call that takes longer is abandoned, and its channel starts anew.
    #[serde(with = "HumanTime")]
    pub call_watchdog: Duration,
    /// Panics, hangs or unreadable answers in a row that put a channel down.
    #[schemars(range(min = 1, max = 1000))]
    pub failures_max: u32,
    /// Largest answer of one call.
    #[serde(with = "ByteSize")]
    pub output_bytes_max: u64,
    /// Most memory of a process in which an adapter runs (`isolation = "process"`) or describes itself.
    #[serde(with = "ByteSize")]
    pub process_memory_max: u64,
    /// Adapter id and the SHA-256 of its file, in hexadecimal: another file is refused.
    pub pins: BTreeMap<String, String>,
}

impl Default for Plugins {
    fn default() -> Self {
        Self {
            path: vec!["/usr/lib/trunkline/plugins".into()],
            call_budget: Duration::from_millis(10),
            call_watchdog: Duration::from_secs(2),
            failures_max: 5,
            output_bytes_max: 16 << 20,
            process_memory_max: 512 << 20,
            pins: BTreeMap::new(),
        }
    }
}
