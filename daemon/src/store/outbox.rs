//! The durable queue: accept, lease, and what can come of an attempt.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use trunkline_plugin_api::{Content, Identity, Receipt};

use super::{
    ChannelRef, Store,
    changes::Change,
    codec, contacts,
    engine::{StoreError, Transaction},
    keys, queue,
    records::UNPLACED,
    records::{self, ClosedPolicy, Peer, load},
    reports,
};
use crate::model::{
    Author, ChannelId, ContactId, Direction, Failure, Message, MessageId, Millis, OrgId,
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
    /// The caller's key and a hash of the request behind it.
    pub idempotency: Option<Idempotency>,
    /// What a closed thread does.
    pub policy: ClosedPolicy,
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
}

#[derive(Serialize, Deserialize)]
struct IdempotencyRecord {
    request: [u8; 32],
    message: MessageId,
}

/// What came of an attempt.
#[derive(Debug, Clone)]
pub enum Attempt {
    /// The provider has it.
    Sent(Receipt),
    /// Not this time; again at this time.
    Later {
        /// Why.
        error: Failure,
        /// When.
        due_ms: Millis,
        /// False where the attempt shall not count (a stop, a reload, a channel that is down).
        counts: bool,
    },
    /// Never.
    Failed(Failure),
    /// Unknown.
    Uncertain(Failure),
}

impl Store {
    /// Accepts a message: durable and in its thread when this returns.
    pub async fn accept_outbound(&self, new: NewOutbound) -> Result<Accepted, StoreError> {
        let org = new.channel.org;
        let now = self.now();
        let pending = self.engine.transact(|tx| self.plan_accept(tx, new, now))?;
        let (accepted, _) = pending.await?;
        if let Accepted::New { thread, .. } = accepted {
            self.inbox.touch(org, thread, now);
        }
        Ok(accepted)
    }

