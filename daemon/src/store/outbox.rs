//! The durable queue: accept, lease, and what can come of an attempt.

use std::ops::Bound;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use trunkline_plugin_api::{Content, Identity};

use super::{
    ChannelRef, Store,
    changes::Change,
    codec, contacts,
    engine::{StoreError, Transaction},
    keys, media, prefix_end, queue,
    records::UNPLACED,
    records::{self, ClosedPolicy, Peer, load},
    spending::{self, Charge, DayUse},
};
use crate::model::{
    Author, ConsentEntry, ContactId, Direction, Message, MessageId, MessagePart, Millis, OrgId,
    OutboxItem, OutboxState, Priority, Report, Source, Status, ThreadId,
};

/// A message to be accepted for sending.
#[derive(Debug, Clone)]
pub struct NewOutbound {
    /// By which channel.
    pub channel: ChannelRef,
    /// To whom.
    pub to: Identity,
    /// What.
    pub content: Content,
    /// What goes to the provider in place of the text, where it is split or rewritten; else empty.
    pub parts: Vec<String>,
    /// Who wrote it.
    pub author: Author,
    /// The provider's id of the message it answers.
    pub reply_to: Option<String>,
    /// Its lane.
    pub priority: Priority,
    /// Not before this time.
    pub send_at_ms: Option<Millis>,
    /// What the caller added.
    pub metadata: Map<String, Value>,
    /// The id of the request that it is sent by.
    pub request: Option<String>,
    /// The caller's key and a hash of the request behind it.
    pub idempotency: Option<Idempotency>,
    /// What a closed thread does.
    pub policy: ClosedPolicy,
    /// What it adds to the day's count.
    pub charge: Charge,
}

/// An idempotency key and what it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// The caller's key.
    pub key: String,
    /// SHA-256 of the request.
    pub request: [u8; 32],
}

/// What came of accepting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// It is in the queue.
    New {
        /// Its id.
        id: MessageId,
        /// Its thread.
        thread: ThreadId,
    },
    /// The same request was accepted before.
    Repeated {
        /// Its id then.
        id: MessageId,
    },
    /// The key stands for another request.
    KeyConflict,
    /// It would go beyond what may be sent today; nothing was stored.
    OverCap(DayUse),
    /// The recipient wants no messages from here.
    OptedOut(Box<ConsentEntry>),
    /// It names a file that the organization does not have.
    NoMedia(String),
}

/// How far a sweep has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweepPosition(Vec<u8>);

#[derive(Serialize, Deserialize)]
struct IdempotencyRecord {
    request: [u8; 32],
    message: MessageId,
    #[serde(default)]
    at_ms: Millis,
}

impl IdempotencyRecord {
    fn answer(&self, again: &Idempotency) -> Accepted {
        if self.request == again.request {
            Accepted::Repeated { id: self.message }
        } else {
            Accepted::KeyConflict
        }
    }
}

/// The message that an idempotency key stands for.
pub(super) fn idempotent_message(key: &[u8], bytes: &[u8]) -> Result<MessageId, StoreError> {
    Ok(codec::decode::<IdempotencyRecord>(key, bytes)?.message)
}

impl Store {
    /// Accepts a message: durable and in its thread when this returns.
    pub async fn accept_outbound(&self, new: NewOutbound) -> Result<Accepted, StoreError> {
        self.engine.admit_new()?;
        let org = new.channel.org;
        let now = self.now();
        let pending = self
            .engine
            .transact(|tx| self.plan_accept(tx, new, now, false))?;
        let (accepted, _) = pending.await?;
        if let Accepted::New { thread, .. } = accepted {
            self.inbox.touch(org, thread, now);
        }
        Ok(accepted)
    }

    /// Ends idempotency keys that were used before a time: looks at up to `limit` of them behind
    /// `after`. Gives how many were ended, and where the next look begins; none after the last.
    pub async fn sweep_idempotency(
        &self,
        org: OrgId,
        before_ms: Millis,
        after: Option<SweepPosition>,
        limit: usize,
    ) -> Result<(usize, Option<SweepPosition>), StoreError> {
        let prefix = keys::kind(org, keys::IDEMPOTENCY);
        let mut old = Vec::new();
        let mut last = None;
        let from = after.map_or(Bound::Included(prefix.clone()), |SweepPosition(key)| {
            Bound::Excluded(key)
        });
        let entries = self.engine.scan((from, prefix_end(&prefix)), false);
        for (looked_at, entry) in entries.enumerate() {
            let (key, bytes) = entry?;
            let record: IdempotencyRecord = codec::decode(&key, &bytes)?;
            if record.at_ms < before_ms {
                old.push(key.clone());
            }
            if looked_at + 1 == limit {
                last = Some(SweepPosition(key));
                break;
            }
        }
        let ended = old.len();
        if ended > 0 {
            let pending = self.engine.transact(|tx| {
                for key in &old {
                    tx.delete(key)?;
                }
                Ok::<_, StoreError>(())
            })?;
            pending.await?;
        }
        Ok((ended, last))
    }

