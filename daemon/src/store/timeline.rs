//! A person's messages over all their threads, in the order of time.

use super::{Page, Store, engine::StoreError, keys, merge::DEPTH_MAX};
use crate::model::{Apart, Contact, ContactId, Message, MessageId, OrgId, Thread, ThreadId};

/// Threads that one timeline is made of; more are only read by contacts that were merged and parted over
/// and over.
const SOURCES_MAX: usize = 10_000;

/// A thread, and what of it is shown: what passes every rule.
pub(super) struct Source {
    pub(super) thread: ThreadId,
    rules: Vec<Rule>,
}

/// A source that is read, and its thread as it is.
struct Head<'a> {
    source: &'a Source,
    thread: Thread,
}

#[derive(Clone)]
enum Rule {
    /// What was written while another was part of the contact, and is theirs, is not shown.
    Without(Apart),
    /// What was written while the contact was part of another, and is its own, is all that is shown.
    Only(Apart),
}

impl Source {
    pub(super) fn shows(&self, message: &Message) -> bool {
        let covers = |apart: &Apart| apart.covers(message.id, &message.peer);
        self.rules.iter().all(|rule| match rule {
            Rule::Without(apart) => !covers(apart),
            Rule::Only(apart) => covers(apart),
        })
    }
}

impl Store {
    /// The messages of a thread, newest first, those before `before` where given.
    pub fn thread_messages(
        &self,
        org: OrgId,
        thread: ThreadId,
        before: Option<MessageId>,
        limit: usize,
    ) -> Result<Page<Message, MessageId>, StoreError> {
        let rules = Vec::new();
        self.merged(org, &[Source { thread, rules }], before, limit)
    }

    /// The messages of a contact over all threads and channels, newest first.
    pub fn timeline(
        &self,
        org: OrgId,
        contact: ContactId,
        before: Option<MessageId>,
        limit: usize,
    ) -> Result<Page<Message, MessageId>, StoreError> {
        let sources = self.sources(org, contact)?;
        self.merged(org, &sources, before, limit)
    }

    /// Where the messages of a contact lie.
    pub(super) fn sources(
        &self,
        org: OrgId,
        contact: ContactId,
    ) -> Result<Vec<Source>, StoreError> {
        let mut sources = Vec::new();
        self.collect(org, contact, &[], &mut Vec::new(), &mut sources)?;
        Ok(sources)
    }

    /// Collects where the messages of a contact and of all that are merged into it lie: in their own
    /// threads, and in those of contacts that they were once part of. `above` are the contacts that
    /// lead here.
    fn collect(
        &self,
        org: OrgId,
        contact: ContactId,
        rules: &[Rule],
        above: &mut Vec<ContactId>,
        sources: &mut Vec<Source>,
    ) -> Result<(), StoreError> {
        let parts = self.parts(org, contact)?;
        let is_part = |id: ContactId| parts.iter().any(|part| part.id == id);
        let apart: Vec<&Apart> = parts
            .iter()
            .flat_map(|part| &part.apart)
            .filter(|apart| !is_part(apart.other))
            .collect();
        let mut rules = rules.to_vec();
        // In the threads of others the rule that leads there already tells what is our own.
        if above.is_empty() {
            let gone = apart.iter().filter(|apart| !apart.went);
            rules.extend(gone.map(|apart| Rule::Without((*apart).clone())));
        }
        for part in &parts {
            for thread in self.threads_of(org, part.id)? {
                let rules = rules.clone();
                sources.push(Source { thread, rules });
            }
        }
        let reached = above.len();
        above.extend(parts.iter().map(|part| part.id));
        for apart in apart.into_iter().filter(|apart| apart.went) {
            if !above.contains(&apart.other) && sources.len() < SOURCES_MAX {
                let mut rules = rules.clone();
                rules.push(Rule::Only(apart.clone()));
                self.collect(org, apart.other, &rules, above, sources)?;
            }
        }
        above.truncate(reached);
        Ok(())
    }

