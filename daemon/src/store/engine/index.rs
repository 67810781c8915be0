//! The index: what the log means, in sled, ready to be read. It is disposable.
//!
//! Records lie in the default tree, each value followed by its checksum. How far the log has been
//! applied, and the counts, lie in a tree of their own beside it. Writes go in one by one, in the
//! order of keys, and the position last: a sled `Batch` would take a lock that stops all readers of
//! the process until it is done, and needs no less work. After a crash sled gives back a prefix of what
//! was written, and applying frames again from an earlier position changes nothing.

use std::{
    collections::HashMap,
    fs::File,
    ops::Bound,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use sled::IVec;

use super::{
    error::StoreError,
    frame::Hash,
    layer::Merged,
    record::{checksum, proven},
};

/// Records of one kind in one organization.
pub(super) type Kind = (u32, u8);

/// A key and its value.
pub(super) type Pair = (Vec<u8>, Vec<u8>);

/// What sled counts as cached takes several times as much memory.
const SLED_OVERHEAD: u64 = 2;
const META_TREE: &[u8] = b"meta";
const POSITION_KEY: &[u8] = b"position";

/// How many records there are, and the commit as of which that is true.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Count {
    pub(super) records: u64,
    pub(super) position: u64,
}

/// How far the log has been applied, and the counts there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Reached {
    pub(super) position: u64,
    /// The hash of the frame that ends at `position`.
    pub(super) hash: Hash,
    pub(super) counts: HashMap<Kind, Count>,
}

/// What applying a write showed: whether the key was there, to keep a running scan's tally right.
pub(super) struct Seen<'a> {
    pub(super) key: &'a [u8],
    pub(super) was_there: bool,
    pub(super) is_there: bool,
    pub(super) known: bool,
}

/// One sled folder.
#[derive(Debug)]
pub(super) struct Index {
    db: sled::Db,
    meta: sled::Tree,
    path: PathBuf,
}

