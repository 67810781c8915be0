//! The outbox of one channel: takes what is due, while the channel's health and pace let it, and
//! runs the attempts side by side. Order within one contact is kept by the queue itself: only the
//! first in line is ever due.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use futures_util::{FutureExt as _, StreamExt as _, stream::FuturesUnordered};
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tracing::warn;

use super::{
    MediaLinks, Pace, Reconciler, Transport,
    attempt::{Attempter, Left, STORE_WAIT},
    bucket::SharedBucket,
    observe::Observer,
    pace::Bounds,
    slots,
    slots::Slots,
    window::{self, Settler},
};
use crate::{
    channel::Channel,
    config::{Rate, Settings},
    metrics::Metrics,
    model::{Message, MessageId, Millis, OutboxItem, OutboxState},
    store::{OutboxFilter, Quota, Store, StoreError},
    watch::{HealthBoard, Notifier},
};

/// Longest sleep when nothing is due; also how soon a change of health is noticed at the latest.
const IDLE: Duration = Duration::from_secs(1);
/// The same while sends are held.
const HELD_IDLE: Duration = Duration::from_millis(100);
/// After a send of unknown outcome the provider is asked about it: not at once, since it may be
/// working on it still.
const LOOK_UP_AFTER: Duration = Duration::from_secs(1);
/// Sends of unknown outcome looked up at a start; the poller goes on with the rest.
const LOOK_UPS_MAX: usize = 500;
/// Attempts under way for each call to the provider: while one is called, another is stored.
const ATTEMPTS_PER_CALL: usize = 3;
/// After this many answers in a row the bulk lane has its turn.
const REPLIES_IN_A_ROW: usize = 8;

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
    /// The rates that channels share.
    pub accounts: Arc<Accounts>,
    /// Links to files for providers that fetch.
    pub links: Arc<MediaLinks>,
}

/// The rates of provider accounts that several channels share, by name.
#[derive(Default)]
pub struct Accounts(Mutex<HashMap<String, Arc<SharedBucket>>>);

impl Accounts {
    fn bucket(&self, name: &str, rate: Rate, now_ms: Millis) -> Arc<SharedBucket> {
        let mut buckets = self.0.lock();
        let bucket = buckets
            .entry(name.to_owned())
            .or_insert_with(|| Arc::new(SharedBucket::new(rate, now_ms)));
        bucket.clone()
    }
}

/// Calls to a provider at once on a channel.
pub(super) fn concurrency(channel: &Channel, settings: &Settings) -> usize {
    let own = channel.config().concurrency;
    own.unwrap_or_else(|| settings.load().outbound.concurrency) as usize
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
            granted: concurrency(&channel, &context.settings),
            channel,
            context,
            was_held: false,
            replies_in_a_row: 0,
            windows: Settler::default(),
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
    /// Calls at once that the semaphore was made for.
    granted: usize,
    /// Whether the channel's health held its sends when it was last looked at.
    was_held: bool,
    replies_in_a_row: usize,
    windows: Settler,
}

/// An attempt that ended.
struct Ended {
    id: MessageId,
    is_bulk: bool,
    left: Left,
}

/// The attempts under way.
#[derive(Default)]
struct UnderWay {
    ids: HashSet<MessageId>,
    bulk: usize,
}

impl UnderWay {
    fn begin(&mut self, item: &OutboxItem) {
        self.ids.insert(item.message);
        self.bulk += usize::from(is_bulk(item));
    }

    fn end(&mut self, ended: &Ended) {
        self.ids.remove(&ended.id);
        self.bulk -= usize::from(ended.is_bulk);
    }
}

fn is_bulk(item: &OutboxItem) -> bool {
    item.priority == crate::model::Priority::Bulk
}

