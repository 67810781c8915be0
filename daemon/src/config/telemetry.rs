//! `[telemetry]`: traces for a collector of OpenTelemetry.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Traces. They hold no text and no address of a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Telemetry {
    /// Where spans are sent by OTLP over HTTP, such as "http://127.0.0.1:4318" ("/v1/traces" is added
    /// where there is no path). Empty sends none.
    #[schemars(extend("x-restart" = true))]
    pub otlp: String,
    /// The part of all webhooks and sends that is traced, from 0 to 1.
    #[schemars(extend("x-restart" = true), range(min = 0.0, max = 1.0))]
    pub ratio: f64,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            otlp: String::new(),
            ratio: 1.0,
        }
    }
}
