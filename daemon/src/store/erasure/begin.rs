//! The first step: the person's addresses are nobody's any more, their opt-outs are hashes, the job is kept.

use trunkline_plugin_api::Identity;

use super::marks::Hasher;
use crate::{
    model::{ConsentEntry, Contact, ContactId, ErasedCounts, Erasure, OrgId},
    store::{
        Store, codec,
        engine::{StoreError, Transaction},
        keys,
        records::{IdentityRecord, load},
    },
};

/// Contacts that one may consist of.
const PARTS_MAX: usize = 1_000;

/// What came of asking for an erasure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BeginErasure {
    /// It is kept, and under way; or was before.
    Begun(Erasure),
    /// There is no such contact, and was none that was erased.
    Unknown,
    /// It is part of another contact.
    PartOf(ContactId),
}

impl Store {
    /// Lets go of a person's addresses and keeps the job of erasing the rest. What is sent or received from now on makes
    /// another contact. Asking again changes nothing.
    pub async fn begin_erasure(
        &self,
        org: OrgId,
        contact: ContactId,
        by: &str,
    ) -> Result<BeginErasure, StoreError> {
        let now = self.now();
        let pending = self.engine.transact(|tx| {
            let key = keys::erasure(org, contact);
            if let Some(known) = load(tx, &key)? {
                return Ok(BeginErasure::Begun(known));
            }
            let Some(whole) = load::<Contact>(tx, &keys::contact(org, contact))? else {
                return Ok(BeginErasure::Unknown);
            };
            if let Some(other) = whole.merged_into {
                return Ok(BeginErasure::PartOf(other));
            }
            let parts = parts_of(tx, org, whole)?;
            let hasher = Hasher::make(tx)?;
            for part in &parts {
                for known in &part.identities {
                    let_go(tx, org, &parts, &known.identity, &hasher)?;
                }
            }
            let erasure = Erasure {
                contact,
                parts: parts.iter().map(|part| part.id).collect(),
                by: by.to_owned(),
                requested_at_ms: now,
                erased_at_ms: None,
                compacted_at_ms: None,
                counts: ErasedCounts::default(),
            };
            tx.insert(&key, codec::encode(&erasure));
            Ok::<_, StoreError>(BeginErasure::Begun(erasure))
        })?;
        Ok(pending.await?.0)
    }
}

fn parts_of(
    tx: &mut Transaction<'_>,
    org: OrgId,
    whole: Contact,
) -> Result<Vec<Contact>, StoreError> {
    let mut parts = vec![whole];
    let mut at = 0;
    while at < parts.len() && parts.len() < PARTS_MAX {
        for merged in parts[at].merged.clone() {
            parts.extend(load(tx, &keys::contact(org, merged.contact))?);
        }
        at += 1;
    }
    Ok(parts)
}

fn let_go(
    tx: &mut Transaction<'_>,
    org: OrgId,
    parts: &[Contact],
    identity: &Identity,
    hasher: &Hasher,
) -> Result<(), StoreError> {
    let key = keys::identity(org, identity);
    let holder: Option<IdentityRecord> = load(tx, &key)?;
    if holder.is_some_and(|holder| parts.iter().any(|part| part.id == holder.contact)) {
        tx.remove(&key);
    }
    for (key, bytes) in tx.scan(&keys::consents_of(org, identity), usize::MAX)? {
        let entry: ConsentEntry = codec::decode(&key, &bytes)?;
        if entry.is_out() {
            hasher.keep_consent(tx, org, &entry)?;
        }
        tx.remove(&key);
    }
    for (key, _) in tx.scan(&keys::windows_of(org, identity), usize::MAX)? {
        tx.remove(&key);
    }
    for (key, _) in tx.scan(&keys::window_held_for(org, identity), usize::MAX)? {
        tx.remove(&key);
    }
    Ok(())
}