    /// A contact and all that are merged into it.
    pub(super) fn parts(&self, org: OrgId, contact: ContactId) -> Result<Vec<Contact>, StoreError> {
        let mut parts: Vec<Contact> = self.contact(org, contact)?.into_iter().collect();
        let mut looked_at = 0;
        for _ in 0..DEPTH_MAX {
            let next = parts.len();
            for at in looked_at..next {
                for merged in parts[at].merged.clone() {
                    parts.extend(self.contact(org, merged.contact)?);
                }
            }
            looked_at = next;
        }
        Ok(parts)
    }

    pub(super) fn threads_of(
        &self,
        org: OrgId,
        contact: ContactId,
    ) -> Result<Vec<ThreadId>, StoreError> {
        self.scan_prefix(&keys::contact_threads(org, contact), None, false)
            .map(|entry| {
                let (key, _) = entry?;
                Ok(ThreadId::from_bytes(
                    keys::trailing_id(&key).unwrap_or_default(),
                ))
            })
            .collect()
    }

    /// Message ids grow with time and, within a thread, with the sequence; so threads are merged
    /// by comparing the newest remaining message of each.
    fn merged(
        &self,
        org: OrgId,
        sources: &[Source],
        before: Option<MessageId>,
        limit: usize,
    ) -> Result<Page<Message, MessageId>, StoreError> {
        let mut heads = Vec::with_capacity(sources.len());
        for source in sources {
            let Some(thread) = self.thread(org, source.thread)? else {
                continue;
            };
            let newest = self.newest_before(org, &thread, before)?;
            let head = Head { source, thread };
            let shown = self.shown_from(org, &head, newest)?;
            heads.extend(shown.map(|message| (head, message)));
        }
        let mut page = Page::default();
        while let Some(newest) = (0..heads.len()).max_by_key(|at| heads[*at].1.id) {
            if page.items.len() == limit {
                page.next = page.items.last().map(|message: &Message| message.id);
                break;
            }
            let (head, message) = heads.swap_remove(newest);
            let older = self.shown_from(org, &head, message.previous)?;
            heads.extend(older.map(|message| (head, message)));
            // A thread can be reached in two ways.
            if page.items.last().is_none_or(|last| last.id != message.id) {
                page.items.push(message);
            }
        }
        Ok(page)
    }

    /// The newest message of a source that is shown, from one backwards. What was removed is passed over.
    fn shown_from(
        &self,
        org: OrgId,
        head: &Head<'_>,
        mut from: Option<MessageId>,
    ) -> Result<Option<Message>, StoreError> {
        while let Some(message) = self.standing_message(org, &head.thread, from)? {
            if head.source.shows(&message) {
                return Ok(Some(message));
            }
            from = message.previous;
        }
        Ok(None)
    }

    /// A message from which on, backwards, everything of a thread that is older than `before` is found. Each message
    /// knows the one before it, and some know one much further back.
    fn newest_before(
        &self,
        org: OrgId,
        thread: &Thread,
        before: Option<MessageId>,
    ) -> Result<Option<MessageId>, StoreError> {
        let Some(before) = before else {
            return Ok(thread.last);
        };
        if before.place().thread == thread.id.number()
            && let Some(message) = self.message(org, before)?
            // Threads that were imported may share their number.
            && message.thread == thread.id
        {
            return Ok(message.previous);
        }
        let (mut at, mut leap) = (thread.last, thread.leap);
        while let Some(id) = leap.filter(|id| *id >= before) {
            // Where a leap leads to what was removed, the rest is walked.
            let Some(message) = self.message(org, id)? else {
                break;
            };
            (at, leap) = (message.previous, message.leap);
        }
        while let Some(id) = at.filter(|id| *id >= before) {
            at = match self.standing_message(org, thread, Some(id))? {
                Some(message) if message.id >= before => message.previous,
                older => older.map(|message| message.id),
            };
        }
        Ok(at)
    }
}
