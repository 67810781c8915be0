//! What is read for people and programs: contacts, timelines, threads, messages.

use super::{Page, Store, codec, engine::StoreError, keys, records::IdentityRecord};
use crate::model::{
    Contact, ContactId, Message, MessageId, OrgId, Place, Thread, ThreadId, TurnRecord,
};

impl Store {
    /// A message by its id.
    pub fn message(&self, org: OrgId, id: MessageId) -> Result<Option<Message>, StoreError> {
        let found: Option<Message> = self.record(&keys::message(org, id.place()))?;
        Ok(found.filter(|message| message.id == id))
    }

    fn message_in(
        &self,
        org: OrgId,
        thread: ThreadId,
        seq: u64,
    ) -> Result<Option<Message>, StoreError> {
        let place = Place {
            thread: thread.number(),
            seq,
        };
        self.record(&keys::message(org, place))
    }

    /// A contact by its id.
    pub fn contact(&self, org: OrgId, id: ContactId) -> Result<Option<Contact>, StoreError> {
        self.record(&keys::contact(org, id))
    }

    /// A thread by its id.
    pub fn thread(&self, org: OrgId, id: ThreadId) -> Result<Option<Thread>, StoreError> {
        self.record(&keys::thread(org, id))
    }

    /// Contacts, newest first.
    pub fn contacts(
        &self,
        org: OrgId,
        before: Option<ContactId>,
        limit: usize,
    ) -> Result<Page<Contact, ContactId>, StoreError> {
        let prefix = keys::kind(org, keys::CONTACT);
        let mut page = Page::default();
        for entry in self.scan_prefix(&prefix, before.map(|id| *id.as_bytes()), true) {
            if page.items.len() == limit {
                page.next = page.items.last().map(|contact: &Contact| contact.id);
                break;
            }
            let (key, bytes) = entry?;
            page.items.push(codec::decode(&key, &bytes)?);
        }
        Ok(page)
    }

    /// The contacts that hold an identifier, in whatever space.
    pub fn contacts_with(&self, org: OrgId, identifier: &str) -> Result<Vec<Contact>, StoreError> {
        let mut contacts: Vec<Contact> = Vec::new();
        for entry in self.scan_prefix(&keys::identifier(org, identifier), None, false) {
            let (key, bytes) = entry?;
            let identity: IdentityRecord = codec::decode(&key, &bytes)?;
            if contacts.iter().all(|known| known.id != identity.contact) {
                contacts.extend(self.contact(org, identity.contact)?);
            }
        }
        Ok(contacts)
    }

    /// The messages of a thread, newest first, those before `before` where given.
    pub fn thread_messages(
        &self,
        org: OrgId,
        thread: ThreadId,
        before: Option<MessageId>,
        limit: usize,
    ) -> Result<Page<Message, MessageId>, StoreError> {
        self.merged(org, &[thread], before, limit)
    }

    /// The messages of a contact over all threads and channels, newest first.
    pub fn timeline(
        &self,
        org: OrgId,
        contact: ContactId,
        before: Option<MessageId>,
        limit: usize,
    ) -> Result<Page<Message, MessageId>, StoreError> {
        let prefix = keys::contact_threads(org, contact);
        let threads: Result<Vec<ThreadId>, StoreError> = self
            .scan_prefix(&prefix, None, false)
            .map(|entry| entry.map(|(key, _)| key))
            .map(|key| {
                key.map(|key| ThreadId::from_bytes(keys::trailing_id(&key).unwrap_or_default()))
            })
            .collect();
        self.merged(org, &threads?, before, limit)
    }

    /// Message ids grow with time and, within a thread, with the sequence; so threads are merged
    /// by comparing the newest remaining message of each.
    fn merged(
        &self,
        org: OrgId,
        threads: &[ThreadId],
        before: Option<MessageId>,
        limit: usize,
    ) -> Result<Page<Message, MessageId>, StoreError> {
        let mut heads = Vec::with_capacity(threads.len());
        for thread in threads {
            let last = self.last_before(org, *thread, before)?;
            heads.extend(self.message_in(org, *thread, last)?);
        }
        let mut page = Page::default();
        while let Some(newest) = (0..heads.len()).max_by_key(|at| heads[*at].id) {
            if page.items.len() == limit {
                page.next = page.items.last().map(|message: &Message| message.id);
                break;
            }
            let message = heads.swap_remove(newest);
            heads.extend(self.message_in(org, message.thread, message.seq - 1)?);
            page.items.push(message);
        }
        Ok(page)
    }

    /// The sequence of the newest message of a thread that is older than `before`; 0 for none.
    fn last_before(
        &self,
        org: OrgId,
        thread: ThreadId,
        before: Option<MessageId>,
    ) -> Result<u64, StoreError> {
        let last = self
            .thread(org, thread)?
            .map_or(0, |thread| thread.last_seq);
        let Some(before) = before else {
            return Ok(last);
        };
        let (mut low, mut high) = (0, last);
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            match self.message_in(org, thread, middle)? {
                Some(message) if message.id < before => low = middle,
                _ => high = middle - 1,
            }
        }
        Ok(low)
    }

    /// Threads, the one with the newest activity first.
    pub fn threads(
        &self,
        org: OrgId,
        before: Option<ThreadId>,
        limit: usize,
    ) -> Result<Page<Thread, ThreadId>, StoreError> {
        let mut page = Page::default();
        for id in self.inbox.newest(org, before, limit + 1) {
            if page.items.len() == limit {
                page.next = page.items.last().map(|thread: &Thread| thread.id);
                break;
            }
            page.items.extend(self.thread(org, id)?);
        }
        Ok(page)
    }

    /// The turns of a thread, oldest first.
    pub fn turns(&self, org: OrgId, thread: ThreadId) -> Result<Vec<TurnRecord>, StoreError> {
        self.scan_prefix(&keys::turns_of(org, thread), None, false)
            .map(|entry| entry.and_then(|(key, bytes)| codec::decode(&key, &bytes)))
            .collect()
    }
}
