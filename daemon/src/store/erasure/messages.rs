//! A person's messages: found over all threads that hold some, and taken out of them.

use std::{
    collections::{BTreeSet, HashSet},
    time::Duration,
};

use super::{Hasher, Person};
use crate::{
    model::{Apart, Contact, ContactId, ErasedCounts, Message, MessageId, OrgId, Thread},
    store::{
        Store, codec,
        engine::{StoreError, Transaction},
        keys, media, queued,
        records::{self, load},
        removal::{self, Marks},
        timeline::Source,
    },
};

/// Messages looked at in one transaction.
const STRETCH: usize = 64;
/// Messages read at once.
const PAGE: usize = 256;
/// Between two looks at a call that is under way.
const WAIT: Duration = Duration::from_millis(100);

/// How far a stretch came.
enum Stretch {
    /// To the beginning of the thread.
    Done,
    /// To this message, which is kept; none where nothing is kept so far.
    Reached(Option<MessageId>),
    /// A call is under way.
    Busy,
}

impl Store {
    /// The ids of a person's messages, and their locators.
    pub(super) fn messages_of(
        &self,
        org: OrgId,
        contact: ContactId,
    ) -> Result<(HashSet<MessageId>, HashSet<Vec<u8>>), StoreError> {
        let (mut ids, mut locators) = (HashSet::new(), HashSet::new());
        let mut before = None;
        loop {
            let page = self.timeline(org, contact, before, PAGE)?;
            for message in &page.items {
                ids.insert(message.id);
                let parts = message.parts.iter();
                let parts = parts.filter_map(|part| part.external_id.as_ref());
                let external = message.external_id.iter().chain(parts);
                locators.extend(external.map(|id| keys::external(org, &message.channel, id)));
            }
            before = page.next;
            if before.is_none() {
                return Ok((ids, locators));
            }
        }
    }

    pub(super) fn erase_messages(
        &self,
        person: &Person,
        patience: &dyn Fn() -> bool,
        counts: &mut ErasedCounts,
    ) -> Result<(), StoreError> {
        for source in self.sources(person.org, person.contact)? {
            let mut above = None;
            loop {
                match self.erase_stretch(person, &source, above, counts)? {
                    Stretch::Done => break,
                    Stretch::Reached(kept) => above = kept,
                    Stretch::Busy if patience() => std::thread::sleep(WAIT),
                    Stretch::Busy => {
                        let words =
                            "a message to the person is being sent; the erasure goes on later";
                        return Err(StoreError::Failed(words.into()));
                    }
                }
            }
            self.end_thread(person, &source, counts)?;
        }
        Ok(())
    }

    fn erase_stretch(
        &self,
        person: &Person,
        source: &Source,
        above: Option<MessageId>,
        counts: &mut ErasedCounts,
    ) -> Result<Stretch, StoreError> {
        let now = self.now();
        let mut gone = ErasedCounts::default();
        let pending = self.engine.transact(|tx| {
            let hasher = Hasher::make(tx)?;
            let marks = Marks::Hashed {
                hasher: &hasher,
                now,
            };
            Walk::begin(tx, person, source, above)?
                .map_or(Ok(Stretch::Done), |walk| walk.go(tx, &marks, &mut gone))
        })?;
        let stretch = pending.wait()?.0;
        counts.messages += gone.messages;
        counts.cancelled += gone.cancelled;
        Ok(stretch)
    }

    /// Removes a thread of the person's own that has no message left.
    fn end_thread(
        &self,
        person: &Person,
        source: &Source,
        counts: &mut ErasedCounts,
    ) -> Result<(), StoreError> {
        let org = person.org;
        let pending = self.engine.transact(|tx| {
            let Some(thread) = load::<Thread>(tx, &keys::thread(org, source.thread))? else {
                return Ok(false);
            };
            let theirs = person.parts.iter().any(|part| part.id == thread.contact);
            let left = removal::standing_in(tx, org, &thread, thread.last)?;
            if !theirs || left.is_some() {
                return Ok(false);
            }
            removal::take_thread(tx, org, &thread)?;
            Ok::<_, StoreError>(true)
        })?;
        if pending.wait()?.0 {
            self.inbox.forget(org, source.thread);
            counts.threads += 1;
        }
        Ok(())
    }

    /// Removes the person's contacts, and what others' records say of them. Where a thread of theirs holds messages of
    /// somebody they were once merged with, a contact without name and address stays to hold it.
    pub(super) fn erase_contacts(&self, person: &Person) -> Result<(), StoreError> {
        let org = person.org;
        let pending = self.engine.transact(|tx| {
            for part in &person.parts {
                for apart in &part.apart {
                    forget_in(tx, org, part.id, apart)?;
                }
                let key = keys::contact(org, part.id);
                let holds = tx.first_in(&keys::contact_threads(org, part.id))?.is_some();
                if !holds {
                    tx.delete(&key)?;
                    continue;
                }
                let left = Contact {
                    name: None,
                    identities: Vec::new(),
                    thread: None,
                    merged: Vec::new(),
                    merged_into: None,
                    apart: part.apart.iter().filter(|a| !a.went).cloned().collect(),
                    ..part.clone()
                };
                tx.put(&key, codec::encode(&left))?;
            }
            Ok::<_, StoreError>(())
        })?;
        pending.wait()?;
        Ok(())
    }
}

