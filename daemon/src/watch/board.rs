//! What is known of every channel's health, and how news changes it. The decisions are those of
//! [`Condition`]; what changed is handed on to the [`Chronicle`](super::Chronicle).

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use parking_lot::RwLock;
use tokio::sync::{Notify, mpsc};
use tracing::error;
use trunkline_plugin_api::{AdapterError, ErrorClass, Probe, ProbeState};

use super::{
    chronicle::News,
    condition::{Condition, Grade, Signal},
};
use crate::{
    config::Settings,
    model::{ChannelId, Health, HealthEntry, HealthEntryKind, HealthStatus, Millis, OrgId},
};

/// Checks of one channel that are remembered while the daemon runs.
const SAMPLES_MAX: usize = 1_000;
/// Changes on their way to the chronicle at most.
const NEWS_MAX: usize = 1_024;

/// The health of all channels.
pub struct HealthBoard {
    entries: RwLock<HashMap<ChannelId, Entry>>,
    settings: Settings,
    news: mpsc::Sender<News>,
}

struct Entry {
    org: OrgId,
    condition: Condition,
    /// What is shown beside status and reason.
    health: Health,
    samples: VecDeque<HealthEntry>,
    /// Told when a check should not wait for its time.
    wake: Arc<Notify>,
}

/// The outcome of one check.
#[derive(Debug, Clone)]
pub(super) struct Checked {
    pub(super) at_ms: Millis,
    pub(super) took_ms: u64,
    /// True where a person asked for it.
    pub(super) is_test: bool,
    pub(super) result: Result<Probe, AdapterError>,
}

impl HealthBoard {
    /// An empty board, and the changes that it will see.
    pub fn new(settings: Settings) -> (Self, mpsc::Receiver<News>) {
        let (news, changes) = mpsc::channel(NEWS_MAX);
        let board = Self {
            entries: RwLock::default(),
            settings,
            news,
        };
        (board, changes)
    }

    /// The health of a channel as shown to people.
    pub fn get(&self, channel: &ChannelId) -> Health {
        let entries = self.entries.read();
        entries.get(channel).map_or_else(Health::default, |entry| {
            let mut health = entry.health.clone();
            health.status = entry.condition.status();
            health.last_error = entry.condition.reason().map(str::to_owned);
            health
        })
    }

    /// How a channel does.
    pub fn status(&self, channel: &ChannelId) -> HealthStatus {
        let entries = self.entries.read();
        let known = entries.get(channel);
        known.map_or(HealthStatus::Unknown, |entry| entry.condition.status())
    }

    /// Whether a channel may send now. One that was not checked yet may: its first send tells.
    pub fn lets_send(&self, channel: &ChannelId) -> bool {
        let entries = self.entries.read();
        let known = entries.get(channel);
        known.is_none_or(|entry| entry.condition.lets_send())
    }

    /// The latest checks since the daemon was started, oldest first.
    pub fn samples(&self, channel: &ChannelId) -> Vec<HealthEntry> {
        let entries = self.entries.read();
        let known = entries.get(channel).map(|entry| &entry.samples);
        known.into_iter().flatten().cloned().collect()
    }

    /// Switches a channel on or off; the board knows it from then on. Switched on, its health is
    /// unknown until the next check.
    pub fn set_enabled(&self, channel: &ChannelId, org: OrgId, enabled: bool, at_ms: Millis) {
        let entry = || Entry {
            org,
            condition: Condition::default(),
            health: Health::default(),
            samples: VecDeque::new(),
            wake: Arc::default(),
        };
        let mut entries = self.entries.write();
        if !entries.contains_key(channel) {
            // What the configuration says at first is no change.
            let mut entry = entry();
            entry
                .condition
                .take(Signal::Enabled(enabled), &self.settings.load().health);
            entries.insert(channel.clone(), entry);
            return;
        }
        drop(entries);
        self.take(channel, at_ms, Signal::Enabled(enabled));
    }

    /// Forgets a channel that was removed.
    pub fn forget(&self, channel: &ChannelId) {
        self.entries.write().remove(channel);
    }

    /// The provider took a message.
    pub(crate) fn sent(&self, channel: &ChannelId, at_ms: Millis, remaining: Option<i64>) {
        self.update(channel, at_ms, Signal::SendGood, |entry| {
            entry.health.last_successful_send_ms = Some(at_ms);
            entry.health.rate_limit_remaining = remaining.or(entry.health.rate_limit_remaining);
        });
    }

    /// An attempt failed. Only what says something of the channel counts.
    pub(crate) fn send_failed(&self, channel: &ChannelId, at_ms: Millis, error: &AdapterError) {
        let words = || error.message.clone();
        let signal = match error.class {
            ErrorClass::Credentials => Signal::SendRefused(words()),
            ErrorClass::Transient | ErrorClass::Ambiguous => Signal::SendTrouble(words()),
            _ => Signal::SendAnswered,
        };
        self.take(channel, at_ms, signal);
    }

    /// The channel does not run.
    pub(super) fn stopped(&self, channel: &ChannelId, reason: &str, at_ms: Millis) {
        let signal = Signal::Stopped(reason.to_owned());
        self.update(channel, at_ms, signal, |entry| {
            entry.health.last_checked_at_ms = Some(at_ms);
        });
    }

