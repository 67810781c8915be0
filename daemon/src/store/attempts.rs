//! Leasing what is due, and recording what came of each attempt.

use std::collections::HashSet;

use serde_json::Value;
use trunkline_plugin_api::Receipt;

use super::{
    Store, consent,
    engine::{StoreError, Transaction},
    keys,
    outbox::report,
    outside::Outside,
    queue, queued, records, reports, windows,
};
use crate::model::{
    ChannelId, Failure, Message, MessageId, MessagePart, Millis, OrgId, OutboxItem, OutboxState,
    Priority, Report, Source, Status,
};

/// How many items may be leased.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quota {
    /// In all.
    pub room: usize,
    /// Of these, at most, from the bulk lane.
    pub bulk: usize,
    /// True where the bulk lane goes first this time, so that it is never forgotten.
    pub bulk_first: bool,
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
    /// The recipient's reply window is closed.
    Outside {
        /// Why.
        error: Failure,
        /// Whose window it is.
        scope: String,
        /// What becomes of it.
        outside: Box<Outside>,
    },
    /// Unknown.
    Uncertain(Failure),
}

/// What is left to do after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finished {
    /// Nothing by this attempt; the message has this state.
    Done(Status),
    /// The next part of the message, under the same lease.
    NextPart,
}

impl Store {
    /// Gives items that are due on a channel, those whose scheduled time has come included, as they
    /// are in the attempt that may begin now. Nothing is leased by this: the caller is the only one
    /// that sends by the channel and knows what is `under_way`, which is passed over.
    ///
    /// Those who have opted out since are failed here, without a call.
    pub fn due(
        &self,
        org: OrgId,
        channel: &ChannelId,
        quota: Quota,
        under_way: &HashSet<MessageId>,
    ) -> Result<Vec<(OutboxItem, Message)>, StoreError> {
        let (now, wall) = (self.now(), self.wall());
        let due = self.engine.transact(|tx| {
            queue::promote(tx, org, channel, wall, quota.room)?;
            let mut due = Vec::with_capacity(quota.room);
            for id in due_ids(tx, org, channel, quota, under_way, now)? {
                let Some((mut item, mut message)) = queued::both(tx, org, id)? else {
                    continue;
                };
                if self.refuse_opted_out(tx, org, &mut item, &mut message, now)? {
                    continue;
                }
                item.begin();
                due.push((item, message));
            }
            Ok::<_, StoreError>(due)
        })?;
        Ok(due.planned())
    }

    /// When the next item of a channel is due; none where nothing waits.
    pub fn next_due(&self, org: OrgId, channel: &ChannelId) -> Result<Option<Millis>, StoreError> {
        let lanes = Priority::ALL.map(|lane| keys::due_lane(org, channel, lane));
        // Scheduled times are those of the machine, which may be behind the store's clock.
        let ahead = (self.now() - self.wall()).max(0);
        let next = self.engine.transact(|tx| {
            let mut next: Option<Millis> = None;
            for prefix in lanes.iter().chain([&keys::scheduled_of(org, channel)]) {
                if let Some((key, _)) = tx.first_in(prefix)? {
                    let is_scheduled = !lanes.contains(prefix);
                    let due = queue::due_of(prefix, &key) + if is_scheduled { ahead } else { 0 };
                    next = Some(next.map_or(due, |known| known.min(due)));
                }
            }
            Ok::<_, StoreError>(next)
        })?;
        Ok(next.planned())
    }

    /// Leases an item, as [`Store::due`] gave it, for the call that goes with the adapter's cursor; durable
    /// when this returns, and only then may the provider be called. An item that is not (or no longer)
    /// the first in its line is refused, and one whose recipient has opted out since is failed.
    pub async fn begin_call(
        &self,
        org: OrgId,
        item: &OutboxItem,
        cursor: &Value,
    ) -> Result<(), StoreError> {
        let now = self.now();
        let id = item.message;
        let pending = self.engine.transact_durable(|tx| {
            let Some(mut item) = queue::leased(tx, org, item)? else {
                return Err(StoreError::Refused(format!("message {id} is not due")));
            };
            if !item.called && self.refuse_call(tx, org, &mut item, now)? {
                return Ok(false);
            }
            item.cursor = cursor.clone();
            item.called = true;
            queue::save_lease(tx, org, &item);
            Ok(true)
        })?;
        if pending.await?.0 {
            return Ok(());
        }
        let words = format!("the recipient of message {id} has opted out");
        Err(StoreError::Refused(words))
    }

    /// Records what came of an attempt at one part of a message (0 where it was not split). Durable when
    /// this returns; plans see it at once, other readers soon.
    pub async fn finish_attempt(
        &self,
        org: OrgId,
        id: MessageId,
        part: usize,
        attempt: Attempt,
    ) -> Result<Finished, StoreError> {
        let now = self.now();
        let pending = self
            .engine
            .transact_durable(|tx| plan_finish(tx, org, id, part, attempt, now))?;
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
                leased.extend(queued::both(tx, org, id)?);
            }
            Ok::<_, StoreError>(leased)
        })?;
        Ok(pending.await?.0)
    }
}

