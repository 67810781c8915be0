//! What must outlive an erasure, as keyed hashes that name nobody: that a message was here (a provider's retry must
//! not store it anew), and that a person opted out (the next import must not write to them again).

use ring::hmac;
use trunkline_plugin_api::{ConsentChange, Identity};

use crate::{
    model::{ConsentEntry, ConsentProof, ConsentSource, Millis, OrgId},
    store::{
        codec,
        engine::{StoreError, Transaction},
        keys,
    },
};

/// Name under which the key of the hashes is saved; made by the first erasure.
const HASH_KEY: &str = "erasure key";

/// Hashes under the key of this installation.
pub(in crate::store) struct Hasher(hmac::Key);

impl Hasher {
    /// The hasher, where anything was ever erased.
    pub(in crate::store) fn find(tx: &Transaction<'_>) -> Result<Option<Self>, StoreError> {
        let key = keys::saved(HASH_KEY);
        let Some(bytes) = tx.get(&key)? else {
            return Ok(None);
        };
        let secret: [u8; 32] = codec::fixed(&key, &bytes)?;
        Ok(Some(Self(hmac::Key::new(hmac::HMAC_SHA256, &secret))))
    }

    /// The hasher; makes its key the first time.
    pub(in crate::store) fn make(tx: &mut Transaction<'_>) -> Result<Self, StoreError> {
        if let Some(known) = Self::find(tx)? {
            return Ok(known);
        }
        let secret = rand::random::<[u8; 32]>();
        tx.insert(keys::saved(HASH_KEY), secret);
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &secret)))
    }

    fn of(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(context.sign().as_ref());
        hash
    }

    fn mark(&self, org: OrgId, locator: &[u8]) -> Vec<u8> {
        keys::erased_mark(org, &self.of(&[b"message", locator]))
    }

    fn consent(&self, org: OrgId, who: &Identity, scope: &str) -> Vec<u8> {
        let parts = [&who.space, &who.identifier].map(String::as_bytes);
        let hash = self.of(&[b"consent", parts[0], parts[1], scope.as_bytes()]);
        keys::erased_consent(org, &hash)
    }

    /// Remembers that the message behind a locator was here.
    pub(in crate::store) fn keep_mark(
        &self,
        tx: &mut Transaction<'_>,
        org: OrgId,
        locator: &[u8],
        now: Millis,
    ) -> Result<(), StoreError> {
        tx.put(self.mark(org, locator), now.to_be_bytes())
    }

    /// Remembers an opt-out.
    pub(in crate::store) fn keep_consent(
        &self,
        tx: &mut Transaction<'_>,
        org: OrgId,
        entry: &ConsentEntry,
    ) -> Result<(), StoreError> {
        let key = self.consent(org, &entry.identity, &entry.scope);
        tx.put(key, entry.since_ms.to_be_bytes())
    }
}

/// Whether the message behind a locator was erased. Asked only where anything was.
pub(in crate::store) fn is_erased(
    tx: &Transaction<'_>,
    org: OrgId,
    locator: &[u8],
) -> Result<bool, StoreError> {
    match Hasher::find(tx)? {
        Some(hasher) => tx.contains(&hasher.mark(org, locator)),
        None => Ok(false),
    }
}

/// The opt-out that an erased person's address still has.
pub(in crate::store) fn remembered(
    tx: &Transaction<'_>,
    org: OrgId,
    who: &Identity,
    scope: &str,
) -> Result<Option<ConsentEntry>, StoreError> {
    let Some(hasher) = Hasher::find(tx)? else {
        return Ok(None);
    };
    let key = hasher.consent(org, who, scope);
    let Some(bytes) = tx.get(&key)? else {
        return Ok(None);
    };
    let since_ms = Millis::from_be_bytes(codec::fixed(&key, &bytes)?);
    let mut entry = ConsentEntry::new(who.clone(), scope, since_ms);
    let change = ConsentChange::OptOut;
    entry.apply(ConsentProof::new(since_ms, change, ConsentSource::Erased));
    Ok(Some(entry))
}

/// An entry of the ledger says from here on what the hash said.
pub(in crate::store) fn supersede(
    tx: &mut Transaction<'_>,
    org: OrgId,
    who: &Identity,
    scope: &str,
) -> Result<(), StoreError> {
    if let Some(hasher) = Hasher::find(tx)? {
        tx.delete(hasher.consent(org, who, scope))?;
    }
    Ok(())
}
