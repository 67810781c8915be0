//! Typed reads and writes inside one transaction.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use trunkline_plugin_api::Identity;

use super::{
    changes::{self, Change},
    codec,
    engine::{StoreError, Transaction},
    keys,
};
use crate::model::{ChannelId, ContactId, Message, MessageId, Millis, OrgId, Thread, ThreadId};

/// Where a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) thread: ThreadId,
    pub(crate) seq: u64,
}

/// Whose an identity is.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct IdentityRecord {
    pub(crate) contact: ContactId,
    pub(crate) thread: Option<ThreadId>,
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

pub(crate) fn place_bytes(place: Place) -> [u8; 24] {
    let mut bytes = [0; 24];
    bytes[..16].copy_from_slice(place.thread.as_bytes());
    bytes[16..].copy_from_slice(&place.seq.to_be_bytes());
    bytes
}

pub(crate) fn read_place(key: &[u8], bytes: &[u8]) -> Result<Place, StoreError> {
    let bytes: [u8; 24] = codec::fixed(key, bytes)?;
    let (thread, seq) = bytes.split_at(16);
    Ok(Place {
        thread: ThreadId::from_bytes(thread.try_into().expect("split at 16")),
        seq: u64::from_be_bytes(seq.try_into().expect("24 - 16 is 8")),
    })
}

/// The message that a provider's id stands for, where it is known.
pub(crate) fn find_external(
    tx: &mut Transaction<'_>,
    org: OrgId,
    channel: &ChannelId,
    external_id: &str,
) -> Result<Option<Place>, StoreError> {
    let key = keys::external(org, channel, external_id);
    tx.get(&key)?
        .map(|bytes| read_place(&key, &bytes))
        .transpose()
}

/// The place of a message by its id.
pub(crate) fn find_message(
    tx: &mut Transaction<'_>,
    org: OrgId,
    id: MessageId,
) -> Result<Option<Place>, StoreError> {
    let key = keys::locator(org, id);
    tx.get(&key)?
        .map(|bytes| read_place(&key, &bytes))
        .transpose()
}

/// The message at a place.
pub(crate) fn message_at(
    tx: &mut Transaction<'_>,
    org: OrgId,
    place: Place,
) -> Result<Message, StoreError> {
    let key = keys::message(org, place.thread, place.seq);
    load(tx, &key)?
        .ok_or_else(|| StoreError::unreadable(&key, "a locator points here, but nothing is"))
}

/// Writes a changed message back.
pub(crate) fn save_message(tx: &mut Transaction<'_>, org: OrgId, message: &Message) {
    tx.replace(
        keys::message(org, message.thread, message.seq),
        codec::encode(message),
    );
}

/// Stores a new message with its locators at the end of its thread.
pub(crate) fn append_message(
    tx: &mut Transaction<'_>,
    org: OrgId,
    thread: &mut Thread,
    message: &mut Message,
) {
    thread.last_seq += 1;
    thread.last_channel = message.channel.clone();
    thread.updated_at_ms = message.created_at_ms;
    message.thread = thread.id;
    message.seq = thread.last_seq;
    let place = place_bytes(Place {
        thread: thread.id,
        seq: message.seq,
    });
    tx.insert(
        &keys::message(org, thread.id, message.seq),
        &codec::encode(message),
    );
    tx.insert(&keys::locator(org, message.id), &place);
    if let Some(external_id) = &message.external_id {
        tx.insert(&keys::external(org, &message.channel, external_id), &place);
    }
    tx.replace(&keys::thread(org, thread.id), codec::encode(thread));
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
    pub(crate) thread: Thread,
    pub(crate) is_new_thread: bool,
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
