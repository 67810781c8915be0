//! Typed reads and writes inside one transaction.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use trunkline_plugin_api::Identity;

use super::{
    changes::{self, Change},
    clock::Clock,
    codec,
    engine::{StoreError, Transaction},
    keys,
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

/// The message that a provider's id stands for, where it is known.
pub(crate) fn find_external(
    tx: &mut Transaction<'_>,
    org: OrgId,
    channel: &ChannelId,
    external_id: &str,
) -> Result<Option<Place>, StoreError> {
    let key = keys::external(org, channel, external_id);
    tx.get(&key)?
        .map(|bytes| codec::fixed(&key, &bytes).map(keys::read_place))
        .transpose()
}

/// The message with this id.
pub(crate) fn find_message(
    tx: &mut Transaction<'_>,
    org: OrgId,
    id: MessageId,
) -> Result<Option<Message>, StoreError> {
    let found: Option<Message> = load(tx, &keys::message(org, id.place()))?;
    Ok(found.filter(|message| message.id == id))
}

/// The message at a place.
pub(crate) fn message_at(
    tx: &mut Transaction<'_>,
    org: OrgId,
    place: Place,
) -> Result<Message, StoreError> {
    let key = keys::message(org, place);
    load(tx, &key)?
        .ok_or_else(|| StoreError::unreadable(&key, "a locator points here, but nothing is"))
}

/// Writes a changed message back.
pub(crate) fn save_message(tx: &mut Transaction<'_>, org: OrgId, message: &Message) {
    tx.replace(
        keys::message(org, message.id.place()),
        codec::encode(message),
    );
}

/// The id of a message that has no place yet.
pub(crate) const UNPLACED: MessageId = MessageId::from_bytes([0; 16]);

/// Stores a new message at the end of its thread, which gives it its id.
pub(crate) fn append_message(
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
    tx.insert(keys::message(org, place), codec::encode(message));
    if let Some(external_id) = &message.external_id {
        let key = keys::external(org, &message.channel, external_id);
        tx.insert(key, keys::place_bytes(place));
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