fn due_ids(
    tx: &mut Transaction<'_>,
    org: OrgId,
    channel: &ChannelId,
    quota: Quota,
    under_way: &HashSet<MessageId>,
    now: Millis,
) -> Result<Vec<MessageId>, StoreError> {
    let Quota {
        room,
        bulk,
        bulk_first,
    } = quota;
    let mut ids = Vec::with_capacity(room);
    let mut take = |lane, count: usize, ids: &mut Vec<MessageId>| {
        if count == 0 {
            return Ok(());
        }
        // What is passed over must not take the place of what is not.
        let limit = count + under_way.len() + ids.len();
        let due = queue::due_ids(tx, org, channel, lane, now, limit)?;
        let due = due.into_iter().filter(|id| !under_way.contains(id));
        let fresh: Vec<_> = due.filter(|id| !ids.contains(id)).take(count).collect();
        ids.extend(fresh);
        Ok::<_, StoreError>(())
    };
    if bulk_first {
        take(Priority::Bulk, bulk.min(room).min(1), &mut ids)?;
    }
    let first = ids.len();
    take(Priority::Reply, room - first, &mut ids)?;
    let left = (bulk - first.min(bulk)).min(room - ids.len());
    take(Priority::Bulk, left, &mut ids)?;
    Ok(ids)
}

pub(super) fn plan_finish(
    tx: &mut Transaction<'_>,
    org: OrgId,
    id: MessageId,
    part: usize,
    attempt: Attempt,
    now: Millis,
) -> Result<Finished, StoreError> {
    let Some((mut item, mut message)) = queued::both(tx, org, id)? else {
        let gone = records::find_message(tx, org, id)?;
        let status = gone.map_or(Status::Failed, |message| message.status);
        return Ok(Finished::Done(status));
    };
    if !item.state.is_out_of_line() && item.state != OutboxState::Leased {
        // The adapter ended the attempt before any call.
        item.begin();
    }
    let before = message.status;
    let finished = match attempt {
        Attempt::Sent(receipt) => sent(tx, org, &mut item, &mut message, part, &receipt, now)?,
        // Given up by a person or by the recipient's word while it was taken.
        Attempt::Later { .. } | Attempt::Outside { .. } if item.state.is_out_of_line() => {
            Finished::Done(message.status)
        }
        Attempt::Later {
            error,
            due_ms,
            counts,
        } => {
            item.attempts -= u32::from(!counts).min(item.attempts);
            item.error = Some(error);
            queue::reschedule(tx, org, &mut item, OutboxState::Retrying, due_ms)?;
            Finished::Done(message.status)
        }
        Attempt::Failed(error) => {
            consent::learn(tx, org, &message, &error, now)?;
            windows::learn(tx, org, &message, &error, now)?;
            let report = failure(Status::Failed, error, now);
            message.apply_to(part, report);
            end(tx, org, &mut item, &message)?
        }
        Attempt::Outside {
            error,
            scope,
            outside,
        } => {
            windows::learn(tx, org, &message, &error, now)?;
            let refused = Report {
                status: Status::Queued,
                error: None,
                ..failure(Status::Queued, error, now)
            };
            message.apply_to(part, refused);
            outside.apply(tx, org, &scope, &mut item, &mut message, now)?;
            Finished::Done(message.status)
        }
        Attempt::Uncertain(error) => {
            item.error = Some(error.clone());
            message.apply_to(part, failure(Status::Uncertain, error, now));
            end(tx, org, &mut item, &message)?
        }
    };
    if message.status != before {
        reports::note_status(tx, org, &message);
    }
    records::save_message(tx, org, &message)?;
    Ok(finished)
}

fn sent(
    tx: &mut Transaction<'_>,
    org: OrgId,
    item: &mut OutboxItem,
    message: &mut Message,
    part: usize,
    receipt: &Receipt,
    now: Millis,
) -> Result<Finished, StoreError> {
    reports::learn_external_id(tx, org, message, part, &receipt.external_id)?;
    let report = Report {
        code: receipt.code.clone(),
        ..report(Status::Sent, Source::Receipt, now)
    };
    message.apply_to(part, report);
    reports::apply_waiting(tx, org, message, part)?;
    if message.status == Status::Queued && item.state == OutboxState::Leased {
        item.attempts = 1;
        item.called = false;
        item.cursor = Value::Null;
        item.error = None;
        queue::save(tx, org, item)?;
        return Ok(Finished::NextPart);
    }
    // Word of a failure may overtake the receipt: it is no dead letter, since the provider has all
    // of it, as it is none where the word comes later.
    let is_out = |part: &MessagePart| part.external_id.is_some();
    if message.status == Status::Failed && message.parts.iter().all(is_out) {
        queue::remove(tx, org, item)?;
        return Ok(Finished::Done(Status::Failed));
    }
    end(tx, org, item, message)
}

/// Takes the item to where its message is now. Where the provider's word came before the answer to
/// the call, it wins.
fn end(
    tx: &mut Transaction<'_>,
    org: OrgId,
    item: &mut OutboxItem,
    message: &Message,
) -> Result<Finished, StoreError> {
    match message.status {
        Status::Failed => queue::give_up(tx, org, item, message, OutboxState::Dead)?,
        Status::Uncertain => queue::give_up(tx, org, item, message, OutboxState::Uncertain)?,
        // Parts are left to be sent.
        Status::Queued if item.state.is_out_of_line() => {
            queue::set_state(tx, org, item, OutboxState::Queued)?;
            queue::join_line(tx, org, item)?;
        }
        Status::Queued => {
            let due_ms = item.due_ms;
            queue::reschedule(tx, org, item, OutboxState::Queued, due_ms)?;
        }
        _ => queue::done(tx, org, item, message)?,
    }
    Ok(Finished::Done(message.status))
}

fn failure(status: Status, error: Failure, now: Millis) -> Report {
    Report {
        code: error.provider_code.clone().or(Some(error.code.clone())),
        detail: Some(error.message.clone()),
        error: Some(error),
        ..report(status, Source::Receipt, now)
    }
}
