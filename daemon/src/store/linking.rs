//! One person, several identities: what a provider vouches for with a message (a number and the id of a person
//! who may hide it) is kept together, in the transaction of that message.
//!
//! ```text
//! sender, also ── nobody known ──> one new contact with all of them
//!              ── one contact ───> it takes in those that are new
//!              ── several ───────> nothing moves: the message goes to the sender's own contact (or to the first
//!                                  known one), new identities join it, the others are named on the message
//! ```
//!
//! **An identity never changes its owner here.** Two contacts that turn out to be one person are merged by people,
//! who can take it back: a provider may be wrong, numbers change hands, and a moved identity would take its threads
//! and consent along. So the message carries `merge_suggestions` with the ids of the others in its metadata.
//!
//! Messages without further identities never come here, so they cost nothing more.

use trunkline_plugin_api::Identity;

use super::{
    clock::Clock,
    codec, contacts,
    engine::{StoreError, Transaction},
    keys,
    records::{Conversation, IdentityRecord, Peer, load},
};
use crate::model::{Contact, ContactId, ContactIdentity};

/// Further identities of one message that are looked at; a provider knows two or three.
const ALSO_MAX: usize = 8;
/// Identities that one contact takes in by itself.
const IDENTITIES_MAX: usize = 64;

/// A person's conversation, and the other contacts that the provider says are the same person.
pub(super) struct Linked {
    pub(super) conversation: Conversation,
    pub(super) others: Vec<ContactId>,
}

/// The person behind an identity and further ones that are theirs, found or created, with all of
/// them that nobody else holds.
pub(super) fn find_or_create(
    tx: &mut Transaction<'_>,
    clock: &Clock,
    peer: &Peer<'_>,
    also: &[Identity],
) -> Result<Linked, StoreError> {
    let given: Vec<&Identity> = std::iter::once(peer.identity)
        .chain(also.iter().take(ALSO_MAX))
        .collect();
    let mut owner: Option<ContactId> = None;
    let (mut new, mut others) = (Vec::new(), Vec::new());
    for identity in given {
        match load::<IdentityRecord>(tx, &keys::identity(peer.org, identity))? {
            None if !new.contains(&identity) => new.push(identity),
            None => {}
            Some(known) => {
                let owner = *owner.get_or_insert(known.contact);
                if known.contact != owner && !others.contains(&known.contact) {
                    others.push(known.contact);
                }
            }
        }
    }
    if let Some(owner) = owner {
        attach(tx, peer, owner, &new)?;
    }
    let conversation = contacts::find_or_create(tx, clock, peer)?;
    if owner.is_none() {
        new.retain(|identity| *identity != peer.identity);
        attach(tx, peer, conversation.contact, &new)?;
    }
    Ok(Linked {
        conversation,
        others,
    })
}

/// Adds identities that nobody holds to a contact.
fn attach(
    tx: &mut Transaction<'_>,
    peer: &Peer<'_>,
    owner: ContactId,
    new: &[&Identity],
) -> Result<(), StoreError> {
    if new.is_empty() {
        return Ok(());
    }
    let key = keys::contact(peer.org, owner);
    let mut contact: Contact = load(tx, &key)?
        .ok_or_else(|| StoreError::unreadable(&key, "an identity points here, but nothing is"))?;
    let record = codec::encode(&IdentityRecord {
        contact: owner,
        thread: contact.thread,
        home: None,
    });
    for identity in new {
        if contact.identities.len() >= IDENTITIES_MAX {
            break;
        }
        contact.identities.push(ContactIdentity {
            identity: (*identity).clone(),
            primary: false,
            verified_at_ms: peer.verified.then_some(peer.now_ms),
        });
        tx.insert(keys::identity(peer.org, identity), &record);
    }
    tx.replace(&key, codec::encode(&contact));
    Ok(())
}
