//! The outbox of one channel: leases what is due, while the channel's health lets it, and runs the
//! attempts side by side. Order within one contact is kept by the queue itself: only the first in
//! line is ever due.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio::sync::oneshot;
use tracing::{info, warn};
use trunkline_plugin_api::ErrorClass;

use super::{
    Reconciler, Transport,
    attempt::{Attempter, Seen},
};
use crate::{
    channel::Channel,
    config::Settings,
    metrics::Metrics,
    model::{Message, MessageId, Millis, OutboxItem},
    store::{Store, StoreError},
    watch::{HealthBoard, Notifier},
};

/// Attempts under way at once on one channel.
const CONCURRENCY: usize = 16;
/// Longest sleep when nothing is due; also how soon a change of health is noticed at the latest.
const IDLE: Duration = Duration::from_secs(1);
/// After a send of unknown outcome the provider is asked about it: not at once, since it may be
/// working on it still.
const LOOK_UP_AFTER: Duration = Duration::from_secs(1);
/// Sends of unknown outcome looked up at a start; the poller goes on with the rest.
const LOOK_UPS_MAX: usize = 500;
/// Wait after the store refused.
const STORE_WAIT: Duration = Duration::from_secs(1);
/// Pause of the whole channel where the provider throttles without saying for how long.
const THROTTLE_WAIT_MS: u64 = 1_000;

/// What an outbox needs.
#[derive(Clone)]
pub struct OutboxContext {
    /// Where the queue is.
    pub store: Store,
    /// How calls are made.
    pub transport: Transport,
    /// When failures are tried again, and what providers call for states.
    pub settings: Settings,
    /// Whether the channel may send now.
    pub health: Arc<HealthBoard>,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// Tells owners.
    pub notifier: Notifier,
}

/// A running outbox.
pub struct Outbox {
    stop: Option<oneshot::Sender<()>>,
    stopped: Option<oneshot::Receiver<()>>,
}

impl Outbox {
    /// Starts the outbox of a channel on an arbiter.
    pub fn start(
        channel: Arc<Channel>,
        context: OutboxContext,
        arbiter: &actix::ArbiterHandle,
    ) -> Self {
        let (stop, stopping) = oneshot::channel();
        let (done, stopped) = oneshot::channel();
        let worker = Worker {
            channel,
            context,
            paused_until_ms: 0,
        };
        arbiter.spawn(async move {
            worker.run(stopping).await;
            let _ = done.send(());
        });
        Self {
            stop: Some(stop),
            stopped: Some(stopped),
        }
    }

    /// Begins nothing new and waits for the attempts under way.
    pub async fn stop(mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(stopped) = self.stopped.take() {
            let _ = stopped.await;
        }
    }
}

struct Worker {
    channel: Arc<Channel>,
    context: OutboxContext,
    paused_until_ms: Millis,
}

impl Worker {
    async fn run(mut self, mut stopping: oneshot::Receiver<()>) {
        let interrupted = self.recover().await;
        let context = self.context.clone();
        let channel = self.channel.clone();
        let attempter = Attempter {
            store: &context.store,
            channel: &channel,
            transport: &context.transport,
            settings: &context.settings,
        };
        let reconciler = Reconciler {
            store: context.store.clone(),
            transport: context.transport.clone(),
            settings: context.settings.clone(),
        };
        let mut look_ups = FuturesUnordered::new();
        for id in interrupted {
            look_ups.push(look_up(&reconciler, &channel, id));
        }
        let mut under_way = FuturesUnordered::new();
        loop {
            let leased = self.lease(CONCURRENCY - under_way.len()).await;
            for (item, message) in leased {
                let attempter = &attempter;
                under_way.push(async move { attempter.run(&item, &message).await });
            }
            let idle = self.idle(under_way.len());
            tokio::select! {
                _ = &mut stopping => break,
                Some(seen) = under_way.next() => {
                    self.note(&seen);
                    if let Seen::Uncertain(id, _) = seen {
                        look_ups.push(look_up(&reconciler, &channel, id));
                    }
                }
                Some(()) = look_ups.next() => {}
                () = self.channel.queue.notified() => {}
                () = tokio::time::sleep(idle) => {}
            }
        }
        // A planned stop costs no attempt: what was begun is finished.
        while let Some(seen) = under_way.next().await {
            self.note(&seen);
        }
    }

