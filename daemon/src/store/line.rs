//! The line of one contact on one channel and lane: the ids that wait, of which only the first may go.
//!
//! ```text
//!   leaves <── head (up to 16 ids) ── chunks of 16, a record each ── tail (up to 16 ids) <── joins
//! ```
//!
//! Head and tail lie in the line's own record, so that joining and leaving touch no other but every
//! sixteenth time, however long the line. An id in a line is greater than those before it. What comes back
//! (tried again by a person, or its time has come) and is older than the last in line is kept beside it,
//! each with a key; the first of all goes first. An id that leaves from the middle stays where it is and is passed
//! over when its turn comes.

use std::ops::Range;

use super::{
    engine::{StoreError, Transaction},
    keys, queued,
};
use crate::model::{MessageId, OrgId, OutboxItem};

/// Ids in one chunk.
const CHUNK: usize = 16;
const ID_BYTES: usize = 16;

/// A line that was read, and is changed in memory until it is saved.
pub(crate) struct Line<'a> {
    org: OrgId,
    /// Somebody in it: says which line it is.
    of: &'a OutboxItem,
    key: Vec<u8>,
    known: bool,
    head: Vec<MessageId>,
    chunks: Range<u32>,
    tail: Vec<MessageId>,
    returned: u32,
    /// The item of the first that has not come back, where it was read.
    first_item: Option<OutboxItem>,
}

impl<'a> Line<'a> {
    /// The line that an item stands in, or would.
    pub(crate) fn load(
        tx: &mut Transaction<'_>,
        org: OrgId,
        of: &'a OutboxItem,
    ) -> Result<Self, StoreError> {
        let key = keys::line(org, of);
        let stored = tx.get(&key)?;
        let mut line = Self {
            org,
            of,
            key,
            known: stored.is_some(),
            head: Vec::new(),
            chunks: 0..0,
            tail: Vec::new(),
            returned: 0,
            first_item: None,
        };
        if let Some(bytes) = stored {
            line.read(&bytes)
                .ok_or_else(|| StoreError::unreadable(&line.key, "the line is cut short"))?;
        }
        Ok(line)
    }

    fn read(&mut self, bytes: &[u8]) -> Option<()> {
        let (numbers, rest) = bytes.split_first_chunk::<13>()?;
        let number = |at: usize| {
            let bytes = numbers.get(at..at + 4)?.try_into().ok()?;
            Some(u32::from_be_bytes(bytes))
        };
        self.chunks = number(0)?..number(4)?;
        self.returned = number(8)?;
        let (head, tail) = rest.split_at_checked(usize::from(numbers[12]) * ID_BYTES)?;
        self.head = ids(head);
        self.tail = ids(tail);
        Some(())
    }

    /// Writes it back; a line without anybody in it is no record.
    pub(crate) fn save(&self, tx: &mut Transaction<'_>) {
        if self.front().is_none() && self.returned == 0 {
            if self.known {
                tx.remove(&self.key);
            }
            return;
        }
        let ids = self.head.len() + self.tail.len();
        let mut bytes = Vec::with_capacity(13 + ids * ID_BYTES);
        for number in [self.chunks.start, self.chunks.end, self.returned] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes.push(u8::try_from(self.head.len()).expect("a head is one chunk"));
        for id in self.head.iter().chain(&self.tail) {
            bytes.extend_from_slice(id.as_bytes());
        }
        if self.known {
            tx.replace(&self.key, bytes);
        } else {
            tx.insert(&self.key, bytes);
        }
    }

    /// Who is first.
    pub(crate) fn first(&self, tx: &mut Transaction<'_>) -> Result<Option<MessageId>, StoreError> {
        let front = self.front();
        if self.returned == 0 {
            return Ok(front);
        }
        let returned = tx.first_in(&keys::returned_of(self.org, self.of))?;
        let returned = returned.and_then(|(key, _)| keys::trailing_id(&key));
        let returned = returned.map(MessageId::from_bytes);
        Ok(front.into_iter().chain(returned).min())
    }

    /// The item of who is first.
    pub(crate) fn first_item(
        &mut self,
        tx: &mut Transaction<'_>,
    ) -> Result<Option<OutboxItem>, StoreError> {
        let Some(first) = self.first(tx)? else {
            return Ok(None);
        };
        match self.first_item.take() {
            Some(item) if item.message == first => Ok(Some(item)),
            _ => queued::item(tx, self.org, first),
        }
    }

    /// Puts an id in: at the end, or beside where it is not the newest.
    pub(crate) fn add(
        &mut self,
        tx: &mut Transaction<'_>,
        id: MessageId,
    ) -> Result<(), StoreError> {
        let newest = self.tail.last().or(self.head.last());
        if newest.is_some_and(|newest| *newest >= id) {
            let key = keys::returned(self.org, self.of, id);
            if !tx.contains(&key)? {
                tx.insert(key, []);
                self.returned += 1;
            }
            return Ok(());
        }
        if self.tail.len() == CHUNK {
            let full = std::mem::take(&mut self.tail);
            if self.head.is_empty() && self.chunks.is_empty() {
                self.head = full;
            } else {
                let key = keys::line_chunk(self.org, self.of, self.chunks.end);
                tx.insert(key, bytes_of(&full));
                self.chunks.end += 1;
            }
        }
        self.tail.push(id);
        Ok(())
    }

    /// Takes an id out.
    pub(crate) fn take_out(
        &mut self,
        tx: &mut Transaction<'_>,
        id: MessageId,
    ) -> Result<(), StoreError> {
        if self.returned > 0 && tx.delete(keys::returned(self.org, self.of, id))? {
            self.returned -= 1;
        }
        if self.front() != Some(id) {
            return Ok(());
        }
        self.drop_front(tx)?;
        while let Some(front) = self.front() {
            let item = queued::item(tx, self.org, front)?;
            if let Some(item) = item.filter(OutboxItem::is_in_line) {
                self.first_item = Some(item);
                break;
            }
            self.drop_front(tx)?;
        }
        Ok(())
    }

    fn front(&self) -> Option<MessageId> {
        self.head.first().or(self.tail.first()).copied()
    }

    fn drop_front(&mut self, tx: &mut Transaction<'_>) -> Result<(), StoreError> {
        if self.head.is_empty() {
            self.tail.drain(..1);
            return Ok(());
        }
        self.head.drain(..1);
        if self.head.is_empty() && !self.chunks.is_empty() {
            let key = keys::line_chunk(self.org, self.of, self.chunks.start);
            let chunk = tx.get(&key)?;
            let chunk = chunk.ok_or_else(|| StoreError::unreadable(&key, "it is not there"))?;
            self.head = ids(&chunk);
            tx.remove(&key);
            self.chunks.start += 1;
        }
        Ok(())
    }
}

fn ids(bytes: &[u8]) -> Vec<MessageId> {
    let (ids, _) = bytes.as_chunks::<ID_BYTES>();
    ids.iter().copied().map(MessageId::from_bytes).collect()
}

fn bytes_of(ids: &[MessageId]) -> Vec<u8> {
    ids.iter().flat_map(MessageId::as_bytes).copied().collect()
}
