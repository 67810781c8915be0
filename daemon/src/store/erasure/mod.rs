//! Erasing one person.
//!
//! ```text
//! begin: job, addresses let go, opt-outs hashed       one transaction; what comes from now on is another person's
//!   └─> traces: webhook events, reports, notifications, marks      small commits, each of which may be the last
//!         └─> messages, thread by thread ─> files ─> contacts      of this run of the daemon
//!               └─> erased ─> the store is compacted ─> compacted
//! ```
//!
//! The contact's own record goes last: until then it says what is looked for, so that a daemon that is killed goes on
//! at its next start, from the beginning, and does no harm.

mod begin;
mod marks;
mod messages;
mod reach;
mod traces;

use std::collections::HashSet;

use trunkline_plugin_api::{Event, Identity};

pub(super) use self::marks::{Hasher, is_erased, remembered, supersede};
pub use self::{begin::BeginErasure, reach::Reached};
use super::{
    ChannelRef, Store, codec,
    engine::{StoreError, Transaction},
    keys,
    records::load,
};
use crate::model::{
    Contact, ContactId, ErasedCounts, Erasure, MediaHash, MessageId, Millis, Needles, OrgId,
};

/// Whom a running erasure is about.
struct Person {
    org: OrgId,
    contact: ContactId,
    /// The contact and all that were merged into it.
    parts: Vec<Contact>,
    identities: Vec<Identity>,
    needles: Needles,
    /// Their messages, while they are there.
    messages: HashSet<MessageId>,
    /// The locators of these.
    locators: HashSet<Vec<u8>>,
}

impl Store {
    /// What is known of a person's erasure.
    pub fn erasure(&self, org: OrgId, contact: ContactId) -> Result<Option<Erasure>, StoreError> {
        self.record(&keys::erasure(org, contact))
    }

    /// All erasures of an organization, oldest contact first.
    pub fn erasures(&self, org: OrgId) -> Result<Vec<Erasure>, StoreError> {
        self.scan_prefix(&keys::erasures(org), None, false)
            .map(|entry| entry.and_then(|(key, bytes)| codec::decode(&key, &bytes)))
            .collect()
    }

    /// Whether an event is about a message of a person who was erased since.
    pub(super) fn was_erased(
        &self,
        tx: &Transaction<'_>,
        channel: &ChannelRef,
        event: &Event,
    ) -> Result<bool, StoreError> {
        if self.engine.count(channel.org.0, keys::ERASURE) == 0 {
            return Ok(false);
        }
        let id = match event {
            Event::Message(message) => &message.id,
            Event::Reaction(reaction) => &reaction.id,
            Event::Status(report) => &report.external_id,
            Event::Consent(_) | Event::Template(_) | Event::Note(_) => return Ok(false),
        };
        is_erased(
            tx,
            channel.org,
            &keys::external(channel.org, &channel.id, id),
        )
    }

    /// Removes everything of the person of an erasure that was begun. Blocks, for as long as it takes to look through
    /// the organization's records once. May be interrupted at any place and run again.
    ///
    /// `patience` is asked whether to wait for a call that is under way to one of their messages.
    pub fn erase(
        &self,
        org: OrgId,
        erasure: &Erasure,
        patience: &dyn Fn() -> bool,
    ) -> Result<Erasure, StoreError> {
        let mut counts = erasure.counts;
        if let Some(person) = self.person(org, erasure)? {
            self.erase_traces(&person, &mut counts)?;
            self.erase_messages(&person, patience, &mut counts)?;
            self.erase_files(erasure.requested_at_ms, &mut counts)?;
            self.erase_contacts(&person)?;
        }
        self.note_erased(org, erasure.contact, counts)
    }

    /// How the person of an erasure is written, for those who keep something in memory.
    pub fn needles(&self, org: OrgId, erasure: &Erasure) -> Result<Needles, StoreError> {
        let person = self.person(org, erasure)?;
        Ok(person.map(|person| person.needles).unwrap_or_default())
    }

