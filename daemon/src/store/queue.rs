//! The outbox's places in the tree: which item waits for whom, and what may go next.
//!
//! ```text
//! accept ─> scheduled ─ its time ─┐
//!        └────────────────────────┴> line of the contact ─ first? ─> due ─ lease ─> leased ─┬─ sent: gone
//!                                     ^                               ^                     ├─ later: due again
//!                                     └── the next in line is made due ─────────────────────┴─ failed, uncertain:
//!                                                                                             out of line, kept
//! ```
//!
//! A contact has one line on each channel and lane: order holds within a lane, and an answer never
//! waits behind a mass mailing to the same person.

use super::{
    engine::{StoreError, Transaction},
    keys,
    line::Line,
    queued,
};
use crate::model::{
    ChannelId, Message, MessageId, Millis, OrgId, OutboxItem, OutboxState, Priority, Status,
};

/// Writes an item back, with its lease where it has one.
pub(crate) fn save(
    tx: &mut Transaction<'_>,
    org: OrgId,
    item: &OutboxItem,
) -> Result<(), StoreError> {
    if item.state == OutboxState::Leased {
        save_lease(tx, org, item);
    }
    queued::save_item(tx, org, item)
}

/// Writes how far the attempt of a leased item is: its cursor, and whether it was called.
pub(crate) fn save_lease(tx: &mut Transaction<'_>, org: OrgId, item: &OutboxItem) {
    let key = keys::lease(org, &item.channel, item.message);
    tx.replace(key, queued::lease_of(item));
}

/// Puts a new item in line behind everything that waits for the same contact, or lets it wait for
/// its time.
pub(crate) fn enqueue(
    tx: &mut Transaction<'_>,
    org: OrgId,
    item: &OutboxItem,
    message: &Message,
) -> Result<(), StoreError> {
    queued::insert(tx, org, item, message);
    if item.scheduled {
        let key = keys::scheduled(org, &item.channel, item.due_ms, item.message);
        tx.insert(key, []);
        return Ok(());
    }
    join_line(tx, org, item)
}

/// Puts a stored item in line; it is made due at once where it is the first.
pub(crate) fn join_line(
    tx: &mut Transaction<'_>,
    org: OrgId,
    item: &OutboxItem,
) -> Result<(), StoreError> {
    // An item that comes back may be older than what stands in line; due is only the first.
    let mut line = Line::load(tx, org, item)?;
    let first = line.first(tx)?;
    if first == Some(item.message) {
        return Ok(());
    }
    line.add(tx, item.message)?;
    line.save(tx);
    match first {
        None => {
            tx.insert(keys::due(org, item), []);
            Ok(())
        }
        Some(first) if item.message < first => {
            if let Some(behind) = queued::item(tx, org, first)?
                && behind.state != OutboxState::Leased
            {
                tx.delete(keys::due(org, &behind))?;
                return make_due(tx, org, item);
            }
            Ok(())
        }
        Some(_) => Ok(()),
    }
}

fn make_due(tx: &mut Transaction<'_>, org: OrgId, item: &OutboxItem) -> Result<(), StoreError> {
    tx.put(keys::due(org, item), [])
}

/// Takes an item out of the line and makes the next one due.
pub(crate) fn leave_line(
    tx: &mut Transaction<'_>,
    org: OrgId,
    gone: &OutboxItem,
) -> Result<(), StoreError> {
    if gone.scheduled {
        let key = keys::scheduled(org, &gone.channel, gone.due_ms, gone.message);
        tx.delete(&key)?;
        return Ok(());
    }
    unschedule(tx, org, gone)?;
    let mut line = Line::load(tx, org, gone)?;
    line.take_out(tx, gone.message)?;
    line.save(tx);
    make_first_due(tx, org, &mut line)
}

/// Removes an item's due or lease mark.
fn unschedule(tx: &mut Transaction<'_>, org: OrgId, item: &OutboxItem) -> Result<(), StoreError> {
    if item.state == OutboxState::Leased {
        tx.remove(keys::lease(org, &item.channel, item.message));
    } else {
        tx.delete(keys::due(org, item))?;
    }
    Ok(())
}

/// An item leased for a call: from due to leased; one that is leased already stays so. None where it
/// is neither. `taken` is the item as it was taken for its attempt: whatever changes an item changes when it is due, or
/// takes it out of line.
pub(crate) fn leased(
    tx: &mut Transaction<'_>,
    org: OrgId,
    taken: &OutboxItem,
) -> Result<Option<OutboxItem>, StoreError> {
    let due = keys::due(org, taken);
    if taken.state == OutboxState::Leased || !tx.contains(&due)? {
        let item = queued::item(tx, org, taken.message)?;
        return Ok(item.filter(|item| item.state == OutboxState::Leased));
    }
    tx.remove(&due);
    drop_attention(tx, org, taken)?;
    let item = OutboxItem {
        state: OutboxState::Leased,
        ..taken.clone()
    };
    let key = keys::lease(org, &item.channel, item.message);
    tx.insert(key, queued::lease_of(&item));
    Ok(Some(item))
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
    item.called = false;
    if wants_attention(state) {
        tx.insert(keys::attention(org, state.as_str(), item.message), []);
    }
    save(tx, org, item)
}

fn drop_attention(
    tx: &mut Transaction<'_>,
    org: OrgId,
    item: &OutboxItem,
) -> Result<(), StoreError> {
    if wants_attention(item.state) {
        tx.delete(keys::attention(org, item.state.as_str(), item.message))?;
    }
    Ok(())
}

