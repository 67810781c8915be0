//! One webhook, one commit: dedupe marks, people, threads, messages, states and the webhook event.

use std::time::Instant;

use serde_json::Value;
use trunkline_plugin_api::{Event, InboundMessage, Medium, Reaction};

use super::{
    Reading, Store,
    arrival::{note_new, received},
    consent, contacts,
    engine::{StoreError, Transaction},
    events, fit, linking, media,
    reactions::{self, Reacted},
    reading::Reader,
    records::{self, ClosedPolicy, Peer},
    references,
    reports::{self, Applied},
};
use crate::model::{
    ChannelId, EventId, Mark, MessageId, Millis, OrgId, Outcome, Source, TemplateChange, ThreadId,
    WebhookEvent,
};

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
    /// What it said of templates.
    pub templates: Vec<TemplateChange>,
}

/// What a plan came to.
struct Planned {
    result: InboundResult,
    touched: Vec<Touched>,
    /// True where attachments are to be fetched.
    media: bool,
    /// A body that is not to be kept.
    body: Option<String>,
}

/// A thread in which something happened, and when: for the order of the inbox.
type Touched = (OrgId, ThreadId, Millis);

/// False for reports on what was sent: they are small, and providers seldom repeat them.
fn brings_much(inbound: &Inbound) -> bool {
    let mut events = inbound.events.iter();
    inbound.events.is_empty() || events.any(|routed| !matches!(routed.event, Event::Status(_)))
}

/// What one event did.
enum Effect {
    New(NewMessage, Mark, Noticed),
    Duplicate,
    /// It was here, and the person whose it is was erased.
    Erased,
    Kept,
    Template(TemplateChange),
    /// Kept under an id, which is marked as a message's is.
    Marked(Mark),
}

/// What a new message's reading led to.
#[derive(Default)]
struct Noticed {
    limited: bool,
    answered: Option<ChannelId>,
    /// True where attachments are to be fetched.
    media: bool,
}

impl Store {
    /// Stores a verified webhook. Returns when it is durable and visible; only then may the
    /// provider be answered.
    pub async fn commit_inbound(&self, inbound: Inbound) -> Result<InboundResult, StoreError> {
        let org = inbound.org;
        if brings_much(&inbound) {
            self.engine.admit_new()?;
        }
        let pending = self.engine.transact(|tx| self.plan_inbound(tx, inbound))?;
        let Planned {
            result,
            touched,
            media,
            body,
        } = pending.await?.0;
        if let Some(name) = body
            && let Err(error) = self.files.remove(&name)
        {
            tracing::warn!(event = "body_not_removed", %error, "the body of an erased person's webhook could not be removed");
        }
        if media {
            self.wake_media();
        }
        for (org, thread, at_ms) in touched {
            self.inbox.touch(org, thread, at_ms);
        }
        if !result.templates.is_empty() {
            self.derive_catalogues(org)?;
        }
        Ok(result)
    }

    fn plan_inbound(
        &self,
        tx: &mut Transaction<'_>,
        inbound: Inbound,
    ) -> Result<Planned, StoreError> {
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
        let (mut answered, mut templates) = (Vec::new(), Vec::new());
        let (mut media, mut erased) = (false, false);
        for routed in events {
            let at_ms = record.received_at_ms;
            match self.plan_event(tx, &record, routed, policy)? {
                Effect::New(message, mark, noticed) => {
                    record.limited += u32::from(noticed.limited);
                    answered.extend(noticed.answered);
                    media |= noticed.media;
                    touched.push((org, message.thread, at_ms));
                    record.marks.push(mark);
                    messages.push(message);
                }
                Effect::Duplicate => duplicates += 1,
                Effect::Erased => {
                    duplicates += 1;
                    erased = true;
                }
                Effect::Kept => kept += 1,
                Effect::Template(change) => {
                    kept += 1;
                    templates.push(change);
                }
                Effect::Marked(mark) => {
                    record.marks.push(mark);
                    kept += 1;
                }
            }
        }
        if record.reason.is_none() || is_replay {
            record.outcome = match (messages.len() + kept, duplicates) {
                (0, 1..) => Outcome::Duplicate,
                _ => Outcome::Accepted,
            };
        }
        record.messages = u32::try_from(messages.len()).unwrap_or(u32::MAX);
        let body = record.raw_file.clone().filter(|_| erased);
        if erased {
            record.empty("the person whom it was about was erased");
        }
        record.latency_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        events::write(tx, org, &record, is_replay)?;
        let result = InboundResult {
            outcome: record.outcome,
            messages,
            duplicates,
            limited: record.limited,
            answered,
            templates,
        };
        Ok(Planned {
            result,
            touched,
            media,
            body,
        })
    }

