//! One webhook, one commit: dedupe marks, people, threads, messages, states and the webhook event.

use std::time::Instant;

use trunkline_plugin_api::{Event, InboundMessage};

use super::{
    Reading, Store,
    changes::Change,
    codec, consent, contacts,
    engine::{StoreError, Transaction},
    keys,
    reading::Reader,
    records::{self, ClosedPolicy, Conversation, Peer},
    reports::{self, Applied},
};
use crate::model::{
    Author, AuthorKind, ChannelId, Direction, EventId, Mark, Message, MessageId, Millis, OrgId,
    Outcome, Source, Status, ThreadId, WebhookEvent,
};
use trunkline_plugin_api::Medium;

/// Bytes of a message's record; the engine takes a little more.
const MESSAGE_BYTES_MAX: usize = 100 * 1024;
/// Bytes of text kept of a message that is larger.
const TEXT_BYTES_KEPT: usize = 32 * 1024;
/// Attachments kept of a message that is larger.
const MEDIA_KEPT: usize = 10;

/// A channel as far as the store is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelRef {
    /// Its id.
    pub id: ChannelId,
    /// Whose it is.
    pub org: OrgId,
    /// What it carries.
    pub medium: Medium,
}

/// An event and the channel whose address it names.
#[derive(Debug, Clone)]
pub struct Routed {
    /// Where it belongs.
    pub channel: ChannelRef,
    /// What it is.
    pub event: Event,
    /// What the gateway itself reads in it.
    pub reading: Option<Box<Reading>>,
}

/// A verified webhook, ready to be stored.
#[derive(Debug)]
pub struct Inbound {
    /// Whose webhook it is.
    pub org: OrgId,
    /// How it is listed; outcome, latency and counts are filled in here.
    pub record: WebhookEvent,
    /// What is in it.
    pub events: Vec<Routed>,
    /// What a closed thread does.
    pub policy: ClosedPolicy,
    /// When the last byte of the request was there.
    pub began: Instant,
    /// True where the record is in the store already and is now run again.
    pub is_replay: bool,
}

/// A message that is new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// Its id.
    pub id: MessageId,
    /// Its thread.
    pub thread: ThreadId,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundResult {
    /// As listed.
    pub outcome: Outcome,
    /// The messages that were new.
    pub messages: Vec<NewMessage>,
    /// How many messages and reports were here already.
    pub duplicates: u32,
    /// How many of the new messages were over a limit.
    pub limited: u32,
    /// Channels that answers were queued on.
    pub answered: Vec<ChannelId>,
}

/// A thread in which something happened, and when: for the order of the inbox.
type Touched = (OrgId, ThreadId, Millis);

/// What one event did.
enum Effect {
    New(NewMessage, Mark, Noticed),
    Duplicate,
    Kept,
}

/// What a new message's reading led to.
#[derive(Default)]
struct Noticed {
    limited: bool,
    answered: Option<ChannelId>,
}

impl Store {
    /// Stores a verified webhook. Returns when it is durable and visible; only then may the
    /// provider be answered.
    pub async fn commit_inbound(&self, inbound: Inbound) -> Result<InboundResult, StoreError> {
        let pending = self.engine.transact(|tx| self.plan_inbound(tx, inbound))?;
        let ((result, touched), _) = pending.await?;
        for (org, thread, at_ms) in touched {
            self.inbox.touch(org, thread, at_ms);
        }
        Ok(result)
    }

    fn plan_inbound(
        &self,
        tx: &mut Transaction<'_>,
        inbound: Inbound,
    ) -> Result<(InboundResult, Vec<Touched>), StoreError> {
        let Inbound {
            org,
            mut record,
            events,
            policy,
            began,
            is_replay,
        } = inbound;
        let mut messages = Vec::with_capacity(events.len());
        let mut touched = Vec::with_capacity(events.len());
        let (mut duplicates, mut kept) = (0, 0);
        let mut answered = Vec::new();
        for routed in events {
            let at_ms = record.received_at_ms;
            match self.plan_event(tx, &record, routed, policy)? {
                Effect::New(message, mark, noticed) => {
                    record.limited += u32::from(noticed.limited);
                    answered.extend(noticed.answered);
                    touched.push((org, message.thread, at_ms));
                    record.marks.push(mark);
                    messages.push(message);
                }
                Effect::Duplicate => duplicates += 1,
                Effect::Kept => kept += 1,
            }
        }
        if record.reason.is_none() || is_replay {
            record.outcome = match (messages.len() + kept, duplicates) {
                (0, 1..) => Outcome::Duplicate,
                _ => Outcome::Accepted,
            };
        }
        record.messages = u32::try_from(messages.len()).unwrap_or(u32::MAX);
        record.latency_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        write_event(tx, org, &record, is_replay)?;
        let result = InboundResult {
            outcome: record.outcome,
            messages,
            duplicates,
            limited: record.limited,
            answered,
        };
        Ok((result, touched))
    }

    fn plan_event(
        &self,
        tx: &mut Transaction<'_>,
        record: &WebhookEvent,
        routed: Routed,
        policy: ClosedPolicy,
    ) -> Result<Effect, StoreError> {
        let (channel, at_ms) = (routed.channel, record.received_at_ms);
        match routed.event {
            Event::Message(message) => {
                let mark = Mark {
                    id: message.id.clone(),
                    channel: (channel.id != record.channel).then(|| channel.id.clone()),
                };
                let reader = Reader {
                    channel: &channel,
                    event: record.id,
                    policy,
                    at_ms,
                };
                let new = self.plan_message(tx, &reader, message, routed.reading)?;
                Ok(new.map_or(Effect::Duplicate, |(new, noticed)| {
                    Effect::New(new, mark, noticed)
                }))
            }
            Event::Status(report) => {
                let applied = reports::apply(
                    tx,
                    channel.org,
                    &channel.id,
                    report,
                    Source::Callback,
                    at_ms,
                )?;
                Ok(match applied {
                    Applied::Repeated => Effect::Duplicate,
                    Applied::Changed | Applied::Noted | Applied::Waiting => Effect::Kept,
                })
            }
            Event::Consent(signal) => {
                let (org, event) = (channel.org, record.id);
                let new = consent::take_signal(tx, org, &channel.id, &signal, event, at_ms)?;
                Ok(if new { Effect::Kept } else { Effect::Duplicate })
            }
            // Kept with the raw request; nothing in the gateway acts on them.
            Event::Reaction(_) | Event::Template(_) | Event::Note(_) => Ok(Effect::Kept),
        }
    }