/// Takes the person's addresses out of what another contact remembers of a merge that was taken back.
fn forget_in(
    tx: &mut Transaction<'_>,
    org: OrgId,
    part: ContactId,
    apart: &Apart,
) -> Result<(), StoreError> {
    if !apart.went {
        return Ok(());
    }
    let key = keys::contact(org, apart.other);
    if let Some(mut other) = load::<Contact>(tx, &key)? {
        let before = other.apart.len();
        other
            .apart
            .retain(|known| known.other != part || known.went);
        if other.apart.len() != before {
            tx.replace(&key, codec::encode(&other));
        }
    }
    Ok(())
}

/// A walk down a thread that takes out what is the person's and joins what stays.
struct Walk<'a> {
    person: &'a Person,
    source: &'a Source,
    thread: Thread,
    thread_changed: bool,
    /// The last message that stays, and whether it changed.
    kept: Option<(Message, bool)>,
    next: Option<MessageId>,
}

impl<'a> Walk<'a> {
    fn begin(
        tx: &mut Transaction<'_>,
        person: &'a Person,
        source: &'a Source,
        above: Option<MessageId>,
    ) -> Result<Option<Self>, StoreError> {
        let key = keys::thread(person.org, source.thread);
        let Some(thread) = load::<Thread>(tx, &key)? else {
            return Ok(None);
        };
        let kept = match above {
            Some(id) => records::find_message(tx, person.org, id)?,
            None => None,
        };
        let next = kept.as_ref().map_or(thread.last, |kept| kept.previous);
        Ok(Some(Self {
            person,
            source,
            thread,
            thread_changed: false,
            kept: kept.map(|kept| (kept, false)),
            next,
        }))
    }

    fn go(
        mut self,
        tx: &mut Transaction<'_>,
        marks: &Marks<'_>,
        counts: &mut ErasedCounts,
    ) -> Result<Stretch, StoreError> {
        let org = self.person.org;
        let mut files = BTreeSet::new();
        for _ in 0..STRETCH {
            let next = removal::standing_in(tx, org, &self.thread, self.next)?;
            let found = match next {
                Some(id) => records::find_message(tx, org, id)?,
                None => None,
            };
            let Some(message) = found else {
                self.save(tx)?;
                return Ok(Stretch::Done);
            };
            if !self.source.shows(&message) {
                self.keep(tx, message)?;
                continue;
            }
            let waits = queued::item(tx, org, message.id)?.is_some();
            if !removal::take_away(tx, org, &message, marks, &mut files)? {
                self.save(tx)?;
                return Ok(Stretch::Busy);
            }
            media::drop_jobs(tx, org, &message)?;
            counts.messages += 1;
            counts.cancelled += u64::from(waits);
            self.join(message.previous, message.id, message.leap);
        }
        let reached = self.kept.as_ref().map(|(kept, _)| kept.id);
        self.save(tx)?;
        Ok(Stretch::Reached(reached))
    }

    /// What was taken out is no part of the chain.
    fn join(&mut self, previous: Option<MessageId>, gone: MessageId, leap: Option<MessageId>) {
        if let Some((kept, changed)) = &mut self.kept {
            kept.previous = previous;
            *changed = true;
        } else {
            self.thread.last = previous;
            self.thread_changed = true;
        }
        if self.thread.leap == Some(gone) {
            self.thread.leap = leap;
            self.thread_changed = true;
        }
        self.next = previous;
    }

    fn keep(&mut self, tx: &mut Transaction<'_>, mut message: Message) -> Result<(), StoreError> {
        self.save_kept(tx)?;
        let reactions = message.reactions.len();
        let identities = &self.person.identities;
        message
            .reactions
            .retain(|reaction| !identities.contains(&reaction.sender));
        self.next = message.previous;
        let changed = message.reactions.len() != reactions;
        self.kept = Some((message, changed));
        Ok(())
    }

    fn save_kept(&mut self, tx: &mut Transaction<'_>) -> Result<(), StoreError> {
        match self.kept.take() {
            Some((kept, true)) => records::save_message(tx, self.person.org, &kept),
            _ => Ok(()),
        }
    }

    fn save(mut self, tx: &mut Transaction<'_>) -> Result<(), StoreError> {
        self.save_kept(tx)?;
        if self.thread_changed {
            let key = keys::thread(self.person.org, self.thread.id);
            tx.put(&key, codec::encode(&self.thread))?;
        }
        Ok(())
    }
}
