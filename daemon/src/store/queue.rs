//! The outbox's places in the tree: which item waits for whom, and what may go next.
//!
//! ```text
//! accept ─> queue of the contact ─ first in line? ─> due ─ lease ─> leased ─┬─ sent: gone
//!               ^                                     ^                     ├─ later: due again
//!               └── the next in line is made due ─────┴─────────────────────┴─ failed, uncertain:
//!                                                                             out of line, kept
//! ```

use super::{
    codec,
    engine::{StoreError, Transaction},
    keys,
    records::load,
};
use crate::model::{ChannelId, Message, MessageId, Millis, OrgId, OutboxItem, OutboxState, Status};

/// Reads an item.
pub(crate) fn item(
    tx: &mut Transaction<'_>,
    org: OrgId,
    id: MessageId,
) -> Result<Option<OutboxItem>, StoreError> {
    load(tx, &keys::outbox(org, id))
}

/// Puts a new item in line behind everything that waits for the same contact.
pub(crate) fn enqueue(
    tx: &mut Transaction<'_>,
    org: OrgId,
    item: &OutboxItem,
) -> Result<(), StoreError> {
    tx.insert(keys::outbox(org, item.message), codec::encode(item));
    join_line(tx, org, item)
}

/// Puts a stored item in line; it is made due at once where it is the first.
pub(crate) fn join_line(
    tx: &mut Transaction<'_>,
    org: OrgId,
    item: &OutboxItem,
) -> Result<(), StoreError> {
    let line = keys::queue_of(org, &item.channel, item.contact);
    let is_first = tx.scan(&line, 1)?.is_empty();
    tx.put(
        keys::queue(org, &item.channel, item.contact, item.message),
        [],
    )?;
    if is_first {
        make_due(tx, org, item)?;
    }
    Ok(())
}

fn make_due(tx: &mut Transaction<'_>, org: OrgId, item: &OutboxItem) -> Result<(), StoreError> {
    let key = keys::due(org, &item.channel, item.priority, item.due_ms, item.message);
    tx.put(&key, [])
}

/// Takes an item out of the line and makes the next one due.
pub(crate) fn leave_line(
    tx: &mut Transaction<'_>,
    org: OrgId,
    gone: &OutboxItem,
) -> Result<(), StoreError> {
    unschedule(tx, org, gone)?;
    let place = keys::queue(org, &gone.channel, gone.contact, gone.message);
    tx.delete(&place)?;
    let line = keys::queue_of(org, &gone.channel, gone.contact);
    let Some((key, _)) = tx.scan(&line, 1)?.into_iter().next() else {
        return Ok(());
    };
    let Some(next) = keys::trailing_id(&key).map(MessageId::from_bytes) else {
        return Ok(());
    };
    match item(tx, org, next)? {
        Some(next) if next.state != OutboxState::Leased => make_due(tx, org, &next),
        _ => Ok(()),
    }
}

/// Removes an item's due and lease marks, whichever it has.
fn unschedule(tx: &mut Transaction<'_>, org: OrgId, item: &OutboxItem) -> Result<(), StoreError> {
    let due = keys::due(org, &item.channel, item.priority, item.due_ms, item.message);
    let lease = keys::lease(org, &item.channel, item.message);
    for key in [due, lease] {
        tx.delete(&key)?;
    }
    Ok(())
}

/// Leases an item: from due to leased, one attempt begun.
pub(crate) fn lease(
    tx: &mut Transaction<'_>,
    org: OrgId,
    item: &mut OutboxItem,
) -> Result<(), StoreError> {
    unschedule(tx, org, item)?;
    item.state = OutboxState::Leased;
    item.attempts += 1;
    tx.put(keys::lease(org, &item.channel, item.message), [])?;
    save(tx, org, item);
    Ok(())
}

/// Writes an item back.
pub(crate) fn save(tx: &mut Transaction<'_>, org: OrgId, item: &OutboxItem) {
    tx.replace(keys::outbox(org, item.message), codec::encode(item));
}

