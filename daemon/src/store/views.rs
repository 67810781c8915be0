//! What is read for people and programs: contacts, timelines, threads, messages.

use super::{Page, Store, codec, engine::StoreError, keys, records::IdentityRecord};
use crate::model::{
    Contact, ContactId, Message, MessageId, OrgId, OutboxState, Status, Thread, ThreadId,
    TurnRecord,
};

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

    /// Resolves once readers see all that was handed over before.
    ///
    /// # Errors
    /// Those of the commits that are waited for, and [`StoreError::Busy`].
    pub async fn settle(&self) -> Result<(), StoreError> {
        let pending = self.engine.transact(|tx| {
            tx.wait_for_all();
            Ok::<_, StoreError>(())
        })?;
        pending.await.map(|_| ())
    }

    /// A message as it is where somebody may have it already: one that a provider is being called for at
    /// this moment counts as sent. Its outcome is stored only behind the call, so that who looks between
    /// the two would miss it.
    pub fn as_it_goes(&self, org: OrgId, message: Message) -> Result<Message, StoreError> {
        if message.status != Status::Queued {
            return Ok(message);
        }
        match self.queued(org, message.id)? {
            Some((item, message)) if item.called && item.state == OutboxState::Leased => {
                Ok(message.as_if_sent())
            }
            // It may have left the queue between the two looks.
            _ => Ok(self.message(org, message.id)?.unwrap_or(message)),
        }
    }

    /// A contact by its id.
    pub fn contact(&self, org: OrgId, id: ContactId) -> Result<Option<Contact>, StoreError> {
        self.record(&keys::contact(org, id))
    }

    /// A thread by its id.
    pub fn thread(&self, org: OrgId, id: ThreadId) -> Result<Option<Thread>, StoreError> {
        self.record(&keys::thread(org, id))
    }

    /// A contact and all that are merged into it.
    pub fn contact_parts(&self, org: OrgId, id: ContactId) -> Result<Vec<Contact>, StoreError> {
        self.parts(org, id)
    }

    /// The threads of a contact, oldest first.
    pub fn contact_threads(&self, org: OrgId, id: ContactId) -> Result<Vec<Thread>, StoreError> {
        let mut threads = Vec::new();
        for thread in self.threads_of(org, id)? {
            threads.extend(self.thread(org, thread)?);
        }
        Ok(threads)
    }

    /// Contacts that are part of no other, newest first.
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
            let contact: Contact = codec::decode(&key, &bytes)?;
            // One without addresses was erased, and holds what was said with somebody else.
            if contact.merged_into.is_none() && !contact.identities.is_empty() {
                page.items.push(contact);
            }
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
