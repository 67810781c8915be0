//! What is kept of a channel's health over time.

use serde::{Deserialize, Serialize};

use super::{HealthStatus, Millis};

/// Why an entry is in the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthEntryKind {
    /// The status changed.
    Change,
    /// A check by the daemon itself.
    Probe,
    /// A check that a person asked for.
    Test,
}

/// One entry of a channel's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthEntry {
    /// When.
    pub at_ms: Millis,
    /// Why it is here.
    pub kind: HealthEntryKind,
    /// The status before, where it changed.
    #[serde(default)]
    pub from: Option<HealthStatus>,
    /// The status from then on; of a check what that check found.
    pub status: HealthStatus,
    /// What was wrong, and what to do.
    #[serde(default)]
    pub reason: Option<String>,
    /// How long the check took, in milliseconds.
    #[serde(default)]
    pub latency_ms: Option<u64>,
}

/// What a channel must remember of its canaries: how many it sent, and which one is under way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CanaryRecord {
    /// The day (UTC) that is counted, in days since the Unix epoch.
    pub day: i64,
    /// How many were sent on that day.
    pub sent: u32,
    /// When the last one was sent.
    pub last_sent_ms: Millis,
    /// The one that is out.
    #[serde(default)]
    pub outstanding: Option<Outstanding>,
}

/// A canary that is out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outstanding {
    /// What marks it: it is in its text.
    pub token: String,
    /// The channel that it should come in on.
    pub via: super::ChannelId,
    /// When it was sent.
    pub sent_ms: Millis,
}

impl CanaryRecord {
    /// Milliseconds of a day.
    const DAY_MS: Millis = 86_400_000;

    /// How many were sent on the day of `now_ms`.
    pub fn sent_on_day_of(&self, now_ms: Millis) -> u32 {
        if self.day == now_ms.div_euclid(Self::DAY_MS) {
            self.sent
        } else {
            0
        }
    }

    /// Counts one that goes out now.
    pub fn send(&mut self, outstanding: Outstanding) {
        let now_ms = outstanding.sent_ms;
        self.sent = self.sent_on_day_of(now_ms).saturating_add(1);
        self.day = now_ms.div_euclid(Self::DAY_MS);
        self.last_sent_ms = now_ms;
        self.outstanding = Some(outstanding);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ChannelId;

    #[test]
    fn canaries_are_counted_by_day() {
        let mut record = CanaryRecord::default();
        let out = |sent_ms| Outstanding {
            token: "t".into(),
            via: ChannelId::new("sms"),
            sent_ms,
        };
        let day = CanaryRecord::DAY_MS;
        record.send(out(5 * day));
        record.send(out(6 * day - 1));
        assert_eq!(record.sent_on_day_of(6 * day - 1), 2);
        assert_eq!(record.sent_on_day_of(6 * day), 0);
        record.send(out(6 * day));
        assert_eq!((record.sent, record.last_sent_ms), (1, 6 * day));
    }
}
