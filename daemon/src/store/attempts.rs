//! Leasing what is due, and recording what came of each attempt.

use serde_json::Value;
use trunkline_plugin_api::Receipt;

use super::{
    Store,
    engine::{StoreError, Transaction},
    keys,
    outbox::report,
    queue, records, reports,
};
use crate::model::{
    ChannelId, Failure, Message, MessageId, Millis, OrgId, OutboxItem, OutboxState, Report, Source,
    Status,
};

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
                tx.put(keys::awaiting(org, &message.channel, message.id), [])?;
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