    /// Nothing came in for longer than it should; none: something did.
    pub(super) fn quiet(&self, channel: &ChannelId, at_ms: Millis, words: Option<String>) {
        self.take(channel, at_ms, Signal::Quiet(words));
    }

    /// A canary did not come back; none: one did.
    pub(super) fn canary(&self, channel: &ChannelId, at_ms: Millis, lost: Option<String>) {
        self.take(channel, at_ms, Signal::CanaryLost(lost));
    }

    /// A check brought this.
    pub(super) fn checked(&self, channel: &ChannelId, checked: Checked) {
        let Checked {
            at_ms,
            took_ms,
            is_test,
            result,
        } = checked;
        let (signal, reason) = read(&result);
        self.update(channel, at_ms, signal, |entry| {
            let health = &mut entry.health;
            health.last_checked_at_ms = Some(at_ms);
            health.latency_ms = Some(took_ms);
            if let Ok(probe) = result {
                health.account = probe.account.or(health.account.take());
                health.display_name = probe.display_name.or(health.display_name.take());
                health.address = probe.address.or(health.address.take());
                health.quality = probe.quality.or(health.quality.take());
                let remaining = probe.rate_limit_remaining;
                health.rate_limit_remaining = remaining.or(health.rate_limit_remaining);
            }
            let sample = HealthEntry {
                at_ms,
                kind: if is_test {
                    HealthEntryKind::Test
                } else {
                    HealthEntryKind::Probe
                },
                from: None,
                status: entry.condition.status(),
                reason,
                latency_ms: Some(took_ms),
            };
            if is_test {
                self.tell(entry.org, channel, sample);
                return;
            }
            if entry.samples.len() == SAMPLES_MAX {
                entry.samples.pop_front();
            }
            entry.samples.push_back(sample);
        });
    }

    /// How long to wait for a channel's next check.
    pub(super) fn wait(&self, channel: &ChannelId, interval: Duration) -> Duration {
        let entries = self.entries.read();
        let known = entries.get(channel);
        known.map_or(interval, |entry| entry.condition.wait(interval))
    }

    /// Tells when a channel should be checked at once.
    pub(super) fn wakes(&self, channel: &ChannelId) -> Arc<Notify> {
        let entries = self.entries.read();
        let known = entries.get(channel);
        known.map_or_else(Arc::default, |entry| entry.wake.clone())
    }

    fn take(&self, channel: &ChannelId, at_ms: Millis, signal: Signal) {
        self.update(channel, at_ms, signal, |_| {});
    }

    /// Takes a signal and then does `more` with the entry; tells what changed by it.
    fn update(
        &self,
        channel: &ChannelId,
        at_ms: Millis,
        signal: Signal,
        more: impl FnOnce(&mut Entry),
    ) {
        let mut entries = self.entries.write();
        // A channel that was removed meanwhile.
        let Some(entry) = entries.get_mut(channel) else {
            return;
        };
        let is_send = matches!(signal, Signal::SendTrouble(_) | Signal::SendRefused(_));
        let (before, was_troubled) = (entry.condition.status(), entry.condition.is_troubled());
        entry.condition.take(signal, &self.settings.load().health);
        let after = entry.condition.status();
        if before != after {
            let change = HealthEntry {
                at_ms,
                kind: HealthEntryKind::Change,
                from: Some(before),
                status: after,
                reason: entry.condition.reason().map(str::to_owned),
                latency_ms: None,
            };
            self.tell(entry.org, channel, change);
        }
        if is_send && !was_troubled && entry.condition.is_troubled() {
            entry.wake.notify_one();
        }
        more(entry);
    }

    /// Hands an entry on; never waits.
    fn tell(&self, org: OrgId, channel: &ChannelId, entry: HealthEntry) {
        let news = News {
            org,
            channel: channel.clone(),
            entry,
        };
        if self.news.try_send(news).is_err() {
            error!(event = "health_entry_lost", %channel, "too much news of health at once: an entry of the history is lost");
        }
    }
}

/// What a check says: the signal, and what was wrong.
fn read(result: &Result<Probe, AdapterError>) -> (Signal, Option<String>) {
    match result {
        Ok(probe) => {
            let grade = match probe.state {
                ProbeState::Healthy => return (Signal::ProbeGood, None),
                ProbeState::Degraded => Grade::Degraded,
                ProbeState::Down => Grade::Down,
            };
            let words = probe.detail.clone();
            let words = words.unwrap_or_else(|| "the provider gave no reason".into());
            (Signal::ProbeFinding(grade, words.clone()), Some(words))
        }
        Err(error) => {
            let words = error.message.clone();
            let signal = match error.class {
                ErrorClass::Transient | ErrorClass::Throttled | ErrorClass::Ambiguous => {
                    Signal::ProbeSilent(words.clone())
                }
                _ => Signal::ProbeFinding(Grade::Down, words.clone()),
            };
            (signal, Some(words))
        }
    }
}

#[cfg(test)]
mod tests;
