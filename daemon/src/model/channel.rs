//! What is known of a channel while it runs.

use serde::{Deserialize, Serialize};

use super::Millis;

/// How a channel does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// Messages go out.
    Healthy,
    /// With trouble.
    Degraded,
    /// They do not; the queue is held.
    Down,
    /// Switched off: not probed, sends held.
    Disabled,
    /// Not probed yet.
    #[default]
    Unknown,
}

impl HealthStatus {
    /// The status as it is written in JSON and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Down => "down",
            Self::Disabled => "disabled",
            Self::Unknown => "unknown",
        }
    }
}

/// A channel's health as last seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// How it does.
    pub status: HealthStatus,
    /// When that was last checked.
    pub last_checked_at_ms: Option<Millis>,
    /// When the provider last took a message.
    pub last_successful_send_ms: Option<Millis>,
    /// What was last wrong, and what to do.
    pub last_error: Option<String>,
    /// How long the last check took, in milliseconds.
    pub latency_ms: Option<u64>,
    /// How many more calls the provider allows.
    pub rate_limit_remaining: Option<i64>,
    /// The account's name at the provider.
    pub account: Option<String>,
    /// The name that recipients see.
    pub display_name: Option<String>,
    /// The number or address that recipients see.
    pub address: Option<String>,
    /// The provider's quality rating.
    #[serde(default)]
    pub quality: Option<String>,
}

/// An operator's switch. It wins over the file until the file's value changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Toggle {
    /// What the operator chose.
    pub enabled: bool,
    /// What the file said then.
    pub file_value: bool,
}

impl Toggle {
    /// What holds, given what the file says now.
    pub fn effective(toggle: Option<Self>, file_value: bool) -> bool {
        match toggle {
            Some(toggle) if toggle.file_value == file_value => toggle.enabled,
            _ => file_value,
        }
    }
}
