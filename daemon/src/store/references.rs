//! A mail follows its own references: it goes to the conversation of the mail that it answers, not
//! just to the one that is open.
//!
//! Looked at is what it says it answers (`reply_to`), then `references` of its metadata, the last one
//! first. Other media have one open thread and pay nothing for this.

use serde_json::Value;
use trunkline_plugin_api::{InboundMessage, Medium};

use super::{
    ChannelRef, contacts,
    engine::{StoreError, Transaction},
    keys,
    records::{self, ClosedPolicy, Conversation, IdentityRecord, Peer, load},
};
use crate::model::{ContactId, Thread, ThreadState};

/// References of one mail that are looked up; long conversations name hundreds.
const LOOKUPS_MAX: usize = 20;

/// The conversation that a mail of a known person belongs to by its references; none where they lead
/// nowhere, to somebody else, or to a thread that stays closed.
pub(super) fn follow(
    tx: &mut Transaction<'_>,
    peer: &Peer<'_>,
    channel: &ChannelRef,
    mail: &InboundMessage,
) -> Result<Option<Conversation>, StoreError> {
    if channel.medium != Medium::Email {
        return Ok(None);
    }
    let mut ids = named(mail).peekable();
    if ids.peek().is_none() {
        return Ok(None);
    }
    let key = keys::identity(peer.org, peer.identity);
    let Some(known) = load::<IdentityRecord>(tx, &key)? else {
        return Ok(None);
    };
    for id in ids.take(LOOKUPS_MAX) {
        let ours = thread_of(tx, channel, id, known.contact)?;
        // One mail to two of our addresses is two messages: the ids of mails that came in may end with
        // the address.
        let found = match (ours, &mail.address) {
            (None, Some(address)) => {
                thread_of(tx, channel, &format!("{id} {address}"), known.contact)?
            }
            (ours, _) => ours,
        };
        if let Some(thread) = found {
            return settle(tx, peer, known, thread);
        }
    }
    Ok(None)
}

/// What a mail refers to, the nearest first.
fn named(mail: &InboundMessage) -> impl Iterator<Item = &str> {
    let references = mail.metadata.get("references").and_then(Value::as_array);
    let references = references.into_iter().flatten().rev();
    let references = references.filter_map(Value::as_str);
    let answered = mail.reply_to.as_deref();
    let references = references.filter(move |id| Some(*id) != answered);
    answered.into_iter().chain(references)
}

/// The thread of the message with this id, where it is one with this person.
fn thread_of(
    tx: &mut Transaction<'_>,
    channel: &ChannelRef,
    id: &str,
    contact: ContactId,
) -> Result<Option<Thread>, StoreError> {
    let org = channel.org;
    let Some(place) = records::find_external(tx, org, &channel.id, id)? else {
        return Ok(None);
    };
    // Its retention time may have ended before that of its mark.
    let Some(message) = records::find_message(tx, org, place)? else {
        return Ok(None);
    };
    let thread: Option<Thread> = load(tx, &keys::thread(org, message.thread))?;
    Ok(thread.filter(|thread| thread.contact == contact || message.contact == contact))
}

/// Takes the thread where it is open or may be opened again. One that is opened again becomes the
/// person's thread, where theirs is closed.
fn settle(
    tx: &mut Transaction<'_>,
    peer: &Peer<'_>,
    known: IdentityRecord,
    mut thread: Thread,
) -> Result<Option<Conversation>, StoreError> {
    let may_open = thread.state == ThreadState::Open || peer.policy == ClosedPolicy::Reopen;
    if contacts::is_full(&thread) || !may_open {
        return Ok(None);
    }
    thread.state = ThreadState::Open;
    if known.thread != Some(thread.id) {
        let theirs: Option<Thread> = match known.thread {
            Some(id) => load(tx, &keys::thread(peer.org, id))?,
            None => None,
        };
        if theirs.is_none_or(|theirs| theirs.state != ThreadState::Open) {
            contacts::point_to(tx, peer.org, known.contact, thread.id)?;
        }
    }
    Ok(Some(known.conversation(thread)))
}
