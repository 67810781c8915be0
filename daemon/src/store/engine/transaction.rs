//! A transaction: reads through what is on its way, collects writes, becomes one commit.

use std::{
    cell::{Cell, RefCell},
    cmp::Ordering,
    collections::BTreeMap,
    ops::Range,
    sync::Arc,
};

use super::{
    error::StoreError,
    index::{Index, Pair, prefix_bounds},
    layer::{Fate, Placed},
    overlay::Overlay,
    record::{self, CRC_BYTES, KEY_BYTES_MIN, WriteKind},
};

/// No key is longer, in bytes.
pub const KEY_BYTES_MAX: usize = 1024;
/// No value is longer, in bytes.
pub const VALUE_BYTES_MAX: usize = 128 * 1024;
/// No commit is larger, in bytes, changes and writes together.
pub const COMMIT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A plan being made. Its writes are enqueued together, or not at all.
///
/// Reads see the transaction's own writes, then everything handed over before, then the index. A
/// write that the engine can't take (a key under 5 or over [`KEY_BYTES_MAX`] bytes, a value over
/// [`VALUE_BYTES_MAX`], a commit over [`COMMIT_BYTES_MAX`]) makes the whole transaction fail when its
/// plan returns.
#[derive(Debug)]
pub struct Transaction<'a> {
    overlay: &'a Overlay,
    index: &'a Index,
    /// Keys and values, as they were given.
    bytes: Vec<u8>,
    /// Sorted by key; each key once.
    writes: Vec<Planned>,
    changes: Vec<u8>,
    /// Whether something was read that is not durable yet.
    waits: Cell<bool>,
    /// What the index showed of damage.
    damage: RefCell<Option<String>>,
    refused: Option<String>,
}

#[derive(Debug, Clone)]
struct Planned {
    kind: WriteKind,
    key: Range<usize>,
    value: Range<usize>,
}

/// What a plan came to.
pub(super) struct Finished {
    /// The commit's record and where its writes lie in it; none for a plan without writes.
    pub(super) commit: Option<(Arc<[u8]>, Vec<Placed>)>,
    /// Whether something was read that is not durable yet.
    pub(super) waits: bool,
}

impl<'a> Transaction<'a> {
    pub(super) fn new(overlay: &'a Overlay, index: &'a Index) -> Self {
        Self {
            overlay,
            index,
            bytes: Vec::new(),
            writes: Vec::new(),
            changes: Vec::new(),
            waits: Cell::new(false),
            damage: RefCell::new(None),
            refused: None,
        }
    }

