//! What is done about each change of health: logged, counted, told to owners, kept.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tracing::{info, warn};

use super::Notifier;
use crate::{
    metrics::Metrics,
    model::{ChannelId, HealthEntry, HealthEntryKind, HealthStatus, Notice, NoticeKind, OrgId},
    store::Store,
};

/// An entry for the history of a channel.
#[derive(Debug, Clone)]
pub struct News {
    /// Whose.
    pub org: OrgId,
    /// Which channel.
    pub channel: ChannelId,
    /// What is to be kept.
    pub entry: HealthEntry,
}

/// Writes the history of all channels.
pub struct Chronicle {
    /// Where it is kept.
    pub store: Store,
    /// Counts changes.
    pub metrics: Arc<Metrics>,
    /// Tells owners.
    pub notifier: Notifier,
    /// What is to be written.
    pub news: mpsc::Receiver<News>,
}

impl Chronicle {
    /// Writes until `stop` is dropped or fires, then what is still there.
    pub async fn run(mut self, mut stop: oneshot::Receiver<()>) {
        loop {
            tokio::select! {
                biased;
                news = self.news.recv() => match news {
                    Some(news) => self.write(news).await,
                    None => return,
                },
                _ = &mut stop => break,
            }
        }
        while let Ok(news) = self.news.try_recv() {
            self.write(news).await;
        }
    }

    async fn write(&self, news: News) {
        let News {
            org,
            channel,
            entry,
        } = news;
        if entry.kind == HealthEntryKind::Change {
            self.announce(org, &channel, &entry);
        }
        let kept = self.store.add_health_entry(org, &channel, entry).await;
        if let Err(error) = kept {
            warn!(event = "health_change_not_kept", %channel, %error, "a change of health could not be kept");
        }
    }

    fn announce(&self, org: OrgId, channel: &ChannelId, entry: &HealthEntry) {
        let from = entry.from.unwrap_or_default();
        let reason = entry.reason.as_deref();
        let (before, now) = (from.as_str(), entry.status.as_str());
        if entry.status == HealthStatus::Healthy {
            info!(event = "health_changed", %channel, from = before, to = now, "channel health changed");
        } else {
            warn!(event = "health_changed", %channel, from = before, to = now, reason, "channel health changed");
        }
        self.metrics.health_changed(channel, entry.status);
        if let Some(words) = words(channel, from, entry.status, reason) {
            self.notifier.raise(Notice {
                org,
                channel: Some(channel.clone()),
                kind: NoticeKind::HealthChanged,
                words,
            });
        }
    }
}

/// What owners are told of a change; nothing of a first check that is good and of what an operator
/// did.
fn words(
    channel: &ChannelId,
    from: HealthStatus,
    to: HealthStatus,
    reason: Option<&str>,
) -> Option<String> {
    use HealthStatus::{Degraded, Down, Healthy};
    let reason = reason.unwrap_or("no reason is known");
    match (from, to) {
        (_, Down) => Some(format!(
            "{channel} is down, its messages are held: {reason}"
        )),
        (_, Degraded) => Some(format!("{channel} is degraded: {reason}")),
        (Down | Degraded, Healthy) => Some(format!("{channel} is healthy again")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_hear_of_trouble_and_of_its_end() {
        use HealthStatus::{Degraded, Disabled, Down, Healthy, Unknown};
        let channel = ChannelId::new("sms");
        for (from, to, expected) in [
            (Unknown, Healthy, None),
            (Disabled, Unknown, None),
            (Down, Disabled, None),
            (Unknown, Down, Some("sms is down, its messages are held: x")),
            (Down, Degraded, Some("sms is degraded: x")),
            (Degraded, Healthy, Some("sms is healthy again")),
        ] {
            let told = words(&channel, from, to, Some("x"));
            assert_eq!(told.as_deref(), expected, "{from:?} {to:?}");
        }
    }
}