    /// What a request with an idempotency key is by now: none where the key is new.
    pub fn repeated(
        &self,
        org: OrgId,
        idempotency: &Idempotency,
    ) -> Result<Option<Accepted>, StoreError> {
        let known = self.record(&keys::idempotency(org, &idempotency.key))?;
        Ok(known.map(|known: IdempotencyRecord| known.answer(idempotency)))
    }

    /// Accepts within a transaction. What `answers_keyword` goes also to those who have opted out.
    pub(super) fn plan_accept(
        &self,
        tx: &mut Transaction<'_>,
        new: NewOutbound,
        now: Millis,
        answers_keyword: bool,
    ) -> Result<Accepted, StoreError> {
        let org = new.channel.org;
        if let Some(idempotency) = &new.idempotency {
            let key = keys::idempotency(org, &idempotency.key);
            if let Some(known) = load::<IdempotencyRecord>(tx, &key)? {
                return Ok(known.answer(idempotency));
            }
        }
        if !answers_keyword
            && let Some(entry) = self.forbidden(tx, org, &new.channel.id, &new.to)?
        {
            return Ok(Accepted::OptedOut(Box::new(entry)));
        }
        if let Some(name) = media::missing(tx, org, &new.content)? {
            return Ok(Accepted::NoMedia(name));
        }
        if let Some(over) = spending::charge(tx, org, &new.channel.id, new.charge, now)? {
            return Ok(Accepted::OverCap(over));
        }
        let peer = Peer {
            org,
            identity: &new.to,
            name: None,
            verified: false,
            channel: &new.channel.id,
            policy: new.policy,
            now_ms: now,
        };
        let mut conversation = contacts::find_or_create(tx, &self.clock, &peer)?;
        let idempotency = new.idempotency.clone();
        let wall = self.wall();
        let scheduled_ms = new.send_at_ms.filter(|at| *at > wall);
        let (priority, due_ms) = (new.priority, scheduled_ms.unwrap_or(now));
        let mut message =
            Self::queued_message(new, conversation.contact, conversation.thread.id, now);
        records::place_message(tx, org, &self.clock, &mut conversation.thread, &mut message);
        media::refer(tx, org, &message.content)?;
        let item = OutboxItem {
            message: message.id,
            channel: message.channel.clone(),
            contact: conversation.line,
            priority,
            state: OutboxState::Queued,
            attempts: 0,
            accepted_at_ms: now,
            due_ms,
            scheduled: scheduled_ms.is_some(),
            called: false,
            cursor: Value::Null,
            error: None,
            answers_keyword,
        };
        queue::enqueue(tx, org, &item, &message)?;
        if let Some(idempotency) = idempotency {
            let record = IdempotencyRecord {
                request: idempotency.request,
                message: message.id,
                at_ms: now,
            };
            tx.insert(
                keys::idempotency(org, &idempotency.key),
                codec::encode(&record),
            );
        }
        records::note(
            tx,
            &Change::Accepted {
                org,
                channel: message.channel.clone(),
                thread: message.thread,
                message: message.id,
            },
        );
        Ok(Accepted::New {
            id: message.id,
            thread: message.thread,
        })
    }

    fn queued_message(
        new: NewOutbound,
        contact: ContactId,
        thread: ThreadId,
        now: Millis,
    ) -> Message {
        let mut message = Message {
            id: UNPLACED,
            thread,
            seq: 0,
            channel: new.channel.id,
            medium: new.channel.medium,
            direction: Direction::Outbound,
            contact,
            peer: new.to,
            author: new.author,
            content: new.content,
            media_failures: Vec::new(),
            external_id: None,
            parts: new.parts.iter().map(MessagePart::queued).collect(),
            reply_to: new.reply_to,
            status: Status::Queued,
            history: Vec::new(),
            error: None,
            metadata: new.metadata,
            event: None,
            request: new.request,
            created_at_ms: now,
            provider_at_ms: None,
            reactions: Vec::new(),
            previous: None,
            leap: None,
        };
        message.apply(report(Status::Queued, Source::Accept, now));
        message
    }
}

/// A report of ours with nothing but a state.
pub(crate) fn report(status: Status, source: Source, at_ms: Millis) -> Report {
    Report {
        status,
        at_ms,
        source,
        code: None,
        detail: None,
        error: None,
    }
}
