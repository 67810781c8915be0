//! What is read for people and programs: contacts, timelines, threads, messages.

use super::{Page, Store, codec, engine::StoreError, keys, records::IdentityRecord};
use crate::model::{Contact, ContactId, Message, MessageId, OrgId, Thread, ThreadId, TurnRecord};

impl Store {
    /// A message by its id.
    pub fn message(&self, org: OrgId, id: MessageId) -> Result<Option<Message>, StoreError> {
        let key = keys::message(org, id);
        if let Some(message) = self.record(&key)? {
            return Ok(Some(message));
        }
        if let Some((_, message)) = self.queued(org, id)? {
            return Ok(Some(message));
        }
        // It may have left the queue between the two looks; it never goes back there.
        self.record(&key)
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
            heads.extend(self.newest_before(org, *thread, before)?);
        }
        let mut page = Page::default();
        while let Some(newest) = (0..heads.len()).max_by_key(|at| heads[*at]) {
            if page.items.len() == limit {
                page.next = page.items.last().map(|message: &Message| message.id);
                break;
            }
            let Some(message) = self.message(org, heads.swap_remove(newest))? else {
                continue;
            };
            heads.extend(message.previous);
            page.items.push(message);
        }
        Ok(page)
    }

    /// The newest message of a thread that is older than `before`. Each message knows the one before
    /// it, and some know one much further back.
    fn newest_before(
        &self,
        org: OrgId,
        thread: ThreadId,
        before: Option<MessageId>,
    ) -> Result<Option<MessageId>, StoreError> {
        let Some(thread) = self.thread(org, thread)? else {
            return Ok(None);
        };
        let Some(before) = before else {
            return Ok(thread.last);
        };
        if before.place().thread == thread.id.number()
            && let Some(message) = self.message(org, before)?
        {
            return Ok(message.previous);
        }
        let (mut at, mut leap) = (thread.last, thread.leap);
        while let Some(id) = leap.filter(|id| *id >= before) {
            let message = self.message(org, id)?;
            (at, leap) = message.map_or((None, None), |message| (message.previous, message.leap));
        }
        while let Some(id) = at.filter(|id| *id >= before) {
            at = self.message(org, id)?.and_then(|message| message.previous);
        }
        Ok(at)
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
