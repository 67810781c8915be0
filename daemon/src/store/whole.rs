//! All records of an organization, one after the other.

use trunkline_plugin_api::Identity;

use super::{Store, codec, engine::StoreError, keys, queued, records::IdentityRecord};
use crate::model::{
    ConsentEntry, Contact, ContactId, MediaHash, MediaRecord, Message, MessageId, OrgId, Thread,
};

/// Messages read at once.
const BATCH: usize = 200;

impl Store {
    /// Every contact of an organization, those that are part of another too, in the order of their ids.
    pub fn every_contact(
        &self,
        org: OrgId,
    ) -> impl Iterator<Item = Result<Contact, StoreError>> + use<> {
        let entries = self.scan_prefix(&keys::kind(org, keys::CONTACT), None, false);
        entries.map(|entry| entry.and_then(|(key, bytes)| codec::decode(&key, &bytes)))
    }

    /// Every thread of an organization, in the order of their ids.
    pub fn every_thread(
        &self,
        org: OrgId,
    ) -> impl Iterator<Item = Result<Thread, StoreError>> + use<> {
        let entries = self.scan_prefix(&keys::kind(org, keys::THREAD), None, false);
        entries.map(|entry| entry.and_then(|(key, bytes)| codec::decode(&key, &bytes)))
    }

    /// Every entry of an organization's ledger of consent.
    pub fn every_consent(
        &self,
        org: OrgId,
    ) -> impl Iterator<Item = Result<ConsentEntry, StoreError>> + use<> {
        let entries = self.scan_prefix(&keys::kind(org, keys::CONSENT), None, false);
        entries.map(|entry| entry.and_then(|(key, bytes)| codec::decode(&key, &bytes)))
    }

    /// Every file that an organization knows.
    pub fn every_media(
        &self,
        org: OrgId,
    ) -> impl Iterator<Item = Result<(MediaHash, MediaRecord), StoreError>> + use<> {
        let entries = self.scan_prefix(&keys::kind(org, keys::MEDIA), None, false);
        entries.map(|entry| {
            let (key, bytes) = entry?;
            let hash = key.last_chunk::<32>().copied().unwrap_or_default();
            Ok((MediaHash::new(hash), codec::decode(&key, &bytes)?))
        })
    }

    /// The next messages of an organization behind one, in the queue or not, in the order of their ids; none at the
    /// end.
    pub fn messages_after(
        &self,
        org: OrgId,
        after: Option<MessageId>,
    ) -> Result<Vec<Message>, StoreError> {
        // The queue first: what leaves it meanwhile is found behind it, and nothing ever comes back.
        let (waiting, waiting_all) = self.batch(org, keys::OUTBOX, after)?;
        let (others, others_all) = self.batch(org, keys::MESSAGE, after)?;
        let last =
            |batch: &[Message], all: bool| batch.last().map(|message| message.id).filter(|_| !all);
        let until = [last(&waiting, waiting_all), last(&others, others_all)];
        let until = until.into_iter().flatten().min();
        let mut messages = others;
        messages.extend(waiting);
        // Whoever was found in both left the queue meanwhile.
        messages.sort_by_key(|message| message.id);
        messages.dedup_by_key(|message| message.id);
        messages.retain(|message| until.is_none_or(|until| message.id <= until));
        Ok(messages)
    }

    /// The next records of one kind, and whether they are all.
    fn batch(
        &self,
        org: OrgId,
        kind: u8,
        after: Option<MessageId>,
    ) -> Result<(Vec<Message>, bool), StoreError> {
        let prefix = keys::kind(org, kind);
        let after = after.map(|id| *id.as_bytes());
        let entries = self.scan_prefix(&prefix, after, false).take(BATCH);
        let read = |entry: Result<(Vec<u8>, Vec<u8>), StoreError>| {
            let (key, bytes) = entry?;
            if kind == keys::OUTBOX {
                queued::message_in(&key, &bytes)
            } else {
                codec::decode(&key, &bytes)
            }
        };
        let found: Vec<Message> = entries.map(read).collect::<Result<_, _>>()?;
        let all = found.len() < BATCH;
        Ok((found, all))
    }

    /// The contact that an address came with, where it is not the one that has it now.
    pub fn home_of(
        &self,
        org: OrgId,
        identity: &Identity,
    ) -> Result<Option<ContactId>, StoreError> {
        let record: Option<IdentityRecord> = self.record(&keys::identity(org, identity))?;
        Ok(record.and_then(|record| record.home))
    }
}
