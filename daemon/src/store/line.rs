//! The line of one contact on one channel and lane: the ids that wait, of which only the first may go.
//!
//! ```text
//!   leaves <── head (up to 8 ids) ── chunks of 8, a record each ── tail (up to 8 ids) <── joins
//! ```
//!
//! Head and tail lie in the line's own record, so that joining and leaving touch no other but every
//! eighth time, however long the line. A chunk is kept under its first id and knows the first id of the next:
//! so the chunks of all lines lie in the order of time, as they are written and read. An id in a line is
//! greater than those before it. What comes back (tried again by a person, or its time has come) and is older
//! than the last in line is kept beside it, each with a key; the first of all goes first. An id that leaves
//! from the middle stays where it is and is passed over when its turn comes.

use super::{
    engine::{StoreError, Transaction},
    keys, queued,
};
use crate::model::{MessageId, OrgId, OutboxItem};

/// Ids in one chunk.
const CHUNK: usize = 8;
const ID_BYTES: usize = 16;

/// A line that was read, and is changed in memory until it is saved.
pub(crate) struct Line<'a> {
    org: OrgId,
    /// Somebody in it: says which line it is.
    of: &'a OutboxItem,
    key: Vec<u8>,
    known: bool,
    head: Vec<MessageId>,
    /// The first id of the first chunk between head and tail; none where there is no chunk.
    middle: Option<MessageId>,
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
            middle: None,
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
        let (returned, rest) = bytes.split_first_chunk::<4>()?;
        let ([head, middle], rest) = rest.split_first_chunk::<2>()?;
        let (head, rest) = rest.split_at_checked(usize::from(*head) * ID_BYTES)?;
        let (middle, tail) = rest.split_at_checked(usize::from(*middle) * ID_BYTES)?;
        self.returned = u32::from_be_bytes(*returned);
        self.head = ids(head);
        self.middle = ids(middle).pop();
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
        let ids = self.head.iter().chain(&self.middle).chain(&self.tail);
        let mut bytes = Vec::with_capacity(6 + (2 * CHUNK + 1) * ID_BYTES);
        bytes.extend_from_slice(&self.returned.to_be_bytes());
        bytes.push(u8::try_from(self.head.len()).expect("a head is one chunk"));
        bytes.push(u8::from(self.middle.is_some()));
        bytes.extend(ids.flat_map(MessageId::as_bytes));
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
            if self.head.is_empty() && self.middle.is_none() {
                self.head = full;
            } else {
                // What begins the new tail will begin the next chunk.
                let ids = [id].into_iter().chain(full.iter().copied());
                let bytes: Vec<u8> = ids.flat_map(|id| *id.as_bytes()).collect();
                tx.insert(keys::line_chunk(self.org, full[0]), bytes);
                self.middle.get_or_insert(full[0]);
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
        if let Some(first) = self.middle.filter(|_| self.head.is_empty()) {
            let key = keys::line_chunk(self.org, first);
            let chunk = tx.get(&key)?.map(|bytes| ids(&bytes)).unwrap_or_default();
            let Some((next, head)) = chunk.split_first() else {
                return Err(StoreError::unreadable(
                    &key,
                    "a line goes on here, but nothing is",
                ));
            };
            tx.remove(&key);
            self.head = head.to_vec();
            self.middle = Some(*next).filter(|next| self.tail.first() != Some(next));
        }
        Ok(())
    }
}

fn ids(bytes: &[u8]) -> Vec<MessageId> {
    let (ids, _) = bytes.as_chunks::<ID_BYTES>();
    ids.iter().copied().map(MessageId::from_bytes).collect()
}
