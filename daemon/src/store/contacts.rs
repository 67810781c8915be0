//! Finding or creating a person and their open thread, in the transaction that needs them.

use super::{
    clock::Clock,
    codec,
    engine::{StoreError, Transaction},
    keys,
    records::{ClosedPolicy, Conversation, IdentityRecord, Peer, load},
};
use crate::model::{Contact, ContactId, ContactIdentity, SEQ_MAX, Thread, ThreadId, ThreadState};

/// The person behind an identity and their open thread; both are created where there are none.
pub(crate) fn find_or_create(
    tx: &mut Transaction<'_>,
    clock: &Clock,
    peer: &Peer<'_>,
) -> Result<Conversation, StoreError> {
    let key = keys::identity(peer.org, peer.identity);
    let Some(known) = load::<IdentityRecord>(tx, &key)? else {
        return create(tx, clock, peer, &key);
    };
    let open = match known.thread {
        Some(id) => load::<Thread>(tx, &keys::thread(peer.org, id))?,
        None => None,
    };
    match open {
        Some(thread) if is_full(&thread) => renew(tx, clock, peer, known.contact),
        Some(thread) if thread.state == ThreadState::Open => {
            Ok(conversation(known.contact, thread))
        }
        Some(mut thread) if peer.policy == ClosedPolicy::Reopen => {
            thread.state = ThreadState::Open;
            Ok(conversation(known.contact, thread))
        }
        _ => renew(tx, clock, peer, known.contact),
    }
}

/// A thread holds as many messages as their ids can count; then another begins.
fn is_full(thread: &Thread) -> bool {
    thread.last_seq >= SEQ_MAX
}

fn conversation(contact: ContactId, thread: Thread) -> Conversation {
    Conversation { contact, thread }
}

/// First word of a stranger: contact, identity and thread in one step.
fn create(
    tx: &mut Transaction<'_>,
    clock: &Clock,
    peer: &Peer<'_>,
    identity_key: &[u8],
) -> Result<Conversation, StoreError> {
    let contact = Contact {
        id: ContactId::new(clock.id()),
        name: peer.name.map(str::to_owned),
        identities: vec![ContactIdentity {
            identity: peer.identity.clone(),
            primary: true,
            verified_at_ms: peer.verified.then_some(peer.now_ms),
        }],
        thread: None,
        created_at_ms: peer.now_ms,
    };
    let thread = new_thread(tx, clock, peer, contact.id)?;
    let contact = Contact {
        thread: Some(thread.id),
        ..contact
    };
    tx.insert(keys::contact(peer.org, contact.id), codec::encode(&contact));
    let record = IdentityRecord {
        contact: contact.id,
        thread: contact.thread,
    };
    tx.insert(identity_key, codec::encode(&record));
    Ok(Conversation {
        contact: contact.id,
        thread,
    })
}

/// Another thread for a known contact, whose identities all point to it from now on.
fn renew(
    tx: &mut Transaction<'_>,
    clock: &Clock,
    peer: &Peer<'_>,
    id: ContactId,
) -> Result<Conversation, StoreError> {
    let key = keys::contact(peer.org, id);
    let mut contact: Contact = load(tx, &key)?
        .ok_or_else(|| StoreError::unreadable(&key, "an identity points here, but nothing is"))?;
    // Another identity of the same person may have begun a thread since.
    if let Some(other) = contact.thread
        && let Some(thread) = load::<Thread>(tx, &keys::thread(peer.org, other))?
        && thread.state == ThreadState::Open
        && !is_full(&thread)
    {
        return Ok(conversation(id, thread));
    }
    let thread = new_thread(tx, clock, peer, id)?;
    contact.thread = Some(thread.id);
    let record = codec::encode(&IdentityRecord {
        contact: id,
        thread: contact.thread,
    });
    for known in &contact.identities {
        tx.put(keys::identity(peer.org, &known.identity), &record)?;
    }
    tx.replace(&key, codec::encode(&contact));
    Ok(Conversation {
        contact: id,
        thread,
    })
}

fn new_thread(
    tx: &mut Transaction<'_>,
    clock: &Clock,
    peer: &Peer<'_>,
    contact: ContactId,
) -> Result<Thread, StoreError> {
    let counter = keys::next_thread(peer.org);
    let number = match tx.get(&counter)? {
        Some(bytes) => u64::from_be_bytes(codec::fixed(&counter, &bytes)?),
        None => 1,
    };
    tx.put(&counter, (number + 1).to_be_bytes())?;
    let thread = Thread {
        id: ThreadId::numbered(number, clock.time()),
        contact,
        state: ThreadState::Open,
        needs_human: false,
        last_seq: 0,
        last: None,
        leap: None,
        last_channel: peer.channel.clone(),
        created_at_ms: peer.now_ms,
        updated_at_ms: peer.now_ms,
    };
    tx.insert(keys::thread(peer.org, thread.id), codec::encode(&thread));
    tx.insert(keys::contact_thread(peer.org, contact, thread.id), []);
    Ok(thread)
}
