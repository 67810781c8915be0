//! Fetches messages that a provider has and we may have missed, and stores those that are not
//! here yet in the same commit as webhooks: after a downtime by itself, else when asked.
//!
//! ```text
//! adapter.list_inbound(since) ─> page of events ─> known? counted ─> commit, listed as BACKFILL
//!            ^                                                          │
//!            └───────────── since = the newest one's time <─────────────┘   until nothing new comes
//! ```
//!
//! A webhook that comes at the same time does no harm: what is stored twice is found in the commit.

use std::{collections::HashSet, sync::Arc, time::Instant};

use parking_lot::Mutex;
use serde_json::Value;
use tracing::info;
use trunkline_plugin_api::{AdapterError, Capability, Event};

use super::{
    Ingress,
    listing::{Lister, PAUSE, Patience},
    threader,
};
use crate::{
    channel::{Channel, Registry},
    config::Settings,
    model::{ChannelId, Millis, WebhookEvent},
    outbound::Transport,
    store::{Inbound, Routed, Store, StoreError},
};

/// How fetched messages are listed among the webhooks, in place of a method.
pub(super) const METHOD: &str = "BACKFILL";
/// The mark in a fetched message's metadata.
const MARK: &str = "backfilled";
/// Events stored in one commit.
const COMMIT_MAX: usize = 20;
/// Pages asked for in one go; what is behind them waits for the next.
const PAGES_MAX: usize = 500;
/// Marks of known messages end with the webhook events; this much before that nobody is asked for.
const HORIZON_MARGIN_MS: Millis = 10 * 60 * 1000;

/// What a back-fill brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Filled {
    /// Messages that the provider listed.
    pub listed: usize,
    /// Those that were not here.
    pub new: usize,
    /// Those that were.
    pub duplicates: usize,
    /// All before this time is here now.
    pub until_ms: Millis,
    /// False where it ended before the list did: go on from `until_ms`.
    pub is_complete: bool,
}

/// Why a back-fill brought less than all.
#[derive(Debug, thiserror::Error)]
pub enum BackfillError {
    /// The adapter can't list what came in.
    #[error("the adapter of this channel can't list inbound messages")]
    Unsupported,
    /// One is under way for this channel.
    #[error("a back-fill of this channel is under way")]
    Busy,
    /// The time asked for makes no sense.
    #[error("{0}")]
    Since(String),
    /// The provider does not tell.
    #[error("the provider could not be asked: {0}")]
    Provider(AdapterError),
    /// What it told could not be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Fetches missed messages. Clones share what is under way.
#[derive(Clone)]
pub struct Backfiller {
    store: Store,
    registry: Arc<Registry>,
    ingress: Arc<Ingress>,
    lister: Lister,
    settings: Settings,
    under_way: Arc<Mutex<HashSet<ChannelId>>>,
    /// Held from looking what is known to the commit: two channels of one account list the same.
    committing: Arc<tokio::sync::Mutex<()>>,
}

/// Where a back-fill is.
struct Walk {
    filled: Filled,
    /// Ids of the messages of the page before.
    last_page: HashSet<String>,
    began: Instant,
}

/// One channel's back-fill under way.
struct Turn(Arc<Mutex<HashSet<ChannelId>>>, ChannelId);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.lock().remove(&self.1);
    }
}

impl Backfiller {
    /// A back-filler that stores as `ingress` does.
    pub fn new(
        store: Store,
        registry: Arc<Registry>,
        ingress: Arc<Ingress>,
        transport: Transport,
        settings: Settings,
    ) -> Self {
        Self {
            lister: Lister {
                store: store.clone(),
                transport,
                settings: settings.clone(),
            },
            store,
            registry,
            ingress,
            settings,
            under_way: Arc::default(),
            committing: Arc::default(),
        }
    }

    /// True where a channel's provider can be asked what came in.
    pub fn can_list(channel: &Channel) -> bool {
        channel.plugin.as_ref().is_some_and(|plugin| {
            let capabilities = &plugin.manifest().capabilities;
            capabilities.contains(&Capability::ListInbound)
        })
    }

    /// The earliest time that may be asked for: by what is older, known messages are no longer
    /// recognized.
    pub fn horizon_ms(&self) -> Millis {
        let kept = self.settings.load().retention.webhook_events;
        let kept_ms = Millis::try_from(kept.as_millis()).unwrap_or(Millis::MAX);
        let horizon = self.store.now().saturating_sub(kept_ms);
        horizon.saturating_add(HORIZON_MARGIN_MS)
    }

