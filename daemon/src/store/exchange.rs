//! Records from elsewhere: stored where nothing speaks against them.

use super::{
    Store, codec,
    engine::{StoreError, Transaction, VALUE_BYTES_MAX},
    keys,
    records::{self, IdentityRecord, LEAP, load},
};
use crate::model::{
    ConsentEntry, Contact, ContactId, HistoryEntry, MediaHash, MediaRecord, Message, OrgId, Source,
    Status, Thread, record,
};

/// Room that a record's key and frame may need beside it.
const SPARE_BYTES: usize = 1024;

/// A record from elsewhere.
#[derive(Debug, Clone)]
pub enum ImportRecord {
    /// A contact.
    Contact(ImportedContact),
    /// A thread, without its messages.
    Thread(Thread),
    /// A file whose bytes are kept already.
    Media(MediaHash, MediaRecord),
    /// A message.
    Message(Box<Message>),
    /// An entry of the ledger of consent.
    Consent(ConsentEntry),
}

/// A contact, and for each of its addresses the contact that it came with.
#[derive(Debug, Clone)]
pub struct ImportedContact {
    /// The contact.
    pub contact: Contact,
    /// As many as it has addresses.
    pub homes: Vec<Option<ContactId>>,
}

/// What became of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Import {
    /// It was stored.
    New,
    /// It was stored but for what belongs to another.
    Partly(String),
    /// It is here already, and stays as it is.
    Present,
    /// It can't be stored, and why.
    Conflict(String),
}

/// Ends a transaction that is only tried.
enum Tried {
    Store(StoreError),
    Outcomes(Vec<Import>),
}

impl From<StoreError> for Tried {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Store {
    /// Stores records from elsewhere in one commit, each where nothing speaks against it, and says what became of
    /// each. With `dry_run` nothing is stored, and what a record rests on is taken to be there.
    ///
    /// # Errors
    /// The store's; nothing of these records is stored then. [`StoreError::Full`] while the disk is nearly full.
    pub async fn import(
        &self,
        org: OrgId,
        records: &[ImportRecord],
        dry_run: bool,
    ) -> Result<Vec<Import>, StoreError> {
        if !dry_run {
            self.engine.admit_new()?;
        }
        let planned = self.engine.transact(|tx| {
            let mut outcomes = Vec::with_capacity(records.len());
            for record in records {
                outcomes.push(self.plan_import(tx, org, record, dry_run)?);
            }
            if dry_run {
                return Err(Tried::Outcomes(outcomes));
            }
            Ok(outcomes)
        });
        let (outcomes, _) = match planned {
            Ok(pending) => pending.await?,
            Err(Tried::Outcomes(outcomes)) => return Ok(outcomes),
            Err(Tried::Store(error)) => return Err(error),
        };
        for (record, outcome) in records.iter().zip(&outcomes) {
            if let (ImportRecord::Thread(thread), Import::New) = (record, outcome) {
                self.inbox.touch(org, thread.id, thread.updated_at_ms);
            }
        }
        Ok(outcomes)
    }