impl Worker {
    async fn run(mut self, mut stopping: oneshot::Receiver<()>) {
        let (context, channel) = (self.context.clone(), self.channel.clone());
        let pace = Mutex::new(Pace::default());
        let slots = Slots::new(self.granted);
        let observer = Observer {
            channel: &channel,
            context: &context,
            pace: &pace,
        };
        let attempter = Attempter {
            channel: &channel,
            context: &context,
            observer: &observer,
            slots: &slots,
        };
        let reconciler = Reconciler::new(&context);
        let attempter = &attempter;
        let run = |item: OutboxItem, message: Message| async move {
            let (id, is_bulk) = (item.message, is_bulk(&item));
            let left = attempter.run(&item, message).await;
            Ended { id, is_bulk, left }
        };
        let (resumed, uncertain) = self.recover(attempter).await;
        let look_up = |id| look_up(&reconciler, &channel, id);
        let mut look_ups: FuturesUnordered<_> = uncertain.into_iter().map(look_up).collect();
        let mut under_way = UnderWay::default();
        let mut attempts = FuturesUnordered::new();
        for (item, message) in resumed {
            under_way.begin(&item);
            attempts.push(run(item, message));
        }
        loop {
            self.granted = slots.resize(concurrency(&channel, &context.settings));
            for (item, message) in self.take(&under_way, &pace).await {
                under_way.begin(&item);
                attempts.push(run(item, message));
            }
            let idle = self.idle(&under_way, &pace);
            let ended = tokio::select! {
                _ = &mut stopping => break,
                Some(ended) = attempts.next() => Some(ended),
                Some(()) = look_ups.next() => None,
                () = self.channel.queue.notified() => None,
                () = tokio::time::sleep(idle) => None,
            };
            // Whatever else has ended makes room too, before the queue is read again.
            let mut next = ended;
            while let Some(ended) = next {
                under_way.end(&ended);
                if let Left::LookUp(id) = ended.left {
                    look_ups.push(look_up(id));
                }
                next = attempts.next().now_or_never().flatten();
            }
        }
        // A planned stop costs no attempt: what was begun is finished.
        while attempts.next().await.is_some() {}
    }

    /// Settles the items that were leased when the daemon last stopped. Gives those whose attempt
    /// goes on, and the first [`LOOK_UPS_MAX`] of the channel whose outcome is unknown, earlier
    /// runs' included.
    async fn recover(
        &self,
        attempter: &Attempter<'_>,
    ) -> (Vec<(OutboxItem, Message)>, Vec<MessageId>) {
        let (org, id) = (self.channel.org, &self.channel.id);
        let store = &self.context.store;
        let recovered = async {
            let mut resumed = Vec::new();
            for (item, message) in store.leased(org, id).await? {
                if attempter.recover(&item, &message).await {
                    resumed.push((item, message));
                }
            }
            let uncertain = OutboxFilter::of(id, OutboxState::Uncertain);
            let page = store.outbox(org, &uncertain, None, LOOK_UPS_MAX)?;
            let uncertain = page.items.into_iter().map(|item| item.message).collect();
            Ok::<_, StoreError>((resumed, uncertain))
        };
        recovered.await.unwrap_or_else(|error| {
            warn!(event = "outbox_not_recovered", channel = %id, %error, "what the last run left could not be read");
            (Vec::new(), Vec::new())
        })
    }

    async fn take(
        &mut self,
        under_way: &UnderWay,
        pace: &Mutex<Pace>,
    ) -> Vec<(OutboxItem, Message)> {
        if !self.may_send() {
            self.was_held = true;
            return Vec::new();
        }
        if std::mem::take(&mut self.was_held) {
            pace.lock().recovered();
        }
        let store = &self.context.store;
        self.windows
            .settle(&self.channel, &self.context, store.now())
            .await;
        let now = store.passed();
        let room = self.with_bounds(now, |bounds| {
            pace.lock().room(bounds, under_way.ids.len(), now)
        });
        if room == 0 || self.is_busy(under_way) {
            return Vec::new();
        }
        let bulk_most = slots::open_to_bulk(self.granted * ATTEMPTS_PER_CALL);
        let quota = Quota {
            room,
            bulk: bulk_most.saturating_sub(under_way.bulk),
            bulk_first: self.replies_in_a_row >= REPLIES_IN_A_ROW,
        };
        let due = self
            .context
            .store
            .due(self.channel.org, &self.channel.id, quota, &under_way.ids);
        match due {
            Ok(due) => {
                let due = window::inside(&self.channel, &self.context.store, due).await;
                self.count(&due);
                self.with_bounds(now, |bounds| pace.lock().begin(bounds, due.len(), now));
                due
            }
            Err(error) => {
                warn!(event = "outbox_not_read", channel = %self.channel.id, %error, "the queue could not be read; sends wait");
                tokio::time::sleep(STORE_WAIT).await;
                Vec::new()
            }
        }
    }