    /// Stores a message that is new; nothing where it is here already.
    fn plan_message(
        &self,
        tx: &mut Transaction<'_>,
        reader: &Reader<'_>,
        inbound: InboundMessage,
        reading: Option<Box<Reading>>,
    ) -> Result<Option<(NewMessage, Noticed)>, StoreError> {
        let channel = reader.channel;
        if records::find_external(tx, channel.org, &channel.id, &inbound.id)?.is_some() {
            return Ok(None);
        }
        let peer = Peer {
            org: channel.org,
            identity: &inbound.sender.identity,
            name: inbound.sender.name.as_deref(),
            verified: true,
            channel: &channel.id,
            policy: reader.policy,
            now_ms: reader.at_ms,
        };
        let mut conversation = contacts::find_or_create(tx, &self.clock, &peer)?;
        let mut message = received(reader, &conversation, inbound);
        fit(&mut message);
        if let Some(reading) = &reading {
            reading.mark(&mut message, &mut conversation.thread);
        }
        records::append_message(
            tx,
            channel.org,
            &self.clock,
            &mut conversation.thread,
            &mut message,
        );
        let limited = reading.as_ref().is_some_and(|reading| reading.limited);
        note_new(tx, channel.org, &message, reading.as_deref());
        let new = NewMessage {
            id: message.id,
            thread: message.thread,
        };
        let answered = match reading {
            Some(reading) => self.follow_reading(tx, reader, &new, &message.peer, *reading)?,
            None => None,
        };
        Ok(Some((new, Noticed { limited, answered })))
    }

    /// A new id for a webhook event.
    pub fn new_event_id(&self) -> EventId {
        EventId::new(self.clock.id())
    }
}

/// A message that came in, without its place yet.
fn received(reader: &Reader<'_>, conversation: &Conversation, inbound: InboundMessage) -> Message {
    Message {
        id: records::UNPLACED,
        thread: conversation.thread.id,
        seq: 0,
        channel: reader.channel.id.clone(),
        medium: reader.channel.medium,
        direction: Direction::Inbound,
        contact: conversation.contact,
        peer: inbound.sender.identity,
        author: Author {
            kind: AuthorKind::Contact,
            name: inbound.sender.name,
        },
        content: inbound.content,
        external_id: Some(inbound.id),
        parts: Vec::new(),
        reply_to: inbound.reply_to,
        status: Status::Received,
        history: Vec::new(),
        error: None,
        metadata: inbound.metadata,
        created_at_ms: reader.at_ms,
        provider_at_ms: inbound.sent_at_ms,
        previous: None,
        leap: None,
    }
}

/// Tells the followers. What is over a limit belongs to no turn, and no canary does.
fn note_new(tx: &mut Transaction<'_>, org: OrgId, message: &Message, reading: Option<&Reading>) {
    let channel = message.channel.clone();
    let (thread, id) = (message.thread, message.id);
    let change = if reading.is_some_and(|reading| reading.canary.is_some()) {
        Change::Canary {
            org,
            channel,
            thread,
            message: id,
        }
    } else if reading.is_some_and(|reading| reading.limited) {
        Change::Limited {
            org,
            channel,
            thread,
            message: id,
        }
    } else {
        Change::Received {
            org,
            channel,
            thread,
            seq: message.seq,
            message: id,
            at_ms: message.created_at_ms,
        }
    };
    records::note(tx, &change);
}

/// Cuts a message that is too large for one record: its text keeps its beginning, the whole stays
/// with the webhook event's raw body.
fn fit(message: &mut Message) {
    let len = codec::encode(message).len();
    if len <= MESSAGE_BYTES_MAX {
        return;
    }
    let content = &mut message.content;
    content.html = None;
    content.contacts.clear();
    content.media.truncate(MEDIA_KEPT);
    for text in [&mut content.text, &mut content.subject]
        .into_iter()
        .flatten()
    {
        let mut ends = (0..=TEXT_BYTES_KEPT.min(text.len())).rev();
        let kept = ends.find(|at| text.is_char_boundary(*at));
        text.truncate(kept.unwrap_or(0));
    }
    message.metadata.clear();
    message.metadata.insert("cut_from_bytes".into(), len.into());
}

/// Lists the webhook; one that waits for a replay is marked, one that was replayed no longer is.
fn write_event(
    tx: &mut Transaction<'_>,
    org: OrgId,
    record: &WebhookEvent,
    is_replay: bool,
) -> Result<(), StoreError> {
    let key = keys::event(org, &record.channel, record.id);
    let mark = keys::pending(org, &record.channel, record.id);
    if is_replay {
        tx.replace(&key, codec::encode(record));
        tx.delete(&mark)?;
        return Ok(());
    }
    tx.insert(&key, codec::encode(record));
    if record.outcome == Outcome::Pending {
        tx.insert(&mark, []);
        records::note(
            tx,
            &Change::Pending {
                org,
                channel: record.channel.clone(),
                event: record.id,
            },
        );
    }
    Ok(())
}
