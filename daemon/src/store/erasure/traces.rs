//! What names a person outside of their messages: looked for in every record that may.

use super::{Hasher, Person};
use crate::{
    model::{ErasedCounts, Notification, WebhookEvent},
    store::{
        Store, codec,
        engine::{StoreError, Transaction},
        events, keys,
        outbox::idempotent_message,
        prefix_end,
        records::load,
    },
};

/// Records changed in one transaction.
const STEP: usize = 100;

impl Store {
    /// Removes what names the person; first the files, so that no record of a file that is there is lost.
    pub(super) fn erase_traces(
        &self,
        person: &Person,
        counts: &mut ErasedCounts,
    ) -> Result<(), StoreError> {
        counts.events += self.each(person, keys::EVENT, event)?;
        for kind in [
            keys::EXTERNAL,
            keys::IDEMPOTENCY,
            keys::WAITING,
            keys::REJECTED,
            keys::HEALTH,
            keys::NOTIFICATION,
        ] {
            counts.traces += self.each(person, kind, trace)?;
        }
        Ok(())
    }

    /// Looks at every record of a kind, and has those that concern the person changed.
    fn each(&self, person: &Person, kind: u8, change: Change) -> Result<u64, StoreError> {
        let prefix = keys::kind(person.org, kind);
        let mut concerned = Vec::new();
        let mut count = 0;
        let range = (
            std::ops::Bound::Included(prefix.clone()),
            prefix_end(&prefix),
        );
        for entry in self.engine.scan(range, false) {
            let (key, bytes) = entry?;
            if self.concerns(person, kind, &key, &bytes)? {
                concerned.push(key);
            }
            if concerned.len() == STEP {
                count += self.change(person, &std::mem::take(&mut concerned), change)?;
            }
        }
        count += self.change(person, &concerned, change)?;
        Ok(count)
    }

    fn change(
        &self,
        person: &Person,
        found: &[Vec<u8>],
        change: Change,
    ) -> Result<u64, StoreError> {
        if found.is_empty() {
            return Ok(0);
        }
        let now = self.now();
        let pending = self.engine.transact(|tx| {
            let hasher = Hasher::make(tx)?;
            for key in found {
                change(tx, person, key, &hasher, now)?;
            }
            Ok::<_, StoreError>(())
        })?;
        pending.wait()?;
        Ok(found.len() as u64)
    }

    fn concerns(
        &self,
        person: &Person,
        kind: u8,
        key: &[u8],
        bytes: &[u8],
    ) -> Result<bool, StoreError> {
        Ok(match kind {
            keys::EVENT => {
                let record: WebhookEvent = codec::decode(key, bytes)?;
                let theirs = self.is_theirs(person, &record);
                if theirs && let Some(name) = &record.raw_file {
                    let gone = self.files.remove(name);
                    gone.map_err(|error| {
                        StoreError::Failed(format!(
                            "a webhook's body could not be removed: {error}"
                        ))
                    })?;
                }
                theirs
            }
            keys::EXTERNAL => {
                // The locators of reactions, which the messages do not name.
                let id = bytes.try_into().map(crate::model::MessageId::from_bytes);
                id.is_ok_and(|id| person.messages.contains(&id)) && !person.locators.contains(key)
            }
            keys::IDEMPOTENCY => person.messages.contains(&idempotent_message(key, bytes)?),
            keys::NOTIFICATION => {
                let record: Notification = codec::decode(key, bytes)?;
                person.needles.redacted(&record.words).is_some()
            }
            _ => person.needles.are_in(key) || person.needles.are_in(bytes),
        })
    }

    /// Whether a webhook brought a message of theirs, or names them.
    pub(super) fn is_theirs(&self, person: &Person, record: &WebhookEvent) -> bool {
        let locators = events::locators(person.org, record);
        if locators.iter().any(|mark| person.locators.contains(mark)) {
            return true;
        }
        let url = record.raw_url.as_deref().unwrap_or_default();
        let headers = record.raw_headers.iter().map(|(_, value)| value.as_bytes());
        let mut texts = headers.chain([url.as_bytes(), record.raw_body.as_slice()]);
        if texts.any(|text| person.needles.are_in(text)) {
            return true;
        }
        let Some(name) = &record.raw_file else {
            return false;
        };
        // A body that is gone holds nobody.
        let body = self.files.read(name).unwrap_or_default();
        person.needles.are_in(&body)
    }
}

/// What becomes of a record that concerns the person.
type Change = fn(
    &mut Transaction<'_>,
    &Person,
    &[u8],
    &Hasher,
    crate::model::Millis,
) -> Result<(), StoreError>;

/// A webhook that brought others' messages too stays without what it brought; any other goes.
fn event(
    tx: &mut Transaction<'_>,
    person: &Person,
    key: &[u8],
    hasher: &Hasher,
    now: crate::model::Millis,
) -> Result<(), StoreError> {
    let Some(mut record) = load::<WebhookEvent>(tx, key)? else {
        return Ok(());
    };
    let org = person.org;
    let locators = events::locators(org, &record);
    let mut others = Vec::new();
    for (mark, locator) in record.marks.iter().zip(&locators) {
        let of = tx.get(locator)?.and_then(|bytes| bytes.try_into().ok());
        let of = of.map(crate::model::MessageId::from_bytes);
        if of.is_some_and(|id| !person.messages.contains(&id)) {
            others.push(mark.clone());
        } else {
            hasher.keep_mark(tx, org, locator, now)?;
        }
    }
    tx.delete(keys::pending(org, &record.channel, record.id))?;
    if others.is_empty() {
        tx.remove(key);
        return Ok(());
    }
    record.marks = others;
    record.empty("a person whom it was about was erased");
    tx.replace(key, codec::encode(&record));
    Ok(())
}

fn trace(
    tx: &mut Transaction<'_>,
    person: &Person,
    key: &[u8],
    hasher: &Hasher,
    now: crate::model::Millis,
) -> Result<(), StoreError> {
    match key.get(4).copied() {
        Some(keys::NOTIFICATION) => {
            let Some(mut record) = load::<Notification>(tx, key)? else {
                return Ok(());
            };
            if let Some(words) = person.needles.redacted(&record.words) {
                record.words = words;
                tx.replace(key, codec::encode(&record));
            }
        }
        kind => {
            if kind == Some(keys::EXTERNAL) {
                hasher.keep_mark(tx, person.org, key, now)?;
            }
            tx.delete(key)?;
        }
    }
    Ok(())
}
