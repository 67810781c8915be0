//! A message in the queue: its item and the message itself in one record, so that what waits is one key.
//!
//! ```text
//! item's bytes u32 | item | message
//! ```
//!
//! The attempt under way is in the lease, a record of its own: beginning a call does not write the message
//! again. An item with a lease is leased, whatever its record says.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Store, codec,
    engine::{StoreError, Transaction},
    keys,
};
use crate::model::{Message, MessageId, OrgId, OutboxItem, OutboxState};

/// The attempt under way.
#[derive(Serialize, Deserialize)]
struct Lease {
    attempts: u32,
    called: bool,
    cursor: Value,
}

impl Lease {
    fn put_into(self, item: &mut OutboxItem) {
        item.state = OutboxState::Leased;
        item.attempts = self.attempts;
        item.called = self.called;
        item.cursor = self.cursor;
    }
}

/// What a lease says of its item.
pub(crate) fn lease_of(item: &OutboxItem) -> Vec<u8> {
    codec::encode(&Lease {
        attempts: item.attempts,
        called: item.called,
        cursor: item.cursor.clone(),
    })
}

fn join(item: &[u8], message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(item.len()).expect("values are bounded");
    [&length.to_be_bytes(), item, message].concat()
}

/// The item and the message in a record, as they were written.
pub(super) fn split<'a>(key: &[u8], bytes: &'a [u8]) -> Result<(&'a [u8], &'a [u8]), StoreError> {
    let parts = bytes.split_first_chunk::<4>().and_then(|(length, rest)| {
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        rest.split_at_checked(length)
    });
    parts.ok_or_else(|| StoreError::unreadable(key, "the item is cut short"))
}

/// Writes a new item with its message.
pub(crate) fn insert(tx: &mut Transaction<'_>, org: OrgId, item: &OutboxItem, message: &Message) {
    let value = join(&codec::encode(item), &codec::encode(message));
    tx.insert(keys::outbox(org, item.message), value);
}

/// The item of a message, where it is in the queue.
pub(crate) fn item(
    tx: &mut Transaction<'_>,
    org: OrgId,
    id: MessageId,
) -> Result<Option<OutboxItem>, StoreError> {
    let key = keys::outbox(org, id);
    let Some(bytes) = tx.get(&key)? else {
        return Ok(None);
    };
    let mut item = codec::decode(&key, split(&key, &bytes)?.0)?;
    take_lease(tx, org, &mut item)?;
    Ok(Some(item))
}

fn take_lease(
    tx: &mut Transaction<'_>,
    org: OrgId,
    item: &mut OutboxItem,
) -> Result<(), StoreError> {
    let key = keys::lease(org, &item.channel, item.message);
    if let Some(bytes) = tx.get(&key)? {
        codec::decode::<Lease>(&key, &bytes)?.put_into(item);
    }
    Ok(())
}

/// The message with this id, where it is in the queue.
pub(crate) fn message(
    tx: &mut Transaction<'_>,
    org: OrgId,
    id: MessageId,
) -> Result<Option<Message>, StoreError> {
    let key = keys::outbox(org, id);
    let Some(bytes) = tx.get(&key)? else {
        return Ok(None);
    };
    codec::decode(&key, split(&key, &bytes)?.1).map(Some)
}

/// The message in an item's record.
pub(crate) fn message_in(key: &[u8], bytes: &[u8]) -> Result<Message, StoreError> {
    codec::decode(key, split(key, bytes)?.1)
}

/// Both.
pub(crate) fn both(
    tx: &mut Transaction<'_>,
    org: OrgId,
    id: MessageId,
) -> Result<Option<(OutboxItem, Message)>, StoreError> {
    let key = keys::outbox(org, id);
    let Some(bytes) = tx.get(&key)? else {
        return Ok(None);
    };
    let (item, message) = split(&key, &bytes)?;
    let mut item = codec::decode(&key, item)?;
    take_lease(tx, org, &mut item)?;
    Ok(Some((item, codec::decode(&key, message)?)))
}

/// Writes an item back.
pub(crate) fn save_item(
    tx: &mut Transaction<'_>,
    org: OrgId,
    item: &OutboxItem,
) -> Result<(), StoreError> {
    let key = keys::outbox(org, item.message);
    let Some(bytes) = tx.get(&key)? else {
        return Err(StoreError::unreadable(&key, "the item is not there"));
    };
    let value = join(&codec::encode(item), split(&key, &bytes)?.1);
    tx.replace(&key, value);
    Ok(())
}

/// Writes a message back where it is in the queue; false where it is not.
pub(crate) fn save_message(
    tx: &mut Transaction<'_>,
    org: OrgId,
    message: &Message,
) -> Result<bool, StoreError> {
    let key = keys::outbox(org, message.id);
    let Some(bytes) = tx.get(&key)? else {
        return Ok(false);
    };
    let value = join(split(&key, &bytes)?.0, &codec::encode(message));
    tx.replace(&key, value);
    Ok(true)
}

impl Store {
    /// An item in the queue, as applied.
    pub(super) fn queued_item(
        &self,
        org: OrgId,
        id: MessageId,
    ) -> Result<Option<OutboxItem>, StoreError> {
        let key = keys::outbox(org, id);
        let Some(bytes) = self.engine.get(&key)? else {
            return Ok(None);
        };
        let item = split(&key, &bytes)?.0;
        self.with_lease(org, codec::decode(&key, item)?).map(Some)
    }

    /// An item in the queue with its message, as applied.
    pub(super) fn queued(
        &self,
        org: OrgId,
        id: MessageId,
    ) -> Result<Option<(OutboxItem, Message)>, StoreError> {
        let key = keys::outbox(org, id);
        let Some(bytes) = self.engine.get(&key)? else {
            return Ok(None);
        };
        let (item, message) = split(&key, &bytes)?;
        let item = self.with_lease(org, codec::decode(&key, item)?)?;
        Ok(Some((item, codec::decode(&key, message)?)))
    }

    fn with_lease(&self, org: OrgId, mut item: OutboxItem) -> Result<OutboxItem, StoreError> {
        let key = keys::lease(org, &item.channel, item.message);
        if let Some(lease) = self.record::<Lease>(&key)? {
            lease.put_into(&mut item);
        }
        Ok(item)
    }
}
