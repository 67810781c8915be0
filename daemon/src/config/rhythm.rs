//! `[health]`, `[delivery]`, `[coalesce]`, `[outbound]` and `[thread]`: when things happen.

use std::{path::PathBuf, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::units::HumanTime;

/// Probes of the channels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Health {
    /// Time between two probes of a channel.
    #[serde(with = "HumanTime")]
    pub interval: Duration,
    /// A probe that takes longer has failed.
    #[serde(with = "HumanTime")]
    pub timeout: Duration,
    /// Probes without an answer in a row after which a channel is down; the first makes it
    /// degraded.
    #[schemars(range(min = 1, max = 1000))]
    pub down_after: u32,
    /// Good signals in a row after which a channel is healthy again. Refused credentials are
    /// forgotten with the first good probe.
    #[schemars(range(min = 1, max = 1000))]
    pub up_after: u32,
    /// How many of a channel's latest attempts to send are looked at.
    #[schemars(range(min = 1, max = 1000))]
    pub sends_window: u32,
    /// Fewer attempts than this say nothing.
    #[schemars(range(min = 1, max = 1000))]
    pub sends_min: u32,
    /// Share of those attempts, in percent, that must have failed on the way or in the provider for
    /// the channel to be degraded. What is wrong with a recipient or a text does not count.
    #[schemars(range(min = 1, max = 100))]
    pub sends_trouble_percent: u32,
    /// Attempts in a row, of whatever messages, that must have failed so for the channel to be down:
    /// its queue is held, and one is tried after each good probe.
    #[schemars(range(min = 1, max = 1000))]
    pub sends_down_after: u32,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(300),
            timeout: Duration::from_secs(10),
            down_after: 3,
            up_after: 2,
            sends_window: 20,
            sends_min: 5,
            sends_trouble_percent: 30,
            sends_down_after: 10,
        }
    }
}

/// The poller that asks providers what became of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Delivery {
    /// Time between two rounds.
    #[serde(with = "HumanTime")]
    pub interval: Duration,
    /// Messages older than this are not asked for any more.
    #[serde(with = "HumanTime")]
    pub window: Duration,
}

impl Default for Delivery {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(300),
            window: Duration::from_secs(24 * 3600),
        }
    }
}

/// How a burst of messages becomes one turn. A channel may set its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Coalesce {
    /// A turn begins when nothing more has come for this long.
    #[serde(with = "HumanTime")]
    pub quiet: Duration,
    /// It begins at the latest this long after its first message.
    #[serde(with = "HumanTime")]
    pub max: Duration,
}

impl Default for Coalesce {
    fn default() -> Self {
        Self {
            quiet: Duration::from_secs(2),
            max: Duration::from_secs(10),
        }
    }
}

/// Sending and repeating.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Outbound {
    /// Longest wait before the second attempt; it doubles with each further one.
    #[serde(with = "HumanTime")]
    pub backoff_base: Duration,
    /// Longest wait between two attempts.
    #[serde(with = "HumanTime")]
    pub backoff_max: Duration,
    /// Attempts before a message is a dead letter.
    #[schemars(range(min = 1, max = 1000))]
    pub attempts_max: u32,
    /// Age at which a message that could not be sent is a dead letter.
    #[serde(with = "HumanTime")]
    pub age_max: Duration,
    /// A call to a provider that takes longer is given up.
    #[serde(with = "HumanTime")]
    pub call_timeout: Duration,
    /// Calls to a provider at once on one channel. A channel may set its own.
    #[schemars(range(min = 1, max = 256))]
    pub concurrency: u32,
    /// Automatic replies to one person within `echo_window` after which further ones are refused:
    /// two machines may be answering each other. 0 never refuses.
    #[schemars(range(min = 0, max = 100))]
    pub echo_max: u32,
    /// How long automatic replies are counted for `echo_max`, and then refused.
    #[serde(with = "HumanTime")]
    pub echo_window: Duration,
    /// A file of root certificates (PEM) to believe beside those of this machine, for providers and
    /// mail servers with a private authority. Empty is none.
    #[schemars(extend("x-restart" = true))]
    pub extra_ca: PathBuf,
}

impl Default for Outbound {
    fn default() -> Self {
        Self {
            backoff_base: Duration::from_secs(5),
            backoff_max: Duration::from_secs(3600),
            attempts_max: 12,
            age_max: Duration::from_secs(24 * 3600),
            call_timeout: Duration::from_secs(30),
            concurrency: 16,
            echo_max: 30,
            echo_window: Duration::from_secs(300),
            extra_ca: PathBuf::new(),
        }
    }
}

/// Conversations.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Thread {
    /// What a message does whose thread is closed: "reopen" it, or begin a "new" one.
    pub closed: Closed,
}

/// What becomes of a message to a closed thread.
// Comments on the variants would turn the schema's `enum` into a list of alternatives.
#[allow(missing_docs)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Closed {
    #[default]
    Reopen,
    New,
}