    fn plan_import(
        &self,
        tx: &mut Transaction<'_>,
        org: OrgId,
        record: &ImportRecord,
        dry_run: bool,
    ) -> Result<Import, StoreError> {
        match record {
            ImportRecord::Contact(imported) => contact(tx, org, imported),
            ImportRecord::Thread(found) => thread(tx, org, found, dry_run),
            ImportRecord::Media(hash, found) => {
                insert(tx, &keys::media(org, hash), codec::encode(found))
            }
            ImportRecord::Message(found) => {
                message(tx, org, (**found).clone(), self.clock.now(), dry_run)
            }
            ImportRecord::Consent(found) => consent(tx, org, found),
        }
    }
}

/// Writes what nobody had, where it is not too large.
fn insert(tx: &mut Transaction<'_>, key: &[u8], value: Vec<u8>) -> Result<Import, StoreError> {
    if tx.contains(key)? {
        return Ok(Import::Present);
    }
    if value.len() + SPARE_BYTES > VALUE_BYTES_MAX {
        let words = format!("it is larger than {VALUE_BYTES_MAX} bytes");
        return Ok(Import::Conflict(words));
    }
    tx.insert(key, value);
    Ok(Import::New)
}

/// A contact with its addresses, but for those that are another's here.
fn contact(
    tx: &mut Transaction<'_>,
    org: OrgId,
    imported: &ImportedContact,
) -> Result<Import, StoreError> {
    let mut contact = imported.contact.clone();
    let key = keys::contact(org, contact.id);
    if tx.contains(&key)? {
        return Ok(Import::Present);
    }
    let (mut kept, mut taken) = (Vec::new(), 0);
    let is_whole = contact.merged_into.is_none();
    let mut pointers = Vec::new();
    for (known, home) in std::mem::take(&mut contact.identities)
        .into_iter()
        .zip(&imported.homes)
    {
        let key = keys::identity(org, &known.identity);
        let owner = load::<IdentityRecord>(tx, &key)?.map(|record| record.contact);
        if is_whole && owner.is_some_and(|owner| owner != contact.id) {
            taken += 1;
            continue;
        }
        if is_whole {
            pointers.push((key, *home));
        }
        kept.push(known);
    }
    contact.identities = kept;
    let stored = insert(tx, &key, codec::encode(&contact))?;
    if stored != Import::New {
        return Ok(stored);
    }
    for (key, home) in pointers {
        let record = IdentityRecord {
            contact: contact.id,
            thread: contact.thread,
            home,
        };
        tx.put(&key, codec::encode(&record))?;
    }
    Ok(match taken {
        0 => Import::New,
        _ => Import::Partly(format!(
            "{taken} of its addresses belong to other contacts here, and stay with them"
        )),
    })
}

fn thread(
    tx: &mut Transaction<'_>,
    org: OrgId,
    found: &Thread,
    dry_run: bool,
) -> Result<Import, StoreError> {
    if !dry_run && !tx.contains(&keys::contact(org, found.contact))? {
        return Ok(Import::Conflict("its contact is not here".into()));
    }
    let stored = insert(tx, &keys::thread(org, found.id), codec::encode(found))?;
    if stored != Import::New {
        return Ok(stored);
    }
    tx.put(keys::contact_thread(org, found.contact, found.id), [])?;
    let counter = keys::next_thread(org);
    let next = match tx.get(&counter)? {
        Some(bytes) => u64::from_be_bytes(codec::fixed(&counter, &bytes)?),
        None => 1,
    };
    let number = found.id.number();
    if number >= next {
        tx.put(&counter, (number + 1).to_be_bytes())?;
    }
    Ok(Import::New)
}

/// A message at the end of its thread. What had not gone out is not sent from here.
fn message(
    tx: &mut Transaction<'_>,
    org: OrgId,
    mut message: Message,
    now_ms: crate::model::Millis,
    dry_run: bool,
) -> Result<Import, StoreError> {
    if records::find_message(tx, org, message.id)?.is_some() {
        return Ok(Import::Present);
    }
    let own = message.external_id.iter();
    let ids: Vec<String> = own
        .chain(
            message
                .parts
                .iter()
                .filter_map(|part| part.external_id.as_ref()),
        )
        .cloned()
        .collect();
    for id in &ids {
        let known = records::find_external(tx, org, &message.channel, id)?;
        if known.is_some_and(|known| known != message.id) {
            let words = "the provider's message is here already under another id";
            return Ok(Import::Conflict(words.into()));
        }
    }
    let thread: Option<Thread> = load(tx, &keys::thread(org, message.thread))?;
    let thread = match thread {
        Some(thread) if thread.last_seq >= message.seq => {
            let words = "its thread has gone on here, and nothing is put between messages";
            return Ok(Import::Conflict(words.into()));
        }
        None if !dry_run => return Ok(Import::Conflict("its thread is not here".into())),
        thread => thread,
    };
    end(&mut message, now_ms);
    if let Some(mut thread) = thread {
        thread.last_seq = message.seq;
        message.previous = thread.last.replace(message.id);
        if message.seq % LEAP == 1 {
            message.leap = thread.leap.replace(message.id);
        }
        let stored = insert(tx, &keys::message(org, message.id), codec::encode(&message))?;
        if stored != Import::New {
            return Ok(stored);
        }
        tx.replace(keys::thread(org, thread.id), codec::encode(&thread));
    }
    for id in ids {
        tx.put(
            keys::external(org, &message.channel, &id),
            message.id.as_bytes(),
        )?;
    }
    Ok(Import::New)
}

/// What waited, or was on its way, is of unknown outcome here.
fn end(message: &mut Message, now_ms: crate::model::Millis) {
    for part in &mut message.parts {
        if part.status == Status::Queued {
            part.status = Status::Uncertain;
        }
    }
    if message.status == Status::Queued {
        message.status = Status::Uncertain;
        let entry = HistoryEntry {
            status: Status::Uncertain,
            at_ms: now_ms,
            source: Source::Operator,
            code: Some("imported".into()),
            detail: Some("it was imported while it waited, and is not sent from here".into()),
            part: None,
            count: 1,
        };
        record(&mut message.history, entry);
    }
}

fn consent(
    tx: &mut Transaction<'_>,
    org: OrgId,
    found: &ConsentEntry,
) -> Result<Import, StoreError> {
    let key = keys::consent(org, &found.identity, &found.scope);
    match load::<ConsentEntry>(tx, &key)? {
        Some(known) if known.state != found.state => Ok(Import::Conflict(format!(
            "it is {} here and {} in the file: what is here stays",
            known.state.as_str(),
            found.state.as_str()
        ))),
        _ => insert(tx, &key, codec::encode(found)),
    }
}
