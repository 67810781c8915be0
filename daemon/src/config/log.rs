//! `[log]`: what is logged, and how it looks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The daemon's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// "error", "warn", "info", "debug" or "trace", for everything or by module:
    /// "info,trunkline::outbound=debug". `trunkline log level` changes it while the daemon runs.
    #[schemars(extend("format" = "log-filter"))]
    pub level: String,
    /// "pretty" for people, "json" for programs, both on standard output; "journald" to the journal of
    /// systemd with its own fields, or as "pretty" where there is no journal.
    #[schemars(extend("x-restart" = true))]
    pub format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: "info".into(),
            format: LogFormat::Pretty,
        }
    }
}

/// How a log line looks.
// Comments on the variants would turn the schema's `enum` into a list of alternatives.
#[allow(missing_docs)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    #[default]
    Pretty,
    Json,
    Journald,
}
