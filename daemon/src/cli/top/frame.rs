//! One look at the gateway, read from the API's answer.

use std::time::Duration;

use serde_json::Value;

use crate::cli::output::clean;

/// What was seen.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Frame {
    pub(super) version: String,
    /// Milliseconds since the Unix epoch.
    pub(super) at_ms: i64,
    pub(super) channels: Vec<ChannelRow>,
    pub(super) notifications: u64,
    pub(super) store: Option<StoreRow>,
    pub(super) resident_bytes: u64,
    pub(super) cpu_seconds: f64,
}

/// A channel.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct ChannelRow {
    pub(super) id: String,
    pub(super) adapter: String,
    pub(super) organization: String,
    pub(super) status: String,
    pub(super) received: u64,
    pub(super) sent: u64,
    pub(super) failed: u64,
    pub(super) rejected: u64,
    /// Messages by state.
    pub(super) queue: Vec<(String, u64)>,
    pub(super) oldest_s: Option<u64>,
    pub(super) restarts: u64,
    pub(super) last_error: String,
    pub(super) last_received: String,
    pub(super) last_sent: String,
    /// Messages a second since the look before.
    pub(super) rate_in: f64,
    pub(super) rate_out: f64,
}

/// The store.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct StoreRow {
    pub(super) position: u64,
    pub(super) queued: u64,
    pub(super) sync_us: u64,
    pub(super) failed: String,
    pub(super) log_bytes: u64,
    pub(super) index_bytes: u64,
    pub(super) snapshot_bytes: u64,
    pub(super) free_bytes: u64,
}

impl Frame {
    /// Reads an answer; what is missing in it is empty, so that a daemon of another version can be
    /// looked at too.
    pub(super) fn read(answer: &Value) -> Self {
        let at = answer["at"]
            .as_str()
            .and_then(|at| at.parse::<jiff::Timestamp>().ok());
        let channels = answer["channels"].as_array();
        let store = answer["store"]
            .is_object()
            .then(|| StoreRow::read(&answer["store"]));
        Self {
            version: text(&answer["version"]),
            at_ms: at.map_or(0, jiff::Timestamp::as_millisecond),
            channels: channels
                .into_iter()
                .flatten()
                .map(ChannelRow::read)
                .collect(),
            notifications: number(&answer["notifications_open"]),
            store,
            resident_bytes: number(&answer["process"]["resident_bytes"]),
            cpu_seconds: answer["process"]["cpu_seconds"].as_f64().unwrap_or(0.0),
        }
    }

    /// Fills the rates in from the look before.
    pub(super) fn compare(&mut self, before: &Self) {
        let seconds = seconds(self.at_ms - before.at_ms);
        if seconds <= 0.0 {
            return;
        }
        for channel in &mut self.channels {
            let old = before.channels.iter().find(|old| old.id == channel.id);
            let Some(old) = old else { continue };
            // A daemon that was started again counts from 0.
            let rate = |now: u64, then: u64| count(now.saturating_sub(then)) / seconds;
            channel.rate_in = rate(channel.received, old.received);
            channel.rate_out = rate(channel.sent, old.sent);
        }
    }
}

impl ChannelRow {
    fn read(answer: &Value) -> Self {
        let queue = answer["queue"].as_object().into_iter().flatten();
        Self {
            id: text(&answer["id"]),
            adapter: text(&answer["adapter"]),
            organization: text(&answer["organization"]),
            status: if answer["enabled"] == false {
                "off".to_owned()
            } else {
                text(&answer["status"])
            },
            received: number(&answer["received"]),
            sent: number(&answer["sent"]),
            failed: number(&answer["failed"]),
            rejected: number(&answer["rejected"]),
            queue: queue
                .map(|(state, count)| (clean(state), number(count)))
                .collect(),
            oldest_s: answer["oldest_s"].as_u64(),
            restarts: number(&answer["restarts"]),
            last_error: text(&answer["last_error"]),
            last_received: text(&answer["last_received"]),
            last_sent: text(&answer["last_successful_send"]),
            rate_in: 0.0,
            rate_out: 0.0,
        }
    }

    /// Messages that wait to be sent by themselves.
    pub(super) fn waiting(&self) -> u64 {
        self.in_states(&["queued", "retrying", "scheduled"])
    }

    /// Messages that wait for a person.
    pub(super) fn stuck(&self) -> u64 {
        self.in_states(&["held", "uncertain", "dead"])
    }

    fn in_states(&self, states: &[&str]) -> u64 {
        let wanted = self
            .queue
            .iter()
            .filter(|(state, _)| states.contains(&state.as_str()));
        wanted.map(|(_, count)| count).sum()
    }
}

impl StoreRow {
    fn read(answer: &Value) -> Self {
        Self {
            position: number(&answer["position"]),
            queued: number(&answer["queued"]),
            sync_us: number(&answer["sync_us_last"]),
            failed: text(&answer["failed"]),
            log_bytes: number(&answer["log_bytes"]),
            index_bytes: number(&answer["index_bytes"]),
            snapshot_bytes: number(&answer["snapshot_bytes"]),
            free_bytes: number(&answer["disk_free_bytes"]),
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().map(clean).unwrap_or_default()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

fn seconds(ms: i64) -> f64 {
    let ms = u64::try_from(ms).unwrap_or(0);
    Duration::from_millis(ms).as_secs_f64()
}

#[allow(clippy::cast_precision_loss, reason = "a rate is shown with one digit")]
fn count(number: u64) -> f64 {
    number as f64
}
