//! What is kept of one person outside of their timeline: for those who ask to have all of it.

use super::Person;
use crate::{
    model::{ContactId, ErasedCounts, Erasure, Notification, OrgId, WebhookEvent, Window},
    store::{Store, codec, engine::StoreError, keys},
};

/// Something that names a person.
#[derive(Debug, Clone)]
pub enum Reached {
    /// A reply window: identifier, address of ours, state.
    Window(String, String, Window),
    /// A webhook that brought a message of theirs, or names them.
    Event(Box<WebhookEvent>),
    /// A notification that names them.
    Notification(Notification),
}

impl Store {
    /// Hands over everything that names a person outside of contact, threads, messages and consent. Blocks: looks
    /// through the organization's webhook events and notifications. Ends early where `take` gives false.
    pub fn reach(
        &self,
        org: OrgId,
        contact: ContactId,
        take: &mut dyn FnMut(Reached) -> bool,
    ) -> Result<(), StoreError> {
        let parts = self
            .parts(org, contact)?
            .iter()
            .map(|part| part.id)
            .collect();
        let sought = Erasure {
            contact,
            parts,
            by: String::new(),
            requested_at_ms: 0,
            erased_at_ms: None,
            compacted_at_ms: None,
            counts: ErasedCounts::default(),
        };
        let Some(person) = self.person(org, &sought)? else {
            return Ok(());
        };
        if !self.reach_windows(&person, take)? {
            return Ok(());
        }
        for entry in self.scan_prefix(&keys::kind(org, keys::EVENT), None, false) {
            let (key, bytes) = entry?;
            let record: WebhookEvent = codec::decode(&key, &bytes)?;
            if self.is_theirs(&person, &record) && !take(Reached::Event(Box::new(record))) {
                return Ok(());
            }
        }
        for entry in self.scan_prefix(&keys::kind(org, keys::NOTIFICATION), None, false) {
            let (key, bytes) = entry?;
            let record: Notification = codec::decode(&key, &bytes)?;
            let names = person.needles.redacted(&record.words).is_some();
            if names && !take(Reached::Notification(record)) {
                return Ok(());
            }
        }
        Ok(())
    }

    fn reach_windows(
        &self,
        person: &Person,
        take: &mut dyn FnMut(Reached) -> bool,
    ) -> Result<bool, StoreError> {
        for identity in &person.identities {
            let prefix = keys::windows_of(person.org, identity);
            for entry in self.scan_prefix(&prefix, None, false) {
                let (key, bytes) = entry?;
                let scope = key.get(prefix.len()..).unwrap_or_default();
                let scope = String::from_utf8_lossy(scope.strip_suffix(&[0]).unwrap_or(scope));
                let window = codec::decode(&key, &bytes)?;
                let (who, scope) = (identity.identifier.clone(), scope.into_owned());
                if !take(Reached::Window(who, scope, window)) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}
