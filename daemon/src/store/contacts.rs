//! Finding or creating a person and their open thread, in the transaction that needs them.

use super::{
    clock::Clock,
    codec,
    engine::{StoreError, Transaction},
    keys,
    records::{ClosedPolicy, Conversation, IdentityRecord, Peer, load},
};
use crate::model::{
    Contact, ContactId, ContactIdentity, OrgId, SEQ_MAX, Thread, ThreadId, ThreadState,
};

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
        Some(thread) if is_full(&thread) => renew(tx, clock, peer, &known),
        Some(thread) if thread.state == ThreadState::Open => Ok(known.conversation(thread)),
        Some(mut thread) if peer.policy == ClosedPolicy::Reopen => {
            thread.state = ThreadState::Open;
            Ok(known.conversation(thread))
        }
        _ => renew(tx, clock, peer, &known),
    }
}

/// A thread holds as many messages as their ids can count; then another begins.
pub(crate) fn is_full(thread: &Thread) -> bool {
    thread.last_seq >= SEQ_MAX
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
        merged_into: None,
        merged: Vec::new(),
        apart: Vec::new(),
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
        home: None,
    };
    tx.insert(identity_key, codec::encode(&record));
    Ok(record.conversation(thread))
}

/// Another thread for a known contact, whose identities all point to it from now on.
fn renew(
    tx: &mut Transaction<'_>,
    clock: &Clock,
    peer: &Peer<'_>,
    known: &IdentityRecord,
) -> Result<Conversation, StoreError> {
    let id = known.contact;
    let key = keys::contact(peer.org, id);
    let mut contact: Contact = load(tx, &key)?
        .ok_or_else(|| StoreError::unreadable(&key, "an identity points here, but nothing is"))?;
    // Another identity of the same person may have begun a thread since.
    if let Some(other) = contact.thread
        && let Some(thread) = load::<Thread>(tx, &keys::thread(peer.org, other))?
        && thread.state == ThreadState::Open
        && !is_full(&thread)
    {
        return Ok(known.conversation(thread));
    }
    let thread = new_thread(tx, clock, peer, id)?;
    save_thread_of(tx, peer.org, &mut contact, thread.id)?;
    Ok(known.conversation(thread))
}

/// Lets the records of a contact's addresses say whose they are and where their messages go.
pub(crate) fn point(
    tx: &mut Transaction<'_>,
    org: OrgId,
    contact: &Contact,
    change: impl Fn(&mut IdentityRecord),
) -> Result<(), StoreError> {
    for known in &contact.identities {
        let key = keys::identity(org, &known.identity);
        let mut record = load(tx, &key)?.unwrap_or(IdentityRecord {
            contact: contact.id,
            thread: None,
            home: None,
        });
        change(&mut record);
        record.contact = contact.id;
        record.thread = contact.thread;
        tx.put(&key, codec::encode(&record))?;
    }
    Ok(())
}

/// Makes a thread the one that a contact's messages go to from now on.
pub(crate) fn point_to(
    tx: &mut Transaction<'_>,
    org: OrgId,
    id: ContactId,
    thread: ThreadId,
) -> Result<(), StoreError> {
    let key = keys::contact(org, id);
    let mut contact: Contact = load(tx, &key)?
        .ok_or_else(|| StoreError::unreadable(&key, "an identity points here, but nothing is"))?;
    save_thread_of(tx, org, &mut contact, thread)
}

/// Writes a contact and all its identities with their thread.
fn save_thread_of(
    tx: &mut Transaction<'_>,
    org: OrgId,
    contact: &mut Contact,
    thread: ThreadId,
) -> Result<(), StoreError> {
    contact.thread = Some(thread);
    point(tx, org, contact, |_| {})?;
    tx.replace(keys::contact(org, contact.id), codec::encode(contact));
    Ok(())
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
        stragglers: Vec::new(),
        last_channel: peer.channel.clone(),
        created_at_ms: peer.now_ms,
        updated_at_ms: peer.now_ms,
    };
    tx.insert(keys::thread(peer.org, thread.id), codec::encode(&thread));
    tx.insert(keys::contact_thread(peer.org, contact, thread.id), []);
    Ok(thread)
}
