//! What ends with its time: messages, files, contacts. In small commits, the oldest first.
//!
//! A message ends with all that hangs on it; what waits to be sent never ends. Then conversations without messages, and
//! contacts of whom nothing is left.

use std::collections::{BTreeSet, HashSet};

use super::{
    Store, codec,
    engine::{StoreError, Transaction},
    keys, queued,
    records::load,
    removal::{self, Marks},
};
use crate::model::{
    Contact, ContactId, MediaHash, MediaRecord, Message, MessageId, Millis, OrgId, OutboxItem,
    OutboxState, Thread, ThreadId,
};

/// Messages taken away in one commit.
const STEP: usize = 100;
/// Stragglers of one thread; what would make more of them stays.
const STRAGGLERS_MAX: usize = 1_000;

/// Before when things end; none never do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Messages older than this one.
    pub messages: Option<MessageId>,
    /// Files stored before this time.
    pub media_ms: Option<Millis>,
    /// Contacts without a word since this time.
    pub contacts_ms: Option<Millis>,
    /// Messages before this one need no mark that tells a repeated webhook.
    pub dedupe: Option<MessageId>,
}

/// What ended, or would.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expired {
    /// Messages.
    pub messages: u64,
    /// Files.
    pub media: u64,
    /// Conversations.
    pub threads: u64,
    /// Contacts.
    pub contacts: u64,
    /// Entries of the audit.
    pub audit: u64,
}

impl Expired {
    /// True where nothing did.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds another count.
    pub fn add(&mut self, more: Self) {
        self.messages += more.messages;
        self.media += more.media;
        self.threads += more.threads;
        self.contacts += more.contacts;
        self.audit += more.audit;
    }
}

/// Where a sweep goes on: looking through contacts is spread over several rounds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sweep {
    contacts_after: Option<ContactId>,
}

impl Sweep {
    /// Whether the last round came to the end of the contacts.
    pub fn is_whole(&self) -> bool {
        self.contacts_after.is_none()
    }
}

impl Store {
    /// Ends what is older than its limits: up to about `limit` of each. Blocks.
    pub fn expire(
        &self,
        org: OrgId,
        limits: &Limits,
        limit: usize,
        sweep: &mut Sweep,
    ) -> Result<Expired, StoreError> {
        let mut expired = Expired::default();
        if let Some(before) = limits.messages {
            expired.messages = self.expire_messages(org, before, limits.dedupe, limit)?;
        }
        if let Some(before_ms) = limits.media_ms {
            expired.media = self.expire_media(org, before_ms, limit)?;
        }
        self.expire_contacts(org, limits, limit, sweep, &mut expired)?;
        Ok(expired)
    }

    /// What [`Store::expire`] would end in the end. Blocks: looks at everything once.
    pub fn expiring(&self, org: OrgId, limits: &Limits) -> Result<Expired, StoreError> {
        let mut expired = Expired::default();
        let mut old = HashSet::new();
        if let Some(before) = limits.messages {
            for id in self.old_messages(org, before, usize::MAX)? {
                old.insert(id);
            }
            expired.messages = old.len() as u64;
        }
        if let Some(before_ms) = limits.media_ms {
            expired.media = self.old_media(org, before_ms, usize::MAX)?.len() as u64;
        }
        for entry in self.scan_prefix(&keys::kind(org, keys::CONTACT), None, false) {
            let (key, bytes) = entry?;
            let contact: Contact = codec::decode(&key, &bytes)?;
            let (threads, gone) = self.empty_of(org, &contact, limits, &old)?;
            expired.threads += threads.len() as u64;
            expired.contacts += u64::from(gone);
        }
        Ok(expired)
    }

    fn expire_messages(
        &self,
        org: OrgId,
        before: MessageId,
        dedupe: Option<MessageId>,
        limit: usize,
    ) -> Result<u64, StoreError> {
        let old = self.old_messages(org, before, limit)?;
        let marks = Marks::ByAge {
            dedupe_before: dedupe.unwrap_or(MessageId::from_bytes([0; 16])),
        };
        let mut ended = 0;
        for step in old.chunks(STEP) {
            let mut files = BTreeSet::new();
            let pending = self.engine.transact(|tx| {
                let mut ended = 0;
                for id in step {
                    ended += u64::from(expire_message(tx, org, *id, &marks, &mut files)?);
                }
                Ok::<_, StoreError>(ended)
            })?;
            ended += pending.wait()?.0;
            self.drop_files(&files)?;
        }
        Ok(ended)
    }

