//! Taking messages away, and the chain that a thread's messages are: each knows the one before it.
//!
//! A sweep takes the oldest away, and nothing has to be rewritten: a message whose predecessor is gone is the last of a
//! page. Only what waits to be sent may be older than what was swept; it is noted in its thread (`stragglers`), and
//! whoever comes to a gap goes on at the newest straggler before it.

use std::collections::BTreeSet;

use super::{
    Store,
    engine::{StoreError, Transaction},
    erasure::Hasher,
    keys, media, queue, queued,
    records::{self, load},
};
use crate::model::{Direction, MediaHash, Message, MessageId, Millis, OrgId, OutboxState, Thread};

/// Where a chain goes on from an id that may be gone.
pub(super) fn standing(
    thread: &Thread,
    id: Option<MessageId>,
    mut exists: impl FnMut(MessageId) -> Result<bool, StoreError>,
) -> Result<Option<MessageId>, StoreError> {
    let mut at = id;
    while let Some(id) = at {
        if exists(id)? {
            return Ok(Some(id));
        }
        at = thread.straggler_before(id);
    }
    Ok(None)
}

/// The same within a transaction.
pub(super) fn standing_in(
    tx: &Transaction<'_>,
    org: OrgId,
    thread: &Thread,
    id: Option<MessageId>,
) -> Result<Option<MessageId>, StoreError> {
    standing(thread, id, |id| {
        Ok(tx.contains(&keys::message(org, id))? || tx.contains(&keys::outbox(org, id))?)
    })
}

/// What becomes of the marks of a message that goes.
pub(super) enum Marks<'a> {
    /// They end where they are older than repeated webhooks are recognized for.
    ByAge {
        /// Messages before this one need no mark any more.
        dedupe_before: MessageId,
    },
    /// Their keyed hashes stay.
    Hashed {
        /// Makes them.
        hasher: &'a Hasher,
        /// Now.
        now: Millis,
    },
}

/// Takes a message away with all that hangs on it, but for its place in the chain. The files that nothing names any
/// more are added to `files`. False where its call is under way: nothing was done.
pub(super) fn take_away(
    tx: &mut Transaction<'_>,
    org: OrgId,
    message: &Message,
    marks: &Marks<'_>,
    files: &mut BTreeSet<MediaHash>,
) -> Result<bool, StoreError> {
    match queued::item(tx, org, message.id)? {
        Some(item) if item.state == OutboxState::Leased => return Ok(false),
        Some(item) => queue::remove(tx, org, &item)?,
        None => {
            tx.delete(keys::message(org, message.id))?;
        }
    }
    end_marks(tx, org, message, marks)?;
    tx.delete(keys::turn(org, message.thread, message.seq))?;
    if message.direction == Direction::Outbound {
        tx.delete(keys::awaiting(org, &message.channel, message.id))?;
        tx.delete(keys::window_refusal(org, &message.channel, message.id))?;
    }
    media::release(tx, org, &message.content, files)?;
    Ok(true)
}

fn end_marks(
    tx: &mut Transaction<'_>,
    org: OrgId,
    message: &Message,
    marks: &Marks<'_>,
) -> Result<(), StoreError> {
    let parts = message.parts.iter();
    let ids = parts.filter_map(|part| part.external_id.as_ref());
    for id in message.external_id.iter().chain(ids) {
        let locator = keys::external(org, &message.channel, id);
        match marks {
            Marks::ByAge { dedupe_before } => {
                let outbound = message.direction == Direction::Outbound;
                if outbound || message.id < *dedupe_before {
                    tx.delete(&locator)?;
                }
            }
            Marks::Hashed { hasher, now } => {
                tx.delete(&locator)?;
                hasher.keep_mark(tx, org, &locator, *now)?;
            }
        }
    }
    Ok(())
}

/// Takes away a thread that has no message, with its turns.
pub(super) fn take_thread(
    tx: &mut Transaction<'_>,
    org: OrgId,
    thread: &Thread,
) -> Result<(), StoreError> {
    for (key, _) in tx.scan(&keys::turns_of(org, thread.id), usize::MAX)? {
        tx.remove(&key);
    }
    tx.delete(keys::contact_thread(org, thread.contact, thread.id))?;
    tx.delete(keys::thread(org, thread.id))?;
    Ok(())
}

impl Store {
    /// Whether a message is there, in the queue or not.
    pub(super) fn has_message(&self, org: OrgId, id: MessageId) -> Result<bool, StoreError> {
        Ok(self.message(org, id)?.is_some())
    }

    /// The message that a chain goes on with from an id that may be gone.
    pub(super) fn standing_message(
        &self,
        org: OrgId,
        thread: &Thread,
        id: Option<MessageId>,
    ) -> Result<Option<Message>, StoreError> {
        let mut at = id;
        while let Some(id) = at {
            if let Some(message) = self.message(org, id)? {
                return Ok(Some(message));
            }
            at = thread.straggler_before(id);
        }
        Ok(None)
    }
}

/// Loads a thread.
pub(super) fn thread_of(
    tx: &mut Transaction<'_>,
    org: OrgId,
    message: &Message,
) -> Result<Option<Thread>, StoreError> {
    load(tx, &keys::thread(org, message.thread))
}

/// Takes a message out of the queue's or the archive's record.
pub(super) fn find(
    tx: &mut Transaction<'_>,
    org: OrgId,
    id: MessageId,
) -> Result<Option<Message>, StoreError> {
    records::find_message(tx, org, id)
}
