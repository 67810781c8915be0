//! Two contacts that are one person, and back again. Nothing that was written is rewritten: messages and
//! threads stay where they are, only whose an address is changes, and where its next message goes.

use super::{
    Store,
    clock::Clock,
    codec,
    contacts::point,
    engine::{StoreError, Transaction},
    keys,
    records::load,
};
use crate::model::{Apart, Contact, ContactId, Merged, OrgId, Thread, ThreadState};

/// Addresses of one contact; a merge beyond it is refused.
const IDENTITIES_MAX: usize = 200;
/// How often one contact may have been taken apart again.
const APART_MAX: usize = 100;
/// How deep contacts may be merged into one another.
pub(crate) const DEPTH_MAX: usize = 16;

/// What came of a merge, or of taking one back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MergeResult {
    /// The contact that was kept, as it is now.
    Done(Box<Contact>),
    /// One of the two does not exist.
    Unknown(ContactId),
    /// One of the two is part of another contact.
    PartOf {
        /// Which.
        contact: ContactId,
        /// Of whom.
        whole: ContactId,
    },
    /// They are the same contact.
    Same,
    /// The one was not merged into the other.
    NotMerged,
    /// The contact would become larger than one can be; why.
    TooMany(&'static str),
}

impl Store {
    /// Makes `other` a part of `keep`: one contact with the addresses of both and one timeline. The
    /// next message of either goes to the thread of `keep`.
    pub async fn merge_contacts(
        &self,
        org: OrgId,
        keep: ContactId,
        other: ContactId,
        by: &str,
    ) -> Result<MergeResult, StoreError> {
        let pending = self
            .engine
            .transact(|tx| plan_merge(tx, &self.clock, org, (keep, other), by))?;
        Ok(pending.await?.0)
    }

    /// Takes a merge back: `other` gets its addresses and its thread again, and what was written
    /// meanwhile is shown with the one whose address it has.
    pub async fn unmerge_contacts(
        &self,
        org: OrgId,
        keep: ContactId,
        other: ContactId,
    ) -> Result<MergeResult, StoreError> {
        let pending = self
            .engine
            .transact(|tx| plan_unmerge(tx, &self.clock, org, (keep, other)))?;
        Ok(pending.await?.0)
    }
}

/// A contact that is part of no other.
fn whole(
    tx: &mut Transaction<'_>,
    org: OrgId,
    id: ContactId,
) -> Result<Result<Contact, MergeResult>, StoreError> {
    let found = load::<Contact>(tx, &keys::contact(org, id))?;
    Ok(match found {
        None => Err(MergeResult::Unknown(id)),
        Some(Contact {
            merged_into: Some(whole),
            ..
        }) => Err(MergeResult::PartOf { contact: id, whole }),
        Some(contact) => Ok(contact),
    })
}

fn plan_merge(
    tx: &mut Transaction<'_>,
    clock: &Clock,
    org: OrgId,
    (keep, other): (ContactId, ContactId),
    by: &str,
) -> Result<MergeResult, StoreError> {
    if keep == other {
        return Ok(MergeResult::Same);
    }
    let (mut keep, mut other) = match (whole(tx, org, keep)?, whole(tx, org, other)?) {
        (Ok(keep), Ok(other)) => (keep, other),
        (Err(refused), _) | (_, Err(refused)) => return Ok(refused),
    };
    if keep.identities.len() + other.identities.len() > IDENTITIES_MAX {
        return Ok(MergeResult::TooMany("addresses"));
    }
    if depth(tx, org, &other)? + 1 >= DEPTH_MAX {
        return Ok(MergeResult::TooMany("contacts merged into one another"));
    }
    let closed_thread = hand_over(tx, org, &keep, &other)?;
    for known in &other.identities {
        let mut known = known.clone();
        known.primary = false;
        keep.identities.push(known);
    }
    if keep.name.is_none() {
        keep.name.clone_from(&other.name);
    }
    keep.merged.push(Merged {
        contact: other.id,
        at_ms: clock.now(),
        from: clock.boundary(),
        by: by.to_owned(),
        closed_thread,
    });
    other.merged_into = Some(keep.id);
    point(tx, org, &keep, |record| {
        if record.contact == other.id {
            record.home.get_or_insert(other.id);
        }
    })?;
    save(tx, org, &keep);
    save(tx, org, &other);
    Ok(MergeResult::Done(Box::new(keep)))
}