/// Changes what an item waits for, keeping the lists of items that want attention.
pub(crate) fn set_state(
    tx: &mut Transaction<'_>,
    org: OrgId,
    item: &mut OutboxItem,
    state: OutboxState,
) -> Result<(), StoreError> {
    drop_attention(tx, org, item)?;
    item.state = state;
    if wants_attention(state) {
        tx.put(keys::attention(org, state.as_str(), item.message), [])?;
    }
    save(tx, org, item);
    Ok(())
}

fn drop_attention(
    tx: &mut Transaction<'_>,
    org: OrgId,
    item: &OutboxItem,
) -> Result<(), StoreError> {
    for state in [
        OutboxState::Retrying,
        OutboxState::Held,
        OutboxState::Uncertain,
        OutboxState::Dead,
    ] {
        let key = keys::attention(org, state.as_str(), item.message);
        tx.delete(&key)?;
    }
    Ok(())
}

fn wants_attention(state: OutboxState) -> bool {
    !matches!(state, OutboxState::Queued | OutboxState::Leased)
}

/// Leased or queued again at a later time, at the head of its line.
pub(crate) fn reschedule(
    tx: &mut Transaction<'_>,
    org: OrgId,
    item: &mut OutboxItem,
    state: OutboxState,
    due_ms: Millis,
) -> Result<(), StoreError> {
    unschedule(tx, org, item)?;
    item.due_ms = due_ms;
    make_due(tx, org, item)?;
    set_state(tx, org, item, state)
}

/// Removes an item for good.
pub(crate) fn remove(
    tx: &mut Transaction<'_>,
    org: OrgId,
    item: &OutboxItem,
) -> Result<(), StoreError> {
    leave_line(tx, org, item)?;
    drop_attention(tx, org, item)?;
    tx.delete(keys::outbox(org, item.message))?;
    Ok(())
}

/// After a report: an item whose message proved to be with the provider is done, one whose
/// message failed for good becomes a dead letter. A call under way is left to its own end.
pub(crate) fn settle(
    tx: &mut Transaction<'_>,
    org: OrgId,
    message: &Message,
) -> Result<(), StoreError> {
    let Some(mut found) = item(tx, org, message.id)? else {
        return Ok(());
    };
    if found.state == OutboxState::Leased {
        return Ok(());
    }
    match message.status {
        Status::Sent | Status::Delivered | Status::Read => remove(tx, org, &found),
        Status::Failed => {
            leave_line(tx, org, &found)?;
            found.error.clone_from(&message.error);
            set_state(tx, org, &mut found, OutboxState::Dead)
        }
        Status::Received | Status::Queued | Status::Uncertain => Ok(()),
    }
}

/// The ids of items due on a channel by now, replies first.
pub(crate) fn due_ids(
    tx: &mut Transaction<'_>,
    org: OrgId,
    channel: &ChannelId,
    now_ms: Millis,
    limit: usize,
) -> Result<Vec<MessageId>, StoreError> {
    let mut ids = Vec::new();
    for lane in 0..=1 {
        let prefix = keys::due_lane(org, channel, lane);
        for (key, _) in tx.scan(&prefix, limit.saturating_sub(ids.len()))? {
            if due_of(&prefix, &key) > now_ms {
                break;
            }
            ids.extend(keys::trailing_id(&key).map(MessageId::from_bytes));
        }
    }
    Ok(ids)
}

/// The time in a due key behind its lane's prefix.
pub(crate) fn due_of(prefix: &[u8], key: &[u8]) -> Millis {
    let bytes: Option<[u8; 8]> = key
        .get(prefix.len()..prefix.len() + 8)
        .and_then(|bytes| bytes.try_into().ok());
    let due = bytes.map_or(0, u64::from_be_bytes);
    Millis::try_from(due).unwrap_or(Millis::MAX)
}