    /// Settles the items that were leased when the daemon last stopped; gives every item of the
    /// channel whose outcome is unknown, those of earlier runs included.
    async fn recover(&self) -> Vec<MessageId> {
        let OutboxContext {
            store,
            transport,
            settings,
            ..
        } = &self.context;
        let attempter = Attempter {
            store,
            channel: &self.channel,
            transport,
            settings,
        };
        let (org, id) = (self.channel.org, &self.channel.id);
        let uncertain = async {
            for (item, _) in store.leased(org, id).await? {
                attempter.recover(&item).await;
            }
            let page = store.outbox(org, Some("uncertain"), None, LOOK_UPS_MAX)?;
            let own = page.items.into_iter().filter(|item| item.channel == *id);
            Ok::<_, StoreError>(own.map(|item| item.message).collect())
        };
        uncertain.await.unwrap_or_else(|error| {
            warn!(channel = %id, %error, "what the last run left could not be read");
            Vec::new()
        })
    }

    async fn lease(&self, room: usize) -> Vec<(OutboxItem, Message)> {
        if room == 0 || !self.may_send() {
            return Vec::new();
        }
        let leased = self
            .context
            .store
            .lease_due(self.channel.org, &self.channel.id, room)
            .await;
        match leased {
            Ok(leased) => leased,
            Err(error) => {
                warn!(channel = %self.channel.id, %error, "the queue could not be read; sends wait");
                tokio::time::sleep(STORE_WAIT).await;
                Vec::new()
            }
        }
    }

    fn may_send(&self) -> bool {
        let can_send = self
            .channel
            .facts
            .as_ref()
            .is_some_and(|facts| facts.can_send);
        can_send
            && self.channel.down_reason().is_none()
            && self.context.health.lets_send(&self.channel.id)
            && self.context.store.now() >= self.paused_until_ms
    }

    /// How long to sleep: until the next item is due, not longer than [`IDLE`].
    fn idle(&self, under_way: usize) -> Duration {
        if under_way >= CONCURRENCY || !self.may_send() {
            return IDLE.min(Duration::from_millis(100));
        }
        let next = self
            .context
            .store
            .next_due(self.channel.org, &self.channel.id)
            .ok()
            .flatten();
        let now = self.context.store.now();
        match next {
            Some(due) => Duration::from_millis(u64::try_from(due - now).unwrap_or(0)).min(IDLE),
            None => IDLE,
        }
    }

    /// Tells health and metrics what was seen.
    fn note(&mut self, seen: &Seen) {
        let OutboxContext {
            health,
            metrics,
            store,
            ..
        } = &self.context;
        match seen {
            Seen::Nothing => {}
            Seen::Sent(receipt) => {
                metrics.sent(&self.channel.id);
                health.sent(&self.channel.id, store.now(), receipt.rate_limit_remaining);
            }
            Seen::Failed(error) | Seen::Uncertain(_, error) => {
                metrics.send_failed(&self.channel.id, error.class);
                info!(channel = %self.channel.id, class = error.class.as_str(), code = %error.code, provider_code = error.provider_code.as_deref(), "a send failed");
                match error.class {
                    ErrorClass::Credentials => health.refused(&self.channel.id, &error.message),
                    ErrorClass::Throttled => {
                        let wait = error.retry_after_ms.unwrap_or(THROTTLE_WAIT_MS);
                        let wait = Millis::try_from(wait).unwrap_or(Millis::MAX);
                        self.paused_until_ms = store.now().saturating_add(wait);
                    }
                    _ => {}
                }
            }
        }
    }
}

async fn look_up(reconciler: &Reconciler, channel: &Channel, id: MessageId) {
    tokio::time::sleep(LOOK_UP_AFTER).await;
    reconciler.settle(channel, id).await;
}