/// Closes the thread of the one that goes, as one person has one open thread, and lets people go on
/// answering where they did. True where it was open.
fn hand_over(
    tx: &mut Transaction<'_>,
    org: OrgId,
    keep: &Contact,
    other: &Contact,
) -> Result<bool, StoreError> {
    let mut thread_of = |contact: &Contact| match contact.thread {
        Some(id) => load::<Thread>(tx, &keys::thread(org, id)),
        None => Ok(None),
    };
    let (kept, gone) = (thread_of(keep)?, thread_of(other)?);
    let Some(mut gone) = gone.filter(|thread| thread.state == ThreadState::Open) else {
        return Ok(false);
    };
    if gone.needs_human
        && let Some(mut kept) = kept
        && !kept.needs_human
    {
        kept.needs_human = true;
        tx.replace(keys::thread(org, kept.id), codec::encode(&kept));
    }
    gone.state = ThreadState::Closed;
    tx.replace(keys::thread(org, gone.id), codec::encode(&gone));
    Ok(true)
}

fn plan_unmerge(
    tx: &mut Transaction<'_>,
    clock: &Clock,
    org: OrgId,
    (keep, other): (ContactId, ContactId),
) -> Result<MergeResult, StoreError> {
    let mut keep = match whole(tx, org, keep)? {
        Ok(keep) => keep,
        Err(refused) => return Ok(refused),
    };
    let Some(at) = keep.merged.iter().position(|one| one.contact == other) else {
        return Ok(MergeResult::NotMerged);
    };
    let Some(mut other) = load::<Contact>(tx, &keys::contact(org, other))? else {
        return Ok(MergeResult::Unknown(other));
    };
    if keep.apart.len() >= APART_MAX || other.apart.len() >= APART_MAX {
        return Ok(MergeResult::TooMany("merges that were taken back"));
    }
    let merged = keep.merged.remove(at);
    take_back(&mut keep, &mut other);
    let to = clock.boundary();
    let apart = |other: ContactId, went: bool, identities| Apart {
        other,
        from: merged.from,
        to,
        identities,
        went,
    };
    let identities = other.identities.iter();
    let identities: Vec<_> = identities.map(|known| known.identity.clone()).collect();
    keep.apart.push(apart(other.id, false, identities.clone()));
    other.apart.push(apart(keep.id, true, identities));
    other.merged_into = None;
    if merged.closed_thread
        && let Some(id) = other.thread
        && let Some(mut thread) = load::<Thread>(tx, &keys::thread(org, id))?
    {
        thread.state = ThreadState::Open;
        tx.replace(keys::thread(org, id), codec::encode(&thread));
    }
    let own = other.id;
    point(tx, org, &other, |record| {
        if record.home == Some(own) {
            record.home = None;
        }
    })?;
    save(tx, org, &keep);
    save(tx, org, &other);
    Ok(MergeResult::Done(Box::new(keep)))
}

/// The addresses that the other one came with go with it, as they have been proved meanwhile.
fn take_back(keep: &mut Contact, other: &mut Contact) {
    for own in &mut other.identities {
        let mut known = keep.identities.iter();
        if let Some(known) = known.find(|known| known.identity == own.identity) {
            own.verified_at_ms = known.verified_at_ms;
        }
    }
    keep.identities.retain(|known| {
        let mut own = other.identities.iter();
        own.all(|own| own.identity != known.identity)
    });
}

/// How many contacts are merged into one another below this one.
fn depth(tx: &mut Transaction<'_>, org: OrgId, contact: &Contact) -> Result<usize, StoreError> {
    let mut level = vec![contact.clone()];
    for depth in 0..DEPTH_MAX {
        let mut below = Vec::new();
        for merged in level.iter().flat_map(|contact| &contact.merged) {
            below.extend(load::<Contact>(tx, &keys::contact(org, merged.contact))?);
        }
        if below.is_empty() {
            return Ok(depth);
        }
        level = below;
    }
    Ok(DEPTH_MAX)
}

fn save(tx: &mut Transaction<'_>, org: OrgId, contact: &Contact) {
    tx.replace(keys::contact(org, contact.id), codec::encode(contact));
}
