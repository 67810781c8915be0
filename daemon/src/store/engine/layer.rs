//! A layer: the commits that go to the log as one group, and what they write, merged and in order.
//!
//! While it waits and while it travels through log and index, its writes are visible to planners
//! (see [`super::overlay`]); once the index has them it is dropped as a whole.

use std::{borrow::Borrow, collections::BTreeMap, ops::Bound, sync::Arc};

use super::record::{WriteKind, kind_of};

/// A place within a commit's record.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Span {
    at: u32,
    len: u32,
}

impl Span {
    pub(super) fn new(at: usize, len: usize) -> Self {
        Self {
            at: u32::try_from(at).expect("commits are bounded"),
            len: u32::try_from(len).expect("commits are bounded"),
        }
    }

    pub(super) fn of(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.at as usize..(self.at + self.len) as usize]
    }
}

/// One write of a finished commit: where its key and stored value lie in the record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placed {
    pub(super) kind: WriteKind,
    pub(super) key: Span,
    pub(super) stored: Span,
}

/// A key that shares the record it was written in.
#[derive(Debug, Clone)]
struct SharedKey {
    record: Arc<[u8]>,
    span: Span,
}

impl SharedKey {
    fn bytes(&self) -> &[u8] {
        self.span.of(&self.record)
    }
}

impl Borrow<[u8]> for SharedKey {
    fn borrow(&self) -> &[u8] {
        self.bytes()
    }
}

impl PartialEq for SharedKey {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Eq for SharedKey {}

impl PartialOrd for SharedKey {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for SharedKey {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.bytes().cmp(other.bytes())
    }
}

/// What a key holds after the layer.
#[derive(Debug)]
struct Held {
    /// Whether the key was there before the layer, as the planner said.
    known: bool,
    record: Arc<[u8]>,
    /// The stored value; none where the key was deleted.
    stored: Option<Span>,
}

/// A merged write: what the index has to do for one key of a group.
#[derive(Debug, Clone, Copy)]
pub(super) struct Merged<'a> {
    pub(super) key: &'a [u8],
    /// The stored value; none deletes.
    pub(super) stored: Option<&'a [u8]>,
    /// Whether the planners say that the key was there before.
    pub(super) known: bool,
}

/// Commits in order, and their writes merged.
#[derive(Debug, Default)]
pub(super) struct Layer {
    /// The position of its first commit; of the next commit while it has none.
    pub(super) first: u64,
    records: Vec<Arc<[u8]>>,
    bytes: usize,
    writes: BTreeMap<SharedKey, Held>,
    counts: BTreeMap<(u32, u8), i64>,
}

impl Layer {
    pub(super) fn new(first: u64) -> Self {
        Self {
            first,
            ..Self::default()
        }
    }

    /// Adds a commit's record with its writes.
    pub(super) fn push(&mut self, record: &Arc<[u8]>, writes: &[Placed]) {
        self.bytes += record.len();
        self.records.push(Arc::clone(record));
        for write in writes {
            let key = write.key.of(record);
            let delta = write.kind.delta();
            if delta != 0 {
                *self.counts.entry(kind_of(key)).or_default() += delta;
            }
            let stored = (write.kind != WriteKind::Delete).then_some(write.stored);
            if let Some(held) = self.writes.get_mut(key) {
                held.record = Arc::clone(record);
                held.stored = stored;
                continue;
            }
            let key = SharedKey {
                record: Arc::clone(record),
                span: write.key,
            };
            let held = Held {
                known: write.kind != WriteKind::Insert,
                record: Arc::clone(record),
                stored,
            };
            self.writes.insert(key, held);
        }
    }

    /// The commits' records, in order.
    pub(super) fn records(&self) -> &[Arc<[u8]>] {
        &self.records
    }

    /// The number of commits.
    pub(super) fn commits(&self) -> usize {
        self.records.len()
    }

    /// The bytes of all records.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The position of the last commit; the one before `first` while there is none.
    pub(super) fn last(&self) -> u64 {
        self.first + self.records.len() as u64 - 1
    }

    /// By how much the layer changes the number of records of each kind.
    pub(super) fn counts(&self) -> impl Iterator<Item = ((u32, u8), i64)> + '_ {
        self.counts.iter().map(|(kind, delta)| (*kind, *delta))
    }

    /// What the layer says about a key: nothing, or its stored value, or that it is deleted.
    pub(super) fn get(&self, key: &[u8]) -> Option<Option<&[u8]>> {
        let held = self.writes.get(key)?;
        Some(held.stored.map(|span| span.of(&held.record)))
    }

    /// The merged writes whose keys begin with `prefix`, in the order of keys.
    pub(super) fn with_prefix<'a>(
        &'a self,
        prefix: &'a [u8],
    ) -> impl Iterator<Item = Merged<'a>> + 'a {
        self.writes
            .range::<[u8], _>((Bound::Included(prefix), Bound::Unbounded))
            .take_while(move |(key, _)| key.bytes().starts_with(prefix))
            .map(merged)
    }

    /// All merged writes, in the order of keys.
    pub(super) fn merged(&self) -> impl Iterator<Item = Merged<'_>> {
        self.writes.iter().map(merged)
    }
}

fn merged<'a>((key, held): (&'a SharedKey, &'a Held)) -> Merged<'a> {
    Merged {
        key: key.bytes(),
        stored: held.stored.map(|span| span.of(&held.record)),
        known: held.known,
    }
}