impl Index {
    /// Opens or creates the folder. May panic or hang where its files are damaged: see
    /// [`super::guard`].
    pub(super) fn open(path: &Path, cache_bytes: u64) -> Result<Self, String> {
        let db = sled::Config::new()
            .path(path)
            .cache_capacity(cache_bytes / SLED_OVERHEAD)
            .open()
            .map_err(|e| e.to_string())?;
        let meta = db.open_tree(META_TREE).map_err(|e| e.to_string())?;
        Ok(Self {
            db,
            meta,
            path: path.to_owned(),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// How far it says it is; none where it is fresh.
    pub(super) fn reached(&self) -> Result<Option<Reached>, String> {
        let Some(stored) = self.meta.get(POSITION_KEY).map_err(|e| e.to_string())? else {
            return Ok(None);
        };
        let position = proven(POSITION_KEY, &stored)
            .and_then(|value| value.split_first_chunk::<8>())
            .ok_or("the position is damaged")?;
        let mut reached = Reached {
            position: u64::from_be_bytes(*position.0),
            hash: position
                .1
                .try_into()
                .map_err(|_| "the position is damaged")?,
            counts: HashMap::new(),
        };
        for item in &self.meta {
            let (key, stored) = item.map_err(|e| e.to_string())?;
            if key != POSITION_KEY {
                let (kind, count) = parse_count(&key, &stored).ok_or("a count is damaged")?;
                reached.counts.insert(kind, count);
            }
        }
        Ok(Some(reached))
    }

    /// Writes a group, and tells `seen` about every key. Does not move the position.
    pub(super) fn write<'a>(
        &self,
        writes: impl Iterator<Item = Merged<'a>>,
        mut seen: impl FnMut(Seen<'a>),
    ) -> Result<(), String> {
        for write in writes {
            let before = match write.stored {
                Some(stored) => self.db.insert(write.key, stored),
                None => self.db.remove(write.key),
            };
            seen(Seen {
                key: write.key,
                was_there: before.map_err(|e| e.to_string())?.is_some(),
                is_there: write.stored.is_some(),
                known: write.known,
            });
        }
        Ok(())
    }

    /// Records the counts that changed, and then the position reached.
    pub(super) fn reach(
        &self,
        position: u64,
        hash: &Hash,
        counts: impl Iterator<Item = (Kind, Count)>,
    ) -> Result<(), String> {
        for ((organization, kind), count) in counts {
            let mut key = [0; 5];
            key[..4].copy_from_slice(&organization.to_be_bytes());
            key[4] = kind;
            let mut value = [0; 20];
            value[..8].copy_from_slice(&count.records.to_be_bytes());
            value[8..16].copy_from_slice(&count.position.to_be_bytes());
            let crc = checksum(&key, &value[..16]);
            value[16..].copy_from_slice(&crc.to_le_bytes());
            let inserted = self.meta.insert(key, &value);
            inserted.map_err(|e| e.to_string())?;
        }
        let mut value = [0; 44];
        value[..8].copy_from_slice(&position.to_be_bytes());
        value[8..40].copy_from_slice(hash);
        let crc = checksum(POSITION_KEY, &value[..40]);
        value[40..].copy_from_slice(&crc.to_le_bytes());
        let inserted = self.meta.insert(POSITION_KEY, &value[..]);
        inserted.map(drop).map_err(|e| e.to_string())
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let found = guarded(key, || self.db.get(key))?;
        found.map(|stored| open_value(key, &stored)).transpose()
    }

    /// Whether a key is there.
    pub(super) fn contains(&self, key: &[u8]) -> Result<bool, StoreError> {
        guarded(key, || self.db.contains_key(key))
    }

    /// Up to `limit` records behind `after`, with their stored values, each proven.
    pub(super) fn slice(
        &self,
        after: &[u8],
        limit: usize,
    ) -> Result<Vec<(IVec, IVec)>, StoreError> {
        let from = Bound::Excluded(after);
        guarded(after, || {
            let range = self.db.range::<&[u8], _>((from, Bound::Unbounded));
            range.take(limit).collect::<sled::Result<Vec<_>>>()
        })?
        .into_iter()
        .map(|(key, stored)| match proven(&key, &stored) {
            Some(_) => Ok((key, stored)),
            None => Err(StoreError::unreadable(
                &key,
                "the value does not match its checksum",
            )),
        })
        .collect()
    }

    /// Records in the order of keys, or backwards.
    pub(super) fn scan(&self, from: Bound<Vec<u8>>, to: Bound<Vec<u8>>, reverse: bool) -> Scan {
        Scan {
            at: match &from {
                Bound::Included(key) | Bound::Excluded(key) => key.clone(),
                Bound::Unbounded => Vec::new(),
            },
            iter: Some(self.db.range::<Vec<u8>, _>((from, to))),
            reverse,
        }
    }

    /// Makes everything written so far durable: sled's own flush leaves it to the page cache.
    pub(super) fn sync(&self) -> Result<(), String> {
        self.db.flush().map_err(|e| e.to_string())?;
        let file = self.path.join("db");
        let synced = File::open(&file).and_then(|f| f.sync_data());
        synced.map_err(|e| format!("cannot sync {}: {e}", file.display()))
    }
}

/// An iterator over records. Ends after the first error.
pub(super) struct Scan {
    iter: Option<sled::Iter>,
    /// The last key seen, to say where an error happened.
    at: Vec<u8>,
    reverse: bool,
}

impl Iterator for Scan {
    type Item = Result<Pair, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let iter = self.iter.as_mut()?;
        let step = guarded(&self.at, || {
            let item = if self.reverse {
                iter.next_back()
            } else {
                iter.next()
            };
            item.transpose()
        });
        let item = match step {
            Ok(None) => None,
            Ok(Some((key, stored))) => {
                self.at.clear();
                self.at.extend_from_slice(&key);
                Some(open_value(&key, &stored).map(|value| (key.to_vec(), value)))
            }
            Err(e) => Some(Err(e)),
        };
        if !matches!(item, Some(Ok(_))) {
            self.iter = None;
        }
        item
    }
}

/// The bounds of all keys that begin with `prefix`.
pub(super) fn prefix_bounds(prefix: &[u8]) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
    let mut end = prefix.to_vec();
    while end.pop_if(|last| *last == u8::MAX).is_some() {}
    let to = match end.last_mut() {
        Some(last) => {
            *last += 1;
            Bound::Excluded(end)
        }
        None => Bound::Unbounded,
    };
    (Bound::Included(prefix.to_vec()), to)
}

fn open_value(key: &[u8], stored: &[u8]) -> Result<Vec<u8>, StoreError> {
    proven(key, stored)
        .map(<[u8]>::to_vec)
        .ok_or_else(|| StoreError::unreadable(key, "the value does not match its checksum"))
}

fn parse_count(key: &[u8], stored: &[u8]) -> Option<(Kind, Count)> {
    let value: &[u8; 16] = proven(key, stored)?.try_into().ok()?;
    let key: &[u8; 5] = key.try_into().ok()?;
    let count = Count {
        records: u64::from_be_bytes(value[..8].try_into().ok()?),
        position: u64::from_be_bytes(value[8..].try_into().ok()?),
    };
    Some((super::record::kind_of(key), count))
}

/// Runs a read of sled, which may panic over damaged files.
fn guarded<T>(key: &[u8], read: impl FnOnce() -> sled::Result<T>) -> Result<T, StoreError> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(e)) => Err(StoreError::unreadable(key, &e.to_string())),
        Err(_) => Err(StoreError::unreadable(key, "reading it panicked")),
    }
}