    /// Files that nothing names any more; a file that was stored again just now stays.
    fn drop_files(&self, files: &BTreeSet<MediaHash>) -> Result<(), StoreError> {
        let now = std::time::SystemTime::now();
        for hash in files.iter().filter(|hash| !self.is_media_known(hash)) {
            let dropped = self.media_files().remove(hash, now);
            dropped.map_err(|error| {
                StoreError::Failed(format!("a file of media could not be removed: {error}"))
            })?;
        }
        Ok(())
    }

    /// Messages before one that do not wait to be sent, oldest first.
    fn old_messages(
        &self,
        org: OrgId,
        before: MessageId,
        limit: usize,
    ) -> Result<Vec<MessageId>, StoreError> {
        let mut old = Vec::new();
        let dead = keys::attention_of(org, OutboxState::Dead.as_str());
        for prefix in [keys::kind(org, keys::MESSAGE), dead] {
            for entry in self.scan_prefix(&prefix, None, false) {
                let (key, _) = entry?;
                let id = MessageId::from_bytes(keys::trailing_id(&key).unwrap_or_default());
                if id >= before || old.len() >= limit {
                    break;
                }
                old.push(id);
            }
        }
        old.sort_unstable();
        Ok(old)
    }

    fn expire_media(&self, org: OrgId, before_ms: Millis, limit: usize) -> Result<u64, StoreError> {
        let old = self.old_media(org, before_ms, limit)?;
        for step in old.chunks(STEP) {
            let pending = self.engine.transact(|tx| {
                for hash in step {
                    tx.delete(keys::media(org, hash))?;
                }
                Ok::<_, StoreError>(())
            })?;
            pending.wait()?;
            self.drop_files(&step.iter().copied().collect())?;
        }
        Ok(old.len() as u64)
    }

    /// Files stored before a time that no message names which waits to be sent.
    fn old_media(
        &self,
        org: OrgId,
        before_ms: Millis,
        limit: usize,
    ) -> Result<Vec<MediaHash>, StoreError> {
        let prefix = keys::kind(org, keys::MEDIA);
        let mut old = Vec::new();
        for entry in self.scan_prefix(&prefix, None, false) {
            let (key, bytes) = entry?;
            let record: MediaRecord = codec::decode(&key, &bytes)?;
            if record.stored_at_ms < before_ms
                && let Some(hash) = key.last_chunk::<32>()
            {
                old.push(MediaHash::new(*hash));
            }
            if old.len() >= limit {
                break;
            }
        }
        if !old.is_empty() {
            let wanted = self.media_in_queue(org)?;
            old.retain(|hash| !wanted.contains(&hash.to_string()));
        }
        Ok(old)
    }

    fn media_in_queue(&self, org: OrgId) -> Result<HashSet<String>, StoreError> {
        let mut wanted = HashSet::new();
        for entry in self.scan_prefix(&keys::kind(org, keys::OUTBOX), None, false) {
            let (key, _) = entry?;
            let id = MessageId::from_bytes(keys::trailing_id(&key).unwrap_or_default());
            if let Some((_, message)) = self.queued(org, id)? {
                let media = message.content.media.into_iter();
                wanted.extend(media.filter_map(|media| media.source.sha256));
            }
        }
        Ok(wanted)
    }

    fn expire_contacts(
        &self,
        org: OrgId,
        limits: &Limits,
        limit: usize,
        sweep: &mut Sweep,
        expired: &mut Expired,
    ) -> Result<(), StoreError> {
        if limits.messages.is_none() && limits.contacts_ms.is_none() {
            return Ok(());
        }
        let after = sweep.contacts_after.take().map(|id| *id.as_bytes());
        let entries = self.scan_prefix(&keys::kind(org, keys::CONTACT), after, false);
        for (looked_at, entry) in entries.enumerate() {
            let (key, bytes) = entry?;
            let contact: Contact = codec::decode(&key, &bytes)?;
            let (threads, gone) = self.empty_of(org, &contact, limits, &HashSet::new())?;
            if gone || !threads.is_empty() {
                let pending = self
                    .engine
                    .transact(|tx| end_contact(tx, org, contact.id, &threads, gone))?;
                let (ended, contact_ended) = pending.wait()?.0;
                for thread in &ended {
                    self.inbox.forget(org, *thread);
                }
                expired.threads += ended.len() as u64;
                expired.contacts += u64::from(contact_ended);
            }
            if looked_at + 1 >= limit {
                sweep.contacts_after = Some(contact.id);
                break;
            }
        }
        Ok(())
    }

