//! Typed reads and writes inside one transaction.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use trunkline_plugin_api::Identity;

use super::{
    changes::{self, Change},
    clock::Clock,
    codec,
    engine::{StoreError, Transaction},
    keys, queued,
};
use crate::model::{
    ChannelId, ContactId, Message, MessageId, Millis, OrgId, Place, Thread, ThreadId,
};

/// Whose an identity is.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct IdentityRecord {
    pub(crate) contact: ContactId,
    pub(crate) thread: Option<ThreadId>,
    /// The contact whose it is by itself, where that one was merged into `contact`. Sends to it wait in
    /// the line of this contact, so that merging changes no order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) home: Option<ContactId>,
}

impl IdentityRecord {
    fn line(&self) -> ContactId {
        self.home.unwrap_or(self.contact)
    }

    /// The conversation that is gone on with.
    pub(crate) fn conversation(&self, thread: Thread) -> Conversation {
        Conversation {
            contact: self.contact,
            line: self.line(),
            thread,
        }
    }
}

pub(crate) fn load<T: DeserializeOwned>(
    tx: &mut Transaction<'_>,
    key: &[u8],
) -> Result<Option<T>, StoreError> {
    tx.get(key)?
        .map(|bytes| codec::decode(key, &bytes))
        .transpose()
}

pub(crate) fn note(tx: &mut Transaction<'_>, change: &Change) {
    tx.change(changes::KIND, change.encode());
}

/// The id of the message that a provider's id stands for, where it is known.
pub(crate) fn find_external(
    tx: &mut Transaction<'_>,
    org: OrgId,
    channel: &ChannelId,
    external_id: &str,
) -> Result<Option<MessageId>, StoreError> {
    let key = keys::external(org, channel, external_id);
    tx.get(&key)?
        .map(|bytes| codec::fixed(&key, &bytes).map(MessageId::from_bytes))
        .transpose()
}

/// The message with this id, in the queue or not.
pub(crate) fn find_message(
    tx: &mut Transaction<'_>,
    org: OrgId,
    id: MessageId,
) -> Result<Option<Message>, StoreError> {
    match load(tx, &keys::message(org, id))? {
        Some(message) => Ok(Some(message)),
        None => queued::message(tx, org, id),
    }
}

/// Writes a changed message back: with its item while it is in the queue, else by itself. One whose
/// item has just been removed must be written by this in the same transaction.
pub(crate) fn save_message(
    tx: &mut Transaction<'_>,
    org: OrgId,
    message: &Message,
) -> Result<(), StoreError> {
    if queued::save_message(tx, org, message)? {
        return Ok(());
    }
    let key = keys::message(org, message.id);
    if tx.deletes(&keys::outbox(org, message.id)) {
        // It leaves the queue, and had no key of its own.
        tx.insert(key, codec::encode(message));
        return Ok(());
    }
    tx.put(key, codec::encode(message))
}

/// The id of a message that has no place yet.
pub(crate) const UNPLACED: MessageId = MessageId::from_bytes([0; 16]);

/// Messages from one that has a `leap` to the next.
pub(crate) const LEAP: u64 = 32;

/// Stores a new message at the end of its thread, which gives it its id.
pub(crate) fn append_message(
    tx: &mut Transaction<'_>,
    org: OrgId,
    clock: &Clock,
    thread: &mut Thread,
    message: &mut Message,
) {
    place_message(tx, org, clock, thread, message);
    tx.insert(keys::message(org, message.id), codec::encode(message));
    if let Some(external_id) = &message.external_id {
        let key = keys::external(org, &message.channel, external_id);
        tx.insert(key, message.id.as_bytes());
    }
}

/// Gives a new message its place at the end of its thread, and with it its id. The caller stores it.
pub(crate) fn place_message(
    tx: &mut Transaction<'_>,
    org: OrgId,
    clock: &Clock,
    thread: &mut Thread,
    message: &mut Message,
) {
    thread.last_seq += 1;
    thread.last_channel = message.channel.clone();
    thread.updated_at_ms = message.created_at_ms;
    let place = Place {
        thread: thread.id.number(),
        seq: thread.last_seq,
    };
    message.id = MessageId::at(place, clock.time());
    message.thread = thread.id;
    message.seq = thread.last_seq;
    message.previous = thread.last.replace(message.id);
    if thread.last_seq % LEAP == 1 {
        message.leap = thread.leap.replace(message.id);
    }
    tx.replace(keys::thread(org, thread.id), codec::encode(thread));
}

/// What a closed thread does when a message comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClosedPolicy {
    /// It goes on.
    Reopen,
    /// Another begins.
    New,
}

impl From<crate::config::Closed> for ClosedPolicy {
    fn from(policy: crate::config::Closed) -> Self {
        match policy {
            crate::config::Closed::Reopen => Self::Reopen,
            crate::config::Closed::New => Self::New,
        }
    }
}

/// A contact's open thread, found or created.
pub(crate) struct Conversation {
    pub(crate) contact: ContactId,
    /// The contact in whose line sends wait.
    pub(crate) line: ContactId,
    pub(crate) thread: Thread,
}

/// Who is asked for, and what to create where nobody is found.
pub(crate) struct Peer<'a> {
    pub(crate) org: OrgId,
    pub(crate) identity: &'a Identity,
    pub(crate) name: Option<&'a str>,
    pub(crate) verified: bool,
    pub(crate) channel: &'a ChannelId,
    pub(crate) policy: ClosedPolicy,
    pub(crate) now_ms: Millis,
}