    /// The value of a key.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.pending(key) {
            Some(Fate::Stored(value)) => Ok(Some(value.to_vec())),
            Some(Fate::Deleted) => Ok(None),
            None => self.heed(self.index.get(key)),
        }
    }

    /// Whether a key is there.
    pub fn contains(&self, key: &[u8]) -> Result<bool, StoreError> {
        match self.pending(key) {
            Some(fate) => Ok(matches!(fate, Fate::Stored(_))),
            None => self.heed(self.index.contains(key)),
        }
    }

    /// The first record whose key begins with `prefix`.
    pub fn first_in(&self, prefix: &[u8]) -> Result<Option<Pair>, StoreError> {
        Ok(self.collect(prefix, false, 1)?.pop())
    }

    /// The last record whose key begins with `prefix`.
    pub fn last_in(&self, prefix: &[u8]) -> Result<Option<Pair>, StoreError> {
        Ok(self.collect(prefix, true, 1)?.pop())
    }

    /// Up to `limit` records whose keys begin with `prefix`, in the order of keys.
    pub fn scan(&self, prefix: &[u8], limit: usize) -> Result<Vec<Pair>, StoreError> {
        self.collect(prefix, false, limit)
    }

    /// Up to `limit` records whose keys begin with `prefix`, the last key first.
    pub fn scan_back(&self, prefix: &[u8], limit: usize) -> Result<Vec<Pair>, StoreError> {
        self.collect(prefix, true, limit)
    }

    /// Writes a key that the caller knows to be new.
    pub fn insert(&mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.write(WriteKind::Insert, key.as_ref(), value.as_ref());
    }

    /// Writes a key that the caller knows to be there.
    pub fn replace(&mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.write(WriteKind::Replace, key.as_ref(), value.as_ref());
    }

    /// Writes a key; looks up whether it is there.
    pub fn put(
        &mut self,
        key: impl AsRef<[u8]>,
        value: impl AsRef<[u8]>,
    ) -> Result<(), StoreError> {
        let kind = if self.contains(key.as_ref())? {
            WriteKind::Replace
        } else {
            WriteKind::Insert
        };
        self.write(kind, key.as_ref(), value.as_ref());
        Ok(())
    }

    /// Deletes a key; says whether it was there.
    pub fn delete(&mut self, key: impl AsRef<[u8]>) -> Result<bool, StoreError> {
        let there = self.contains(key.as_ref())?;
        if there {
            self.write(WriteKind::Delete, key.as_ref(), &[]);
        }
        Ok(there)
    }

    /// Deletes a key that the caller knows to be there.
    pub fn remove(&mut self, key: impl AsRef<[u8]>) {
        self.write(WriteKind::Delete, key.as_ref(), &[]);
    }

    /// Whether this transaction deletes a key that was there before it.
    pub fn deletes(&self, key: &[u8]) -> bool {
        self.find(key)
            .is_ok_and(|at| self.writes[at].kind == WriteKind::Delete)
    }

    /// Adds a typed change for those who follow the log.
    pub fn change(&mut self, kind: u16, data: impl AsRef<[u8]>) {
        let data = data.as_ref();
        if self.admit(data.len()) {
            record::push_change(&mut self.changes, kind, data);
        }
    }

    /// Has this transaction wait for all that was handed over before it, whatever it has read.
    pub fn wait_for_all(&self) {
        self.waits.set(true);
    }

    /// What this transaction and those before it say about a key, if they do.
    fn pending(&self, key: &[u8]) -> Option<Fate<'_>> {
        if let Ok(at) = self.find(key) {
            return Some(match self.planned_value(&self.writes[at]) {
                Some(value) => Fate::Stored(value),
                None => Fate::Deleted,
            });
        }
        let fate = self.overlay.get(key)?;
        self.waits.set(true);
        Some(match fate {
            Fate::Stored(stored) => Fate::Stored(without_checksum(stored)),
            Fate::Deleted => Fate::Deleted,
        })
    }

    fn find(&self, key: &[u8]) -> Result<usize, usize> {
        let bytes = &self.bytes;
        self.writes
            .binary_search_by(|w| bytes[w.key.clone()].cmp(key))
    }

    fn planned_value(&self, write: &Planned) -> Option<&[u8]> {
        (write.kind != WriteKind::Delete).then(|| &self.bytes[write.value.clone()])
    }

    fn collect(&self, prefix: &[u8], back: bool, limit: usize) -> Result<Vec<Pair>, StoreError> {
        let mut patch = BTreeMap::new();
        self.overlay.patch(prefix, &mut patch);
        if !patch.is_empty() {
            self.waits.set(true);
            for value in patch.values_mut() {
                *value = value.map(without_checksum);
            }
        }
        let begin = self.find(prefix).unwrap_or_else(|at| at);
        for write in &self.writes[begin..] {
            let key = &self.bytes[write.key.clone()];
            if !key.starts_with(prefix) {
                break;
            }
            patch.insert(key, self.planned_value(write));
        }
        let (from, to) = prefix_bounds(prefix);
        let base = self.index.scan(from, to, back);
        self.heed(if back {
            merge(base, patch.into_iter().rev(), limit, |a, b| b.cmp(a))
        } else {
            merge(base, patch.into_iter(), limit, Ord::cmp)
        })
    }

    fn heed<T>(&self, read: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(StoreError::Corrupt { what, .. }) = &read {
            self.damage.replace(Some(what.clone()));
        }
        read
    }

    /// What the index showed of damage, if it did.
    pub(super) fn damage(&self) -> Option<String> {
        self.damage.borrow().clone()
    }

    fn write(&mut self, kind: WriteKind, key: &[u8], value: &[u8]) {
        if key.len() < KEY_BYTES_MIN || key.len() > KEY_BYTES_MAX {
            self.refuse(format!("a key has {} bytes", key.len()));
        } else if value.len() > VALUE_BYTES_MAX {
            self.refuse(format!("a value has {} bytes", value.len()));
        } else if self.admit(key.len() + value.len()) {
            self.plan(kind, key, value);
        }
    }

    fn plan(&mut self, kind: WriteKind, key: &[u8], value: &[u8]) {
        let found = self.find(key);
        let value_at = self.bytes.len();
        self.bytes.extend_from_slice(value);
        let value = value_at..self.bytes.len();
        match found {
            Ok(at) => match combined(self.writes[at].kind, kind) {
                Some(kind) => {
                    self.writes[at].kind = kind;
                    self.writes[at].value = value;
                }
                None => drop(self.writes.remove(at)),
            },
            Err(at) => {
                let key_at = self.bytes.len();
                self.bytes.extend_from_slice(key);
                let key = key_at..self.bytes.len();
                self.writes.insert(at, Planned { kind, key, value });
            }
        }
    }

    fn admit(&mut self, more: usize) -> bool {
        let fits = self.bytes.len() + self.changes.len() + more <= COMMIT_BYTES_MAX;
        if !fits {
            self.refuse(format!("a commit has more than {COMMIT_BYTES_MAX} bytes"));
        }
        fits && self.refused.is_none()
    }

    fn refuse(&mut self, words: String) {
        self.refused.get_or_insert(words);
    }

    pub(super) fn finish(self) -> Result<Finished, StoreError> {
        if let Some(words) = self.refused {
            return Err(StoreError::Refused(words));
        }
        let waits = self.waits.get();
        if self.writes.is_empty() && self.changes.is_empty() {
            let commit = None;
            return Ok(Finished { commit, waits });
        }
        let mut bytes = Vec::with_capacity(self.bytes.len() + self.changes.len() + 128);
        let mut placed = Vec::with_capacity(self.writes.len());
        record::begin(&mut bytes, &self.changes);
        for write in &self.writes {
            let key = &self.bytes[write.key.clone()];
            let value = self.planned_value(write).unwrap_or_default();
            let (key, stored) = record::push_write(&mut bytes, write.kind, key, value);
            let kind = write.kind;
            placed.push(Placed { kind, key, stored });
        }
        record::finish(&mut bytes, self.changes.len());
        let commit = Some((bytes.into(), placed));
        Ok(Finished { commit, waits })
    }
}

