//! Runs kept webhooks through the adapter again: by the daemon for those we failed on, by a person
//! for those that an older adapter could not read.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::sync::oneshot;
use tracing::{info, warn};
use trunkline_plugin_api::{AdapterError, Event, Received, Verdict, WebhookRequest};

use super::{backfill::METHOD, threader};
use crate::{
    channel::{Channel, ChannelError, Registry},
    inbound::Ingress,
    model::{ERASED, EventId, Outcome, WebhookEvent},
    outbound::{Transport, drive, no_memory},
    store::{Inbound, Store, StoreError},
};

/// Between two looks at what is pending.
const INTERVAL: Duration = Duration::from_secs(2);
/// Longest pause after failures.
const INTERVAL_MAX: Duration = Duration::from_secs(60);
/// Pending webhooks taken in one look.
const ROUND_MAX: usize = 100;

/// What a replay did, or would do.
#[derive(Debug, Clone)]
pub struct Replayed {
    /// What became of it.
    pub outcome: Outcome,
    /// Messages that are new by it, or would be.
    pub messages: usize,
    /// What the adapter reads in it.
    pub events: Vec<Event>,
}

/// Why a replay brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// No such event is kept.
    #[error("no webhook event with this id is kept")]
    NotFound,
    /// The raw request can't be read any more.
    #[error("the raw request can't be read: {0}")]
    Body(String),
    /// The adapter no longer vouches for it.
    #[error("the adapter does not vouch for it any more: {0}")]
    NotGenuine(String),
    /// The channel does not answer.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// It only announced what came in, and the provider does not tell it.
    #[error("the provider could not be asked: {0}")]
    Provider(AdapterError),
    /// It could not be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Replays webhooks.
#[derive(Clone)]
pub struct Replayer {
    store: Store,
    registry: Arc<Registry>,
    ingress: Arc<Ingress>,
    transport: Transport,
}

impl Replayer {
    /// A replayer that stores as `ingress` does.
    pub fn new(
        store: Store,
        registry: Arc<Registry>,
        ingress: Arc<Ingress>,
        transport: Transport,
    ) -> Self {
        Self {
            store,
            registry,
            ingress,
            transport,
        }
    }

    /// Replays what is pending until `stop` is dropped or fires; looks less often while it fails.
    pub async fn run(self, mut stop: oneshot::Receiver<()>) {
        let mut wait = INTERVAL;
        loop {
            tokio::select! {
                _ = &mut stop => return,
                () = tokio::time::sleep(wait) => {}
                () = self.ingress.follow_up() => {}
            }
            wait = if self.round().await {
                INTERVAL
            } else {
                (wait * 2).min(INTERVAL_MAX)
            };
        }
    }

    /// One look at every channel. False where something still can't be threaded.
    async fn round(&self) -> bool {
        let mut all_well = true;
        for channel in self.registry.routes().channels() {
            let pending = self
                .store
                .pending_events(channel.org, &channel.id, ROUND_MAX);
            for event in pending.unwrap_or_default() {
                match self.replay(channel, event, false).await {
                    Ok(done) => {
                        info!(event = "webhook_replayed", channel = %channel.id, outcome = done.outcome.as_str(), "a pending webhook was replayed");
                    }
                    Err(error) => {
                        all_well = false;
                        warn!(event = "webhook_replay_postponed", channel = %channel.id, %error, "a pending webhook could not be replayed yet");
                    }
                }
            }
        }
        all_well
    }

    /// Replays one event by its id. A dry run stores nothing.
    pub async fn by_id(
        &self,
        channel: &Arc<Channel>,
        id: EventId,
        dry_run: bool,
    ) -> Result<Replayed, ReplayError> {
        let event = self.store.webhook_event(channel.org, &channel.id, id)?;
        let event = event.ok_or(ReplayError::NotFound)?;
        self.replay(channel, event, dry_run).await
    }