    fn plan_accept(
        &self,
        tx: &mut Transaction<'_>,
        new: NewOutbound,
        now: Millis,
    ) -> Result<Accepted, StoreError> {
        let org = new.channel.org;
        if let Some(idempotency) = &new.idempotency {
            let key = keys::idempotency(org, &idempotency.key);
            if let Some(known) = load::<IdempotencyRecord>(tx, &key)? {
                return Ok(if known.request == idempotency.request {
                    Accepted::Repeated { id: known.message }
                } else {
                    Accepted::KeyConflict
                });
            }
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
        let (priority, due_ms) = (new.priority, new.send_at_ms.unwrap_or(now).max(now));
        let mut message =
            Self::queued_message(new, conversation.contact, conversation.thread.id, now);
        records::append_message(tx, org, &self.clock, &mut conversation.thread, &mut message);
        let item = OutboxItem {
            message: message.id,
            channel: message.channel.clone(),
            contact: message.contact,
            priority,
            state: OutboxState::Queued,
            attempts: 0,
            accepted_at_ms: now,
            due_ms,
            cursor: Value::Null,
            error: None,
        };
        queue::enqueue(tx, org, &item)?;
        if let Some(idempotency) = idempotency {
            let record = IdempotencyRecord {
                request: idempotency.request,
                message: message.id,
            };
            tx.insert(
                &keys::idempotency(org, &idempotency.key),
                &codec::encode(&record),
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
            external_id: None,
            reply_to: new.reply_to,
            status: Status::Queued,
            history: Vec::new(),
            error: None,
            metadata: new.metadata,
            created_at_ms: now,
            provider_at_ms: None,
        };
        message.apply(report(Status::Queued, Source::Accept, now));
        message
    }

    /// Leases up to `limit` items that are due on a channel. Durable when this returns, so that a
    /// call begun after it is known to have been possible.
    pub async fn lease_due(
        &self,
        org: OrgId,
        channel: &ChannelId,
        limit: usize,
    ) -> Result<Vec<(OutboxItem, Message)>, StoreError> {
        let now = self.now();
        let pending = self.engine.transact(|tx| {
            let mut leased = Vec::new();
            for id in queue::due_ids(tx, org, channel, now, limit)? {
                let (Some(mut item), Some(message)) = (
                    queue::item(tx, org, id)?,
                    records::find_message(tx, org, id)?,
                ) else {
                    continue;
                };
                queue::lease(tx, org, &mut item)?;
                leased.push((item, message));
            }
            Ok::<_, StoreError>(leased)
        })?;
        Ok(pending.await?.0)
    }

    /// When the next item of a channel is due; none where nothing waits.
    pub fn next_due(&self, org: OrgId, channel: &ChannelId) -> Result<Option<Millis>, StoreError> {
        let mut next: Option<Millis> = None;
        for lane in 0..=1 {
            let prefix = keys::due_lane(org, channel, lane);
            if let Some(entry) = self.scan_prefix(&prefix, None, false).next() {
                let due = queue::due_of(&prefix, &entry?.0);
                next = Some(next.map_or(due, |known| known.min(due)));
            }
        }
        Ok(next)
    }

    /// Saves the adapter's cursor; call before performing the request that goes with it.
    pub async fn save_cursor(
        &self,
        org: OrgId,
        id: MessageId,
        cursor: &Value,
    ) -> Result<(), StoreError> {
        let pending = self.engine.transact(|tx| {
            if let Some(mut item) = queue::item(tx, org, id)? {
                item.cursor = cursor.clone();
                queue::save(tx, org, &item);
            }
            Ok::<_, StoreError>(())
        })?;
        pending.await?;
        Ok(())
    }

    /// Records what came of a leased item's attempt.
    pub async fn finish_attempt(
        &self,
        org: OrgId,
        id: MessageId,
        attempt: Attempt,
    ) -> Result<Status, StoreError> {
        let now = self.now();
        let pending = self
            .engine
            .transact(|tx| plan_finish(tx, org, id, attempt, now))?;
        Ok(pending.await?.0)
    }

    /// The items that were leased when the daemon last stopped: their calls may have been made.
    pub async fn leased(
        &self,
        org: OrgId,
        channel: &ChannelId,
    ) -> Result<Vec<(OutboxItem, Message)>, StoreError> {
        let pending = self.engine.transact(|tx| {
            let mut leased = Vec::new();
            for (key, _) in tx.scan(&keys::leases(org, channel), usize::MAX)? {
                let Some(id) = keys::trailing_id(&key).map(MessageId::from_bytes) else {
                    continue;
                };
                if let (Some(item), Some(message)) = (
                    queue::item(tx, org, id)?,
                    records::find_message(tx, org, id)?,
                ) {
                    leased.push((item, message));
                }
            }
            Ok::<_, StoreError>(leased)
        })?;
        Ok(pending.await?.0)
    }
}

fn plan_finish(
    tx: &mut Transaction<'_>,
    org: OrgId,
    id: MessageId,
    attempt: Attempt,
    now: Millis,
) -> Result<Status, StoreError> {
    let Some(mut message) = records::find_message(tx, org, id)? else {
        return Ok(Status::Failed);
    };
    let Some(mut item) = queue::item(tx, org, id)? else {
        return Ok(message.status);
    };
    let before = message.status;
    match attempt {
        Attempt::Sent(receipt) => {
            queue::remove(tx, org, &item)?;
            reports::learn_external_id(tx, org, &mut message, &receipt.external_id)?;
            message.apply(Report {
                code: receipt.code,
                ..report(Status::Sent, Source::Receipt, now)
            });
            reports::apply_waiting(tx, org, &mut message)?;
            if !message.status.is_final() {
                tx.put(&keys::awaiting(org, &message.channel, message.id), [])?;
            }
        }
        Attempt::Later {
            error,
            due_ms,
            counts,
        } => {
            item.attempts -= u32::from(!counts).min(item.attempts);
            item.error = Some(error);
            queue::reschedule(tx, org, &mut item, OutboxState::Retrying, due_ms)?;
        }
        Attempt::Failed(error) => {
            give_up(
                tx,
                org,
                &mut item,
                &mut message,
                error,
                OutboxState::Dead,
                now,
            )?;
        }
        Attempt::Uncertain(error) => {
            give_up(
                tx,
                org,
                &mut item,
                &mut message,
                error,
                OutboxState::Uncertain,
                now,
            )?;
        }
    }
    if message.status != before {
        reports::note_status(tx, org, &message);
    }
    records::save_message(tx, org, &message);
    Ok(message.status)
}

/// The item leaves the line and waits for a person, or for word from the provider. Where that
/// word has come already (a callback overtook the answer), it wins.
fn give_up(
    tx: &mut Transaction<'_>,
    org: OrgId,
    item: &mut OutboxItem,
    message: &mut Message,
    error: Failure,
    state: OutboxState,
    now: Millis,
) -> Result<(), StoreError> {
    let status = match state {
        OutboxState::Uncertain => Status::Uncertain,
        _ => Status::Failed,
    };
    item.error = Some(error.clone());
    message.apply(Report {
        code: error.provider_code.clone().or(Some(error.code.clone())),
        detail: Some(error.message.clone()),
        error: Some(error),
        ..report(status, Source::Receipt, now)
    });
    queue::leave_line(tx, org, item)?;
    if message.status == status {
        queue::set_state(tx, org, item, state)
    } else {
        queue::remove(tx, org, item)
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
