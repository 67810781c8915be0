//! What is known of every channel's health, and how news changes it.

use std::collections::HashMap;

use parking_lot::RwLock;
use tracing::{info, warn};
use trunkline_plugin_api::{AdapterError, ErrorClass, Probe, ProbeState};

use crate::model::{ChannelId, Health, HealthStatus, Millis};

/// Checks without an answer in a row after which a channel counts as down.
const SILENT_MAX: u32 = 3;

/// The health of all channels.
#[derive(Default)]
pub struct HealthBoard {
    entries: RwLock<HashMap<ChannelId, Entry>>,
}

#[derive(Default, Clone)]
struct Entry {
    health: Health,
    disabled: bool,
    /// Checks in a row that failed for a reason that may pass.
    silent: u32,
}

/// The outcome of one check.
#[derive(Debug, Clone)]
pub(super) struct Checked {
    pub(super) at_ms: Millis,
    pub(super) took_ms: u64,
    pub(super) result: Result<Probe, AdapterError>,
}

impl HealthBoard {
    /// The health of a channel as shown to people.
    pub fn get(&self, channel: &ChannelId) -> Health {
        let entries = self.entries.read();
        let Some(entry) = entries.get(channel) else {
            return Health::default();
        };
        let mut health = entry.health.clone();
        if entry.disabled {
            health.status = HealthStatus::Disabled;
        }
        health
    }

    /// Whether a channel may send now. One that was not checked yet may: its first send tells.
    pub fn lets_send(&self, channel: &ChannelId) -> bool {
        !matches!(
            self.get(channel).status,
            HealthStatus::Down | HealthStatus::Disabled
        )
    }

    /// Switches a channel on or off. Switched on, its health is unknown until the next check.
    pub fn set_enabled(&self, channel: &ChannelId, enabled: bool) {
        let mut entries = self.entries.write();
        let entry = entries.entry(channel.clone()).or_default();
        if entry.disabled && enabled {
            entry.health.status = HealthStatus::Unknown;
            entry.silent = 0;
        }
        entry.disabled = !enabled;
    }

    /// Forgets a channel that was removed.
    pub fn forget(&self, channel: &ChannelId) {
        self.entries.write().remove(channel);
    }

    /// The provider took a message.
    pub(crate) fn sent(&self, channel: &ChannelId, at_ms: Millis, remaining: Option<i64>) {
        let mut entries = self.entries.write();
        let health = &mut entries.entry(channel.clone()).or_default().health;
        health.last_successful_send_ms = Some(at_ms);
        if remaining.is_some() {
            health.rate_limit_remaining = remaining;
        }
    }

    /// The provider refused our credentials: nothing more is sent until a check is good.
    pub(crate) fn refused(&self, channel: &ChannelId, words: &str) {
        self.update(channel, |entry| {
            entry.health.status = HealthStatus::Down;
            entry.health.last_error = Some(words.to_owned());
        });
    }

    /// The channel does not run.
    pub(super) fn stopped(&self, channel: &ChannelId, reason: &str, at_ms: Millis) {
        self.update(channel, |entry| {
            entry.health.status = HealthStatus::Down;
            entry.health.last_error = Some(reason.to_owned());
            entry.health.last_checked_at_ms = Some(at_ms);
        });
    }

    /// A check brought this.
    pub(super) fn checked(&self, channel: &ChannelId, checked: Checked) {
        self.update(channel, |entry| entry.apply(checked));
    }

    fn update(&self, channel: &ChannelId, change: impl FnOnce(&mut Entry)) {
        let mut entries = self.entries.write();
        let entry = entries.entry(channel.clone()).or_default();
        let before = entry.health.status;
        change(entry);
        let (after, reason) = (entry.health.status, entry.health.last_error.clone());
        drop(entries);
        if before == after {
            return;
        }
        let (from, to) = (before.as_str(), after.as_str());
        if after == HealthStatus::Healthy {
            info!(%channel, from, to, "channel health changed");
        } else {
            warn!(%channel, from, to, reason = reason.as_deref(), "channel health changed");
        }
    }
}

impl Entry {
    fn apply(&mut self, checked: Checked) {
        self.health.last_checked_at_ms = Some(checked.at_ms);
        self.health.latency_ms = Some(checked.took_ms);
        match checked.result {
            Ok(probe) => self.apply_probe(probe),
            Err(error) => self.apply_error(&error),
        }
    }

    fn apply_probe(&mut self, probe: Probe) {
        self.silent = 0;
        let health = &mut self.health;
        health.status = match probe.state {
            ProbeState::Healthy => HealthStatus::Healthy,
            ProbeState::Degraded => HealthStatus::Degraded,
            ProbeState::Down => HealthStatus::Down,
        };
        health.last_error = match health.status {
            HealthStatus::Healthy => None,
            _ => probe
                .detail
                .or_else(|| Some("the provider gave no reason".into())),
        };
        health.account = probe.account.or(health.account.take());
        health.display_name = probe.display_name.or(health.display_name.take());
        health.address = probe.address.or(health.address.take());
        health.rate_limit_remaining = probe.rate_limit_remaining.or(health.rate_limit_remaining);
    }

    /// What surely will not pass by itself is down at once; silence is degraded first.
    fn apply_error(&mut self, error: &AdapterError) {
        self.health.last_error = Some(error.message.clone());
        self.health.status = match error.class {
            ErrorClass::Transient | ErrorClass::Throttled | ErrorClass::Ambiguous => {
                self.silent = self.silent.saturating_add(1);
                match self.silent {
                    SILENT_MAX.. => HealthStatus::Down,
                    _ => HealthStatus::Degraded,
                }
            }
            _ => HealthStatus::Down,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(result: Result<ProbeState, ErrorClass>) -> Checked {
        let result = match result {
            Ok(state) => Ok(Probe {
                state,
                account: None,
                display_name: None,
                address: None,
                quality: None,
                detail: None,
                rate_limit_remaining: None,
            }),
            Err(class) => Err(AdapterError::new(class, "x", "because")),
        };
        Checked {
            at_ms: 1,
            took_ms: 1,
            result,
        }
    }

    #[test]
    fn silence_is_degraded_before_it_is_down_and_a_good_check_heals() {
        let board = HealthBoard::default();
        let channel = ChannelId::new("a");
        let status = || board.get(&channel).status;
        assert_eq!(status(), HealthStatus::Unknown);
        assert!(board.lets_send(&channel));
        for expected in [
            HealthStatus::Degraded,
            HealthStatus::Degraded,
            HealthStatus::Down,
        ] {
            board.checked(&channel, checked(Err(ErrorClass::Transient)));
            assert_eq!(status(), expected);
        }
        assert!(!board.lets_send(&channel));
        board.checked(&channel, checked(Ok(ProbeState::Healthy)));
        assert_eq!(status(), HealthStatus::Healthy);
        assert_eq!(board.get(&channel).last_error, None);
    }

    #[test]
    fn refused_credentials_are_down_at_once_and_the_switch_covers_all() {
        let board = HealthBoard::default();
        let channel = ChannelId::new("a");
        board.checked(&channel, checked(Err(ErrorClass::Credentials)));
        assert_eq!(board.get(&channel).status, HealthStatus::Down);
        board.set_enabled(&channel, false);
        assert_eq!(board.get(&channel).status, HealthStatus::Disabled);
        assert!(!board.lets_send(&channel));
        board.set_enabled(&channel, true);
        assert_eq!(board.get(&channel).status, HealthStatus::Unknown);
    }
}