    async fn replay(
        &self,
        channel: &Arc<Channel>,
        mut record: WebhookEvent,
        dry_run: bool,
    ) -> Result<Replayed, ReplayError> {
        let began = Instant::now();
        let request = Arc::new(self.request(&record).await?);
        let asked = request.clone();
        let received = channel
            .call("receive", move |instance| instance.receive(&asked))
            .await?;
        check_verdict(&received)?;
        let mut events = received.events;
        if let Some(reason) = received.unparsed {
            return self.still_unparsed(channel, &record, reason, dry_run).await;
        }
        let is_announced = !received.follow_up.is_null();
        if is_announced {
            events.extend(self.complete(channel, received.follow_up).await?);
        }
        if dry_run {
            return self.preview(channel, events);
        }
        let is_first = record.outcome == Outcome::Pending;
        record.reason = None;
        let routes = self.registry.routes();
        let mut for_store = if is_announced && is_first {
            threader::limited(&routes, channel, events.clone(), record.received_at_ms)
        } else {
            threader::route(&routes, channel, events.clone())
        };
        let returned = self.ingress.canaries().mark(&mut for_store);
        let result = self
            .store
            .commit_inbound(Inbound {
                org: channel.org,
                record,
                events: for_store,
                policy: self.ingress.policy(),
                began,
                is_replay: true,
            })
            .await?;
        self.ingress.canaries().returned(&returned);
        if is_announced && is_first {
            self.ingress.count_fetched(channel, &result);
        }
        Ok(Replayed {
            outcome: result.outcome,
            messages: result.messages.len(),
            events,
        })
    }

    /// Asks the provider for what a webhook announced.
    async fn complete(
        &self,
        channel: &Arc<Channel>,
        follow_up: Value,
    ) -> Result<Vec<Event>, ReplayError> {
        let follow_up = Arc::new(follow_up);
        let events = drive(
            channel,
            &self.transport,
            "complete",
            Value::Null,
            || self.store.wall(),
            move |instance, turn| instance.complete(&follow_up, turn),
            no_memory,
        )
        .await;
        events.map_err(|error| ReplayError::Provider(error.into_adapter_error()))
    }

    /// What a replay would store: messages that are not here yet.
    fn preview(&self, channel: &Arc<Channel>, events: Vec<Event>) -> Result<Replayed, ReplayError> {
        let routes = self.registry.routes();
        let (mut new, mut known) = (0, 0);
        for routed in threader::route(&routes, channel, events.clone()) {
            let Event::Message(message) = &routed.event else {
                continue;
            };
            let owner = &routed.channel;
            match self.store.holder(owner.org, &owner.id, &message.id)? {
                Some(_) => known += 1,
                None => new += 1,
            }
        }
        let outcome = match (new, known) {
            (0, 1..) => Outcome::Duplicate,
            _ => Outcome::Accepted,
        };
        Ok(Replayed {
            outcome,
            messages: new,
            events,
        })
    }

    async fn still_unparsed(
        &self,
        channel: &Channel,
        record: &WebhookEvent,
        reason: String,
        dry_run: bool,
    ) -> Result<Replayed, ReplayError> {
        if !dry_run {
            self.store
                .mark_event(
                    channel.org,
                    &channel.id,
                    record.id,
                    Outcome::Unparsed,
                    Some(reason),
                )
                .await?;
        }
        Ok(Replayed {
            outcome: Outcome::Unparsed,
            messages: 0,
            events: Vec::new(),
        })
    }

    async fn request(&self, record: &WebhookEvent) -> Result<WebhookRequest, ReplayError> {
        if record.method == ERASED {
            return Err(ReplayError::Body(
                "what this webhook brought was erased".into(),
            ));
        }
        if record.method == METHOD {
            let why = "these messages were fetched from the provider, there was no request";
            return Err(ReplayError::Body(why.into()));
        }
        let body = match record.raw_file.clone() {
            None => record.raw_body.clone(),
            Some(name) => {
                let store = self.store.clone();
                tokio::task::spawn_blocking(move || store.files().read(&name))
                    .await
                    .map_err(|error| ReplayError::Body(error.to_string()))?
                    .map_err(|error| ReplayError::Body(error.to_string()))?
            }
        };
        Ok(WebhookRequest {
            method: record.method.clone(),
            url: record.raw_url.clone().unwrap_or_default(),
            headers: record.raw_headers.clone(),
            received_at_ms: record.received_at_ms,
            body: body.into(),
        })
    }
}

fn check_verdict(received: &Received) -> Result<(), ReplayError> {
    if received.verdict == Verdict::Authentic {
        return Ok(());
    }
    let reason = received.reason.clone().unwrap_or_default();
    Err(ReplayError::NotGenuine(reason))
}
