//! From what an adapter read to one commit: each event goes to the channel whose address it names.

use std::{sync::Arc, time::Instant};

use trunkline_plugin_api::{Event, InboundMessage, WebhookRequest};

use super::reader;
use crate::{
    channel::{Channel, Routes},
    model::{EventId, Millis, Outcome, WebhookEvent},
    store::{ClosedPolicy, INLINE_BYTES_MAX, Inbound, InboundResult, Routed, Store, StoreError},
    watch::Canaries,
};

/// Bytes of the provider's ids and of the reason kept in a listed event.
const REASON_CHARS_MAX: usize = 300;

/// A verified webhook on its way to the store.
pub(super) struct Verified<'a> {
    pub(super) id: EventId,
    pub(super) channel: &'a Arc<Channel>,
    pub(super) request: &'a Arc<WebhookRequest>,
    pub(super) events: Vec<Event>,
    /// Why it could not be read, where it could not.
    pub(super) unparsed: Option<String>,
    pub(super) began: Instant,
}

/// Stores a verified webhook with everything in it.
pub(super) async fn commit(
    store: &Store,
    routes: &Routes,
    canaries: &Canaries,
    policy: ClosedPolicy,
    verified: Verified<'_>,
) -> Result<InboundResult, StoreError> {
    let mut record = raw_record(store, &verified).await?;
    if let Some(reason) = verified.unparsed {
        record.outcome = Outcome::Unparsed;
        record.reason = Some(clip(&reason));
    }
    let received_at_ms = record.received_at_ms;
    let mut events = limited(routes, verified.channel, verified.events, received_at_ms);
    let returned = canaries.mark(&mut events);
    let result = store
        .commit_inbound(Inbound {
            org: verified.channel.org,
            record,
            events,
            policy,
            began: verified.began,
            is_replay: false,
        })
        .await?;
    canaries.returned(&returned);
    Ok(result)
}

/// Keeps a genuine webhook that we failed on; the replayer takes it from there.
pub(super) async fn keep_pending(
    store: &Store,
    verified: Verified<'_>,
    reason: &str,
) -> Result<InboundResult, StoreError> {
    let mut record = raw_record(store, &verified).await?;
    record.outcome = Outcome::Pending;
    record.reason = Some(clip(reason));
    store
        .commit_inbound(Inbound {
            org: verified.channel.org,
            record,
            events: Vec::new(),
            policy: ClosedPolicy::Reopen,
            began: verified.began,
            is_replay: false,
        })
        .await
}

/// Gives each event its channel, and reads in messages what concerns the gateway itself.
pub(super) fn route(routes: &Routes, receiver: &Arc<Channel>, events: Vec<Event>) -> Vec<Routed> {
    routed(routes, receiver, events, |_, _| false)
}

/// The same for what has just come in: each channel notes that it heard
/// something, messages over a limit are marked.
pub(super) fn limited(
    routes: &Routes,
    receiver: &Arc<Channel>,
    events: Vec<Event>,
    received_at_ms: Millis,
) -> Vec<Routed> {
    routed(routes, receiver, events, |channel, message| {
        channel.heard(received_at_ms);
        let limits = &channel.config().inbound;
        channel.limiter.is_over(limits, &message.sender.identity)
    })
}

fn routed(
    routes: &Routes,
    receiver: &Arc<Channel>,
    events: Vec<Event>,
    is_over: impl Fn(&Channel, &InboundMessage) -> bool,
) -> Vec<Routed> {
    let config = receiver.settings().load();
    let answered = reader::answers_by_itself(&events);
    let route = |event: Event| {
        let channel = routes.by_address(receiver, event.address());
        let mut reading = None;
        if let Event::Message(message) = &event {
            reading = reader::read(&channel, &config, message, answered);
            if is_over(&channel, message) {
                reading.get_or_insert_default().limited = true;
            }
        }
        Routed {
            channel: channel.reference(),
            event,
            reading,
        }
    };
    events.into_iter().map(route).collect()
}

/// The listed event with its raw request, for replay. Large bodies go to a file, which is durable
/// before this returns.
async fn raw_record(store: &Store, verified: &Verified<'_>) -> Result<WebhookEvent, StoreError> {
    let (channel, request) = (verified.channel, verified.request);
    let mut record = WebhookEvent {
        raw_url: Some(request.url.clone()),
        raw_headers: request.headers.clone(),
        ..WebhookEvent::new(
            verified.id,
            channel.id.clone(),
            store.now(),
            &request.method,
        )
    };
    if request.body.len() <= INLINE_BYTES_MAX {
        record.raw_body = request.body.to_vec();
        return Ok(record);
    }
    let (store, request) = (store.clone(), request.clone());
    let kept = tokio::task::spawn_blocking(move || store.files().keep(&request.body)).await;
    let name = kept
        .map_err(|error| StoreError::Failed(format!("a body could not be kept: {error}")))?
        .map_err(|error| StoreError::Failed(format!("a body could not be kept: {error}")))?;
    record.raw_file = Some(name);
    Ok(record)
}

pub(super) fn clip(text: &str) -> String {
    text.chars().take(REASON_CHARS_MAX).collect()
}