    /// The threads of a contact that are empty and old, and whether the contact is too. A contact that was merged with
    /// another stays.
    fn empty_of(
        &self,
        org: OrgId,
        contact: &Contact,
        limits: &Limits,
        leaving: &HashSet<MessageId>,
    ) -> Result<(Vec<ThreadId>, bool), StoreError> {
        let related = contact.merged_into.is_some()
            || !contact.merged.is_empty()
            || !contact.apart.is_empty();
        let is_old = |at_ms| limits.contacts_ms.is_some_and(|before| at_ms < before);
        let mut gone = !related && is_old(contact.created_at_ms);
        let mut empty = Vec::new();
        for id in self.threads_of(org, contact.id)? {
            let Some(thread) = self.thread(org, id)? else {
                continue;
            };
            let exists = |id| Ok(!leaving.contains(&id) && self.has_message(org, id)?);
            let left = removal::standing(&thread, thread.last, exists)?.is_some();
            gone &= !left && is_old(thread.updated_at_ms);
            // The one that goes on says when something last happened.
            let ends = limits
                .messages
                .is_some_and(|before| thread.last.is_none_or(|last| last < before));
            if !left && ends && contact.thread != Some(id) {
                empty.push(id);
            }
        }
        Ok((empty, gone))
    }
}

/// Takes one message away, and notes what waits behind it. False where it stays.
fn expire_message(
    tx: &mut Transaction<'_>,
    org: OrgId,
    id: MessageId,
    marks: &Marks<'_>,
    files: &mut BTreeSet<MediaHash>,
) -> Result<bool, StoreError> {
    let item = queued::item(tx, org, id)?;
    if item.is_some_and(|item: OutboxItem| item.state != OutboxState::Dead) {
        return Ok(false);
    }
    let Some(message) = removal::find(tx, org, id)? else {
        return Ok(false);
    };
    if let Some(mut thread) = removal::thread_of(tx, org, &message)?
        && !note_straggler(tx, org, &mut thread, &message)?
    {
        return Ok(false);
    }
    removal::take_away(tx, org, &message, marks, files)
}

/// Keeps the way to what is older than a message that goes. False where there would be too many.
fn note_straggler(
    tx: &mut Transaction<'_>,
    org: OrgId,
    thread: &mut Thread,
    message: &Message,
) -> Result<bool, StoreError> {
    let older = removal::standing_in(tx, org, thread, message.previous)?;
    let was_one = thread.stragglers.contains(&message.id);
    let is_known = older.is_none_or(|older| thread.stragglers.contains(&older));
    if is_known && !was_one {
        return Ok(true);
    }
    if !is_known && thread.stragglers.len() >= STRAGGLERS_MAX {
        return Ok(false);
    }
    thread.stragglers.retain(|known| *known != message.id);
    thread.stragglers.extend(older.filter(|_| !is_known));
    thread.stragglers.sort_unstable();
    tx.replace(keys::thread(org, thread.id), codec::encode(thread));
    Ok(true)
}

/// Removes empty threads, and the contact where it is to go: all of it looked at again.
fn end_contact(
    tx: &mut Transaction<'_>,
    org: OrgId,
    id: ContactId,
    threads: &[ThreadId],
    gone: bool,
) -> Result<(Vec<ThreadId>, bool), StoreError> {
    let key = keys::contact(org, id);
    let Some(contact) = load::<Contact>(tx, &key)? else {
        return Ok((Vec::new(), false));
    };
    let mut ended = Vec::new();
    let mut empty = true;
    for (key, _) in tx.scan(&keys::contact_threads(org, id), usize::MAX)? {
        let id = ThreadId::from_bytes(keys::trailing_id(&key).unwrap_or_default());
        let Some(thread) = load::<Thread>(tx, &keys::thread(org, id))? else {
            continue;
        };
        let left = removal::standing_in(tx, org, &thread, thread.last)?.is_some();
        empty &= !left;
        if !left && (gone || (threads.contains(&id) && contact.thread != Some(id))) {
            removal::take_thread(tx, org, &thread)?;
            ended.push(id);
        }
    }
    if !gone || !empty || contact.merged_into.is_some() || !contact.merged.is_empty() {
        return Ok((ended, false));
    }
    for known in &contact.identities {
        tx.delete(keys::identity(org, &known.identity))?;
        for (key, _) in tx.scan(&keys::windows_of(org, &known.identity), usize::MAX)? {
            tx.remove(&key);
        }
    }
    tx.remove(&key);
    Ok((ended, true))
}