    /// Ends marks of erased messages that are older than a time: up to `limit`. Gives how many.
    pub async fn sweep_erased_marks(
        &self,
        org: OrgId,
        before_ms: Millis,
        limit: usize,
    ) -> Result<usize, StoreError> {
        if self.engine.count(org.0, keys::ERASURE) == 0 {
            return Ok(0);
        }
        let mut old = Vec::new();
        for entry in self.scan_prefix(&keys::erased_marks(org), None, false) {
            let (key, bytes) = entry?;
            if Millis::from_be_bytes(codec::fixed(&key, &bytes)?) < before_ms {
                old.push(key);
            }
            if old.len() == limit {
                break;
            }
        }
        let pending = self.engine.transact(|tx| {
            for key in &old {
                tx.delete(key)?;
            }
            Ok::<_, StoreError>(())
        })?;
        pending.await?;
        Ok(old.len())
    }

    fn person(&self, org: OrgId, erasure: &Erasure) -> Result<Option<Person>, StoreError> {
        let mut parts = Vec::new();
        for id in &erasure.parts {
            parts.extend(self.contact(org, *id)?);
        }
        let mut identities: Vec<Identity> = Vec::new();
        for known in parts.iter().flat_map(|part: &Contact| &part.identities) {
            if !identities.contains(&known.identity) {
                identities.push(known.identity.clone());
            }
        }
        if parts.is_empty() {
            return Ok(None);
        }
        let (messages, locators) = self.messages_of(org, erasure.contact)?;
        Ok(Some(Person {
            org,
            contact: erasure.contact,
            needles: Needles::new(identities.iter()),
            parts,
            identities,
            messages,
            locators,
        }))
    }

    /// Removes files that no organization knows any more and that were here before a time.
    fn erase_files(&self, before_ms: Millis, counts: &mut ErasedCounts) -> Result<(), StoreError> {
        let before = u64::try_from(before_ms).unwrap_or_default();
        let before = std::time::UNIX_EPOCH + std::time::Duration::from_millis(before);
        for shard in 0..=u8::MAX {
            let is_named = |hash: &MediaHash| self.is_media_known(hash);
            let ended = self.media_files().sweep(shard, before, is_named);
            let ended = ended.map_err(|error| {
                StoreError::Failed(format!("files of media could not be removed: {error}"))
            })?;
            counts.media += ended as u64;
        }
        Ok(())
    }

    fn note_erased(
        &self,
        org: OrgId,
        contact: ContactId,
        counts: ErasedCounts,
    ) -> Result<Erasure, StoreError> {
        let key = keys::erasure(org, contact);
        let now = self.now();
        let pending = self.engine.transact(|tx| {
            let mut erasure: Erasure = load(tx, &key)?
                .ok_or_else(|| StoreError::unreadable(&key, "the erasure is not there"))?;
            erasure.erased_at_ms.get_or_insert(now);
            erasure.counts = counts;
            tx.replace(&key, codec::encode(&erasure));
            Ok::<_, StoreError>(erasure)
        })?;
        Ok(pending.wait()?.0)
    }

    /// Notes that what was erased before a time has left the files as well. Gives those that it was noted for.
    pub async fn note_compacted(
        &self,
        org: OrgId,
        erased_before_ms: Millis,
    ) -> Result<Vec<Erasure>, StoreError> {
        let now = self.now();
        let mut noted = self.erasures(org)?;
        noted.retain(|erasure| {
            let erased = erasure
                .erased_at_ms
                .is_some_and(|at| at <= erased_before_ms);
            erased && erasure.compacted_at_ms.is_none()
        });
        let pending = self.engine.transact(|tx| {
            for erasure in &mut noted {
                erasure.compacted_at_ms = Some(now);
                tx.put(keys::erasure(org, erasure.contact), codec::encode(erasure))?;
            }
            Ok::<_, StoreError>(())
        })?;
        pending.await?;
        Ok(noted)
    }
}