    /// True while nearly as many attempts are under way as there may be: then the queue is not read for
    /// each that ends, but for several together. Others wait for their slot meanwhile.
    fn is_busy(&self, under_way: &UnderWay) -> bool {
        let free = (self.granted * ATTEMPTS_PER_CALL).saturating_sub(under_way.ids.len());
        free < self.granted / 2
    }

    fn count(&mut self, due: &[(OutboxItem, Message)]) {
        for (item, _) in due {
            self.replies_in_a_row = if is_bulk(item) {
                0
            } else {
                self.replies_in_a_row + 1
            };
        }
    }

    /// What bounds the channel now. While some calls are made others are stored, so that attempts
    /// may be more than calls.
    fn with_bounds<R>(&self, now: Millis, run: impl FnOnce(Bounds<'_>) -> R) -> R {
        let config = self.channel.config();
        let settings = self.context.settings.load();
        let account = config.account.as_ref().and_then(|name| {
            let rate = *settings.accounts.get(name)?;
            Some((self.context.accounts.bucket(name, rate, now), rate))
        });
        run(Bounds {
            concurrency: self.granted * ATTEMPTS_PER_CALL,
            rate: config.rate,
            account: account.as_ref().map(|(bucket, rate)| (&**bucket, *rate)),
        })
    }

    fn may_send(&self) -> bool {
        let can_send = self
            .channel
            .facts
            .as_ref()
            .is_some_and(|facts| facts.can_send);
        can_send
            && self.channel.down_reason().is_none()
            && self.has_room()
            && !self.context.store.has_jumped()
            && self.context.health.lets_send(&self.channel.id)
    }

    /// Whether the store can take what a send needs: its lease and its outcome.
    fn has_room(&self) -> bool {
        let engine = self.context.store.engine();
        engine.admit_new().is_ok() && engine.is_writing()
    }

    /// How long to sleep: until the next item is due and may begin, not longer than [`IDLE`].
    fn idle(&self, under_way: &UnderWay, pace: &Mutex<Pace>) -> Duration {
        if !self.may_send() {
            return HELD_IDLE;
        }
        let store = &self.context.store;
        let now = store.passed();
        let (room, wait) = self.with_bounds(now, |bounds| {
            let mut pace = pace.lock();
            let room = pace.room(bounds, under_way.ids.len(), now);
            (room, pace.wait_ms(bounds, now))
        });
        if room == 0 {
            // An end of an attempt wakes earlier.
            let wait = u64::try_from(wait).unwrap_or(0);
            return if wait == 0 {
                IDLE
            } else {
                Duration::from_millis(wait).min(IDLE)
            };
        }
        if under_way.ids.len() > self.granted {
            // Some wait for a slot and look due still; what else is due would wait too.
            return IDLE;
        }
        match store.next_due(self.channel.org, &self.channel.id) {
            Ok(Some(due)) => {
                let until = u64::try_from(due - store.now()).unwrap_or(0).max(1);
                Duration::from_millis(until).min(IDLE)
            }
            _ => IDLE,
        }
    }
}

async fn look_up(reconciler: &Reconciler, channel: &Channel, id: MessageId) {
    tokio::time::sleep(LOOK_UP_AFTER).await;
    reconciler.settle(channel, id).await;
}