    /// Fetches what came in on a channel since a time. What was stored before an error stays.
    pub async fn fill(
        &self,
        channel: &Arc<Channel>,
        since_ms: Millis,
        patience: Patience,
    ) -> Result<Filled, BackfillError> {
        if !Self::can_list(channel) {
            return Err(BackfillError::Unsupported);
        }
        self.check(since_ms)?;
        if !self.under_way.lock().insert(channel.id.clone()) {
            return Err(BackfillError::Busy);
        }
        let _turn = Turn(self.under_way.clone(), channel.id.clone());
        let mut walk = Walk {
            filled: Filled {
                until_ms: since_ms,
                ..Filled::default()
            },
            last_page: HashSet::new(),
            began: Instant::now(),
        };
        for _ in 0..PAGES_MAX {
            self.next_page(channel, patience, &mut walk).await?;
            if walk.filled.is_complete || walk.began.elapsed() >= patience.time_max {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        let filled = walk.filled;
        info!(
        event = "backfill_done",
                   channel = %channel.id,
                   listed = filled.listed,
                   new = filled.new,
                   duplicates = filled.duplicates,
                   complete = filled.is_complete,
                   "inbound messages fetched from the provider"
               );
        Ok(filled)
    }

    /// Takes one page. The next one begins with the newest time of this one, since more may have
    /// come in the same moment; where that brings nothing else, behind it.
    async fn next_page(
        &self,
        channel: &Arc<Channel>,
        patience: Patience,
        walk: &mut Walk,
    ) -> Result<(), BackfillError> {
        let asked_ms = self.store.now();
        let since_ms = walk.filled.until_ms;
        let events = self
            .lister
            .page(channel, since_ms, patience, walk.began)
            .await
            .map_err(BackfillError::Provider)?;
        if events.is_empty() {
            walk.filled.until_ms = asked_ms;
            walk.filled.is_complete = true;
            return Ok(());
        }
        let newest_ms = events.iter().filter_map(sent_at_ms).max();
        let ids = events.iter().filter_map(id).map(str::to_owned).collect();
        let last_page = std::mem::replace(&mut walk.last_page, ids);
        let is_fresh = |event: &Event| id(event).is_some_and(|id| !last_page.contains(id));
        if events.iter().any(is_fresh) {
            let fresh = events.into_iter().filter(|event| {
                // What has no id goes with the messages around it.
                id(event).is_none() || is_fresh(event)
            });
            self.store_all(channel, fresh.collect(), &mut walk.filled)
                .await?;
        }
        walk.filled.until_ms = match newest_ms {
            Some(newest_ms) if newest_ms > since_ms => newest_ms,
            _ => since_ms + 1,
        };
        Ok(())
    }

    fn check(&self, since_ms: Millis) -> Result<(), BackfillError> {
        if since_ms > self.store.now() {
            let words = "since is in the future: give a time in the past, or how long ago";
            return Err(BackfillError::Since(words.into()));
        }
        if since_ms < self.horizon_ms() {
            let words = "since is too long ago: messages older than [retention] webhook_events are no \
                         longer recognized and would come twice";
            return Err(BackfillError::Since(words.into()));
        }
        Ok(())
    }

    async fn store_all(
        &self,
        channel: &Arc<Channel>,
        events: Vec<Event>,
        filled: &mut Filled,
    ) -> Result<(), BackfillError> {
        let mut events = events.into_iter().peekable();
        while events.peek().is_some() {
            let some: Vec<Event> = events.by_ref().take(COMMIT_MAX).collect();
            filled.listed += some.iter().filter_map(id).count();
            self.commit(channel, some, filled).await?;
        }
        Ok(())
    }

    /// Stores what is not here yet.
    async fn commit(
        &self,
        channel: &Arc<Channel>,
        events: Vec<Event>,
        filled: &mut Filled,
    ) -> Result<(), BackfillError> {
        let _alone = self.committing.lock().await;
        let routes = self.registry.routes();
        let mut fresh = Vec::new();
        for mut routed in threader::route(&routes, channel, events) {
            if self.is_known(channel, &routed)? {
                filled.duplicates += 1;
                continue;
            }
            if let Event::Message(message) = &mut routed.event {
                message.metadata.insert(MARK.into(), Value::Bool(true));
            }
            fresh.push(routed);
        }
        if fresh.is_empty() {
            return Ok(());
        }
        let returned = self.ingress.canaries().mark(&mut fresh);
        let result = self
            .store
            .commit_inbound(Inbound {
                org: channel.org,
                record: self.record(channel),
                events: fresh,
                policy: self.ingress.policy(),
                began: Instant::now(),
                is_replay: false,
            })
            .await?;
        self.ingress.canaries().returned(&returned);
        filled.new += result.messages.len();
        filled.duplicates += usize::try_from(result.duplicates).unwrap_or(usize::MAX);
        self.ingress.count_fetched(channel, &result);
        Ok(())
    }

    /// Whether a message is here, on this channel or on another of the same account: where no
    /// channel has the address that it came to, the one whose webhook was called has it.
    fn is_known(&self, channel: &Channel, event: &Routed) -> Result<bool, StoreError> {
        let Some(id) = id(&event.event) else {
            return Ok(false);
        };
        let adapter = &channel.config().adapter;
        for other in self.registry.routes().channels() {
            let is_near = other.org == channel.org && other.config().adapter == *adapter;
            if is_near && self.store.holder(other.org, &other.id, id)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// How fetched messages are listed: as one event without a raw request.
    fn record(&self, channel: &Channel) -> WebhookEvent {
        let id = self.store.new_event_id();
        WebhookEvent::new(id, channel.id.clone(), self.store.now(), METHOD)
    }
}

fn id(event: &Event) -> Option<&str> {
    match event {
        Event::Message(message) => Some(&message.id),
        _ => None,
    }
}

fn sent_at_ms(event: &Event) -> Option<Millis> {
    match event {
        Event::Message(message) => message.sent_at_ms,
        _ => None,
    }
}