    fn plan_event(
        &self,
        tx: &mut Transaction<'_>,
        record: &WebhookEvent,
        routed: Routed,
        policy: ClosedPolicy,
    ) -> Result<Effect, StoreError> {
        let (channel, at_ms) = (routed.channel, record.received_at_ms);
        if self.was_erased(tx, &channel, &routed.event)? {
            return Ok(Effect::Erased);
        }
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
                    verified: record.signature_valid,
                    at_ms,
                };
                let receiver = &record.channel;
                let new = self.plan_message(tx, &reader, receiver, message, routed.reading)?;
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
            Event::Template(update) => {
                let (org, id) = (channel.org, &channel.id);
                let change = self.take_template_update(tx, org, id, update, at_ms)?;
                Ok(Effect::Template(change))
            }
            Event::Reaction(reaction) => self.plan_reaction(tx, record, &channel, policy, reaction),
            // Kept with the raw request; nothing in the gateway acts on it.
            Event::Note(_) => Ok(Effect::Kept),
        }
    }

    /// Puts a reaction on its message, or keeps it as a message of its own where there is none.
    fn plan_reaction(
        &self,
        tx: &mut Transaction<'_>,
        record: &WebhookEvent,
        channel: &ChannelRef,
        policy: ClosedPolicy,
        reaction: Reaction,
    ) -> Result<Effect, StoreError> {
        let at_ms = record.received_at_ms;
        let mark = Mark {
            id: reaction.id.clone(),
            channel: (channel.id != record.channel).then(|| channel.id.clone()),
        };
        let reaction = match reactions::apply(tx, channel, reaction, at_ms)? {
            Reacted::Repeated => return Ok(Effect::Duplicate),
            Reacted::Applied => return Ok(Effect::Marked(mark)),
            Reacted::Unknown(reaction) => *reaction,
        };
        let reader = Reader {
            channel,
            event: record.id,
            policy,
            verified: record.signature_valid,
            at_ms,
        };
        let message = reactions::as_message(reaction);
        let new = self.plan_message(tx, &reader, &record.channel, message, None)?;
        Ok(new.map_or(Effect::Duplicate, |(new, noticed)| {
            Effect::New(new, mark, noticed)
        }))
    }

    /// Stores a message that is new; nothing where it is here already.
    fn plan_message(
        &self,
        tx: &mut Transaction<'_>,
        reader: &Reader<'_>,
        receiver: &ChannelId,
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
            verified: reader.verified,
            channel: &channel.id,
            policy: reader.policy,
            now_ms: reader.at_ms,
        };
        let followed = references::follow(tx, &peer, channel, &inbound)?;
        let (mut conversation, others) = match (followed, inbound.sender.also.as_slice()) {
            (Some(conversation), _) => (conversation, Vec::new()),
            (None, []) => (
                contacts::find_or_create(tx, &self.clock, &peer)?,
                Vec::new(),
            ),
            (None, also) => {
                let linked = linking::find_or_create(tx, &self.clock, &peer, also)?;
                (linked.conversation, linked.others)
            }
        };
        let mut message = received(reader, &conversation, inbound);
        fit::fit(&mut message);
        if !others.is_empty() {
            let others: Vec<Value> = others.iter().map(|id| id.to_string().into()).collect();
            message
                .metadata
                .insert("merge_suggestions".into(), others.into());
        }
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
        let media = media::queue(tx, reader, receiver, &message);
        media::refer(tx, channel.org, &message.content)?;
        let new = NewMessage {
            id: message.id,
            thread: message.thread,
        };
        let answered = match reading {
            Some(reading) => self.follow_reading(tx, reader, &new, &message.peer, *reading)?,
            None => None,
        };
        let noticed = Noticed {
            limited,
            answered,
            media,
        };
        Ok(Some((new, noticed)))
    }

    /// A new id for a webhook event.
    pub fn new_event_id(&self) -> EventId {
        EventId::new(self.clock.id())
    }
}