/// What two writes of one key in one transaction come to; none where nothing is left to do.
fn combined(before: WriteKind, now: WriteKind) -> Option<WriteKind> {
    match (before, now) {
        (WriteKind::Insert, WriteKind::Delete) => None,
        (WriteKind::Insert, _) => Some(WriteKind::Insert),
        (_, WriteKind::Delete) => Some(WriteKind::Delete),
        (_, _) => Some(WriteKind::Replace),
    }
}

fn without_checksum(stored: &[u8]) -> &[u8] {
    &stored[..stored.len() - CRC_BYTES]
}

/// Merges the index with what lies over it, both in the order that `order` gives.
fn merge<'p>(
    base: impl Iterator<Item = Result<Pair, StoreError>>,
    patch: impl Iterator<Item = (&'p [u8], Option<&'p [u8]>)>,
    limit: usize,
    order: impl Fn(&[u8], &[u8]) -> Ordering,
) -> Result<Vec<Pair>, StoreError> {
    let mut base = base.peekable();
    let mut patch = patch.peekable();
    let mut merged = Vec::new();
    while merged.len() < limit {
        let which = match (base.peek(), patch.peek()) {
            (None, None) => break,
            (Some(_), None) | (Some(Err(_)), _) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(Ok((below, _))), Some((above, _))) => order(below, above),
        };
        if which == Ordering::Less {
            merged.extend(base.next().transpose()?);
            continue;
        }
        if which == Ordering::Equal {
            base.next();
        }
        if let Some((key, Some(value))) = patch.next() {
            merged.push((key.to_vec(), value.to_vec()));
        }
    }
    Ok(merged)
}