fn wants_attention(state: OutboxState) -> bool {
    !matches!(state, OutboxState::Queued | OutboxState::Leased)
}

/// Leased or queued again at a later time, in its place in line.
pub(crate) fn reschedule(
    tx: &mut Transaction<'_>,
    org: OrgId,
    item: &mut OutboxItem,
    state: OutboxState,
    due_ms: Millis,
) -> Result<(), StoreError> {
    unschedule(tx, org, item)?;
    item.due_ms = due_ms;
    set_state(tx, org, item, state)?;
    let mut line = Line::load(tx, org, item)?;
    make_first_due(tx, org, &mut line)
}

/// Makes the first in a line due, unless its call is under way.
fn make_first_due(
    tx: &mut Transaction<'_>,
    org: OrgId,
    line: &mut Line<'_>,
) -> Result<(), StoreError> {
    match line.first_item(tx)? {
        Some(first) if first.state != OutboxState::Leased => make_due(tx, org, &first),
        _ => Ok(()),
    }
}

/// Removes an item for good; the caller saves its message.
pub(crate) fn remove(
    tx: &mut Transaction<'_>,
    org: OrgId,
    item: &OutboxItem,
) -> Result<(), StoreError> {
    if !item.state.is_out_of_line() {
        leave_line(tx, org, item)?;
    }
    drop_attention(tx, org, item)?;
    tx.remove(keys::outbox(org, item.message));
    Ok(())
}

/// The provider has the message: its item is done, and its final state is waited for.
pub(crate) fn done(
    tx: &mut Transaction<'_>,
    org: OrgId,
    item: &OutboxItem,
    message: &Message,
) -> Result<(), StoreError> {
    if !message.status.is_final() {
        tx.put(keys::awaiting(org, &message.channel, message.id), [])?;
    }
    remove(tx, org, item)
}

/// After a report: an item whose message proved to be with the provider is done, one whose
/// message failed for good becomes a dead letter. A call under way is left to its own end.
pub(crate) fn settle(
    tx: &mut Transaction<'_>,
    org: OrgId,
    message: &Message,
) -> Result<(), StoreError> {
    let Some(mut found) = queued::item(tx, org, message.id)? else {
        return Ok(());
    };
    if found.state == OutboxState::Leased {
        return Ok(());
    }
    match message.status {
        Status::Sent | Status::Delivered | Status::Read => done(tx, org, &found, message),
        Status::Failed if found.state != OutboxState::Dead => {
            give_up(tx, org, &mut found, message, OutboxState::Dead)
        }
        // The part of unknown outcome arrived: what is left of the message goes on.
        Status::Queued if found.state.is_out_of_line() => {
            set_state(tx, org, &mut found, OutboxState::Queued)?;
            join_line(tx, org, &found)
        }
        _ => Ok(()),
    }
}

/// Takes an item out of line into a state that waits for a person or for word from the provider.
pub(crate) fn give_up(
    tx: &mut Transaction<'_>,
    org: OrgId,
    item: &mut OutboxItem,
    message: &Message,
    state: OutboxState,
) -> Result<(), StoreError> {
    if !item.state.is_out_of_line() {
        leave_line(tx, org, item)?;
    }
    item.scheduled = false;
    item.error = message.error.clone().or(item.error.take());
    set_state(tx, org, item, state)
}

/// Puts items whose scheduled time has come in line. At most `limit`.
pub(crate) fn promote(
    tx: &mut Transaction<'_>,
    org: OrgId,
    channel: &ChannelId,
    now_ms: Millis,
    limit: usize,
) -> Result<(), StoreError> {
    let prefix = keys::scheduled_of(org, channel);
    for (key, _) in tx.scan(&prefix, limit)? {
        if due_of(&prefix, &key) > now_ms {
            break;
        }
        tx.delete(&key)?;
        let Some(id) = keys::trailing_id(&key).map(MessageId::from_bytes) else {
            continue;
        };
        if let Some(mut item) = queued::item(tx, org, id)? {
            item.scheduled = false;
            item.accepted_at_ms = item.due_ms;
            save(tx, org, &item)?;
            join_line(tx, org, &item)?;
        }
    }
    Ok(())
}

/// The ids of items of one lane due on a channel by now.
pub(crate) fn due_ids(
    tx: &mut Transaction<'_>,
    org: OrgId,
    channel: &ChannelId,
    lane: Priority,
    now_ms: Millis,
    limit: usize,
) -> Result<Vec<MessageId>, StoreError> {
    if limit == 0 {
        return Ok(Vec::new());
    }
    let prefix = keys::due_lane(org, channel, lane);
    let due = tx.scan(&prefix, limit)?;
    let due = due
        .iter()
        .take_while(|(key, _)| due_of(&prefix, key) <= now_ms);
    Ok(due
        .filter_map(|(key, _)| keys::trailing_id(key).map(MessageId::from_bytes))
        .collect())
}

/// The time in a key behind its prefix.
pub(crate) fn due_of(prefix: &[u8], key: &[u8]) -> Millis {
    let bytes: Option<[u8; 8]> = key
        .get(prefix.len()..prefix.len() + 8)
        .and_then(|bytes| bytes.try_into().ok());
    let due = bytes.map_or(0, u64::from_be_bytes);
    Millis::try_from(due).unwrap_or(Millis::MAX)
}
