//! Sends canaries and waits for them: messages on a round trip that prove sending and receiving.

use std::{sync::Arc, time::Duration};

use serde_json::{Map, Value};
use tokio::sync::oneshot;
use tracing::{info, warn};
use trunkline_plugin_api::Content;

use super::{CANARY, Canaries, HealthBoard, Notifier};
use crate::{
    channel::Channel,
    config::{self, HumanTime, Settings},
    metrics::Metrics,
    model::{
        AuthorKind, CanaryRecord, ChannelId, HealthStatus, Millis, Notice, NoticeKind, Outstanding,
        Priority, mask_identifier,
    },
    outbound::{AcceptError, Gate, SendRequest, Sender, accept},
    store::Store,
};

/// Longest time between two looks at whether a canary is due.
const LOOK: Duration = Duration::from_secs(1);

/// Keeps the canaries of channels.
#[derive(Clone)]
pub struct CanaryKeeper {
    /// Where they are counted.
    pub store: Store,
    /// Whose health it is.
    pub board: Arc<HealthBoard>,
    /// Tells owners.
    pub notifier: Notifier,
    /// Measures.
    pub metrics: Arc<Metrics>,
    /// Those that are out.
    pub canaries: Arc<Canaries>,
    /// What every message passes.
    pub gate: Arc<Gate>,
    /// How closed threads are treated.
    pub settings: Settings,
}

/// How a round ended.
enum End {
    Returned,
    Lost(String),
    /// The watch is over; nothing is known.
    Stopped,
}

impl CanaryKeeper {
    /// Sends canaries for a channel until `stop` is dropped or fires.
    pub async fn watch(self, channel: Arc<Channel>, mut stop: oneshot::Receiver<()>) {
        let record = self.store.canary(channel.org, &channel.id);
        let mut record = record.unwrap_or_else(|error| {
            warn!(event = "canary_not_read", channel = %channel.id, %error, "the record of canaries could not be read");
            CanaryRecord::default()
        });
        if let Some(out) = &record.outstanding {
            // It may still come, and must be known then. Whether it was in time can't be told.
            drop(self.canaries.expect(&channel.id, &out.via, &out.token));
        }
        loop {
            let canary = channel.config().canary.clone();
            let wait = canary.as_ref().map_or(LOOK, |canary| {
                self.until_due(&channel, canary, &record).min(LOOK)
            });
            if let Some(canary) = canary.filter(|_| wait.is_zero()) {
                match self.round(&channel, &canary, &mut record, &mut stop).await {
                    End::Stopped => return,
                    end => self.judge(&channel, end),
                }
                continue;
            }
            tokio::select! {
                biased;
                _ = &mut stop => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// How long until the next one goes out; zero where it goes now.
    fn until_due(
        &self,
        channel: &Channel,
        canary: &config::Canary,
        record: &CanaryRecord,
    ) -> Duration {
        let now_ms = self.store.now();
        // Not before the first check, and not as what is tried first after an outage.
        let status = self.board.status(&channel.id);
        let may_send = matches!(status, HealthStatus::Healthy | HealthStatus::Degraded)
            && channel.down_reason().is_none();
        if !may_send || record.sent_on_day_of(now_ms) >= canary.daily_max {
            return LOOK.min(canary.interval);
        }
        let interval_ms = Millis::try_from(canary.interval.as_millis()).unwrap_or(Millis::MAX);
        let due_ms = record.last_sent_ms.saturating_add(interval_ms);
        Duration::from_millis(u64::try_from(due_ms - now_ms).unwrap_or(0))
    }

    /// Sends one and waits for it.
    async fn round(
        &self,
        channel: &Arc<Channel>,
        canary: &config::Canary,
        record: &mut CanaryRecord,
        stop: &mut oneshot::Receiver<()>,
    ) -> End {
        let token = data_encoding::HEXLOWER.encode(&rand::random::<[u8; 16]>());
        let via = ChannelId::new(&canary.via);
        let back = self.canaries.expect(&channel.id, &via, &token);
        let sent_ms = self.store.now();
        record.send(Outstanding {
            token: token.clone(),
            via,
            sent_ms,
        });
        // Counted before it is sent: a daemon that crashes again and again must not send more.
        if let Err(error) = self.save(channel, record).await {
            return End::Lost(format!("it could not be counted: {error}"));
        }
        if let Err(error) = self.send(channel, canary, &token).await {
            return End::Lost(format!("it could not be sent: {error}"));
        }
        self.metrics.canary_sent(&channel.id);
        tokio::select! {
            biased;
            _ = stop => return End::Stopped,
            () = async { if back.await.is_err() { std::future::pending().await } } => {}
            () = tokio::time::sleep(canary.timeout) => {
                self.metrics.canary_lost(&channel.id);
                return End::Lost(lost(channel, canary));
            }
        }
        let took_ms = self.store.now().saturating_sub(sent_ms);
        self.metrics.canary_returned(&channel.id, took_ms);
        info!(event = "canary_returned", channel = %channel.id, via = canary.via, took_ms, "a canary came back");
        record.outstanding = None;
        if let Err(error) = self.save(channel, record).await {
            warn!(event = "canary_not_saved", channel = %channel.id, %error, "the record of canaries could not be saved");
        }
        End::Returned
    }

    async fn save(
        &self,
        channel: &Channel,
        record: &CanaryRecord,
    ) -> Result<(), crate::store::StoreError> {
        let (org, id) = (channel.org, &channel.id);
        self.store.save_canary(org, id, record).await
    }

    async fn send(
        &self,
        channel: &Arc<Channel>,
        canary: &config::Canary,
        token: &str,
    ) -> Result<(), AcceptError> {
        let mut metadata = Map::new();
        metadata.insert(CANARY.into(), Value::from(token));
        let request = SendRequest {
            to: canary.to.clone(),
            content: Content::text(format!("Canary {token}")),
            reply_to: None,
            priority: Priority::Bulk,
            send_at_ms: None,
            metadata,
            request: None,
            idempotency: None,
        };
        let sender = Sender {
            kind: AuthorKind::System,
            name: Some(CANARY.into()),
        };
        let policy = self.settings.load().thread.closed.into();
        accept(&self.gate, channel, policy, sender, request).await?;
        channel.queue.notify_one();
        Ok(())
    }

    fn judge(&self, channel: &Channel, end: End) {
        let words = match end {
            End::Lost(words) => Some(words),
            End::Returned | End::Stopped => None,
        };
        if let Some(words) = &words {
            self.notifier.raise(Notice {
                org: channel.org,
                channel: Some(channel.id.clone()),
                kind: NoticeKind::CanaryLost,
                words: format!("{}: a canary is lost: {words}", channel.id),
            });
        }
        let now_ms = self.store.now();
        let words = words.map(|words| format!("a canary is lost: {words}"));
        self.board.canary(&channel.id, now_ms, words);
    }
}

fn lost(channel: &Channel, canary: &config::Canary) -> String {
    format!(
        "what {} sent to {} did not come in on {} within {}: sending by the one or receiving on the \
         other does not work",
        channel.id,
        mask_identifier(&canary.to),
        canary.via,
        HumanTime::format(canary.timeout)
    )
}
