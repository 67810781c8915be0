//! A look at every record of a store that nobody has open: each is proved, and all together have a digest, by which
//! two stores are known to hold the same.

use std::{collections::BTreeMap, path::Path};

use data_encoding::HEXLOWER;
use ring::digest::{Context, SHA256};

use super::{
    super::{
        Store, codec,
        engine::{EngineOptions, OpenError, StoreError},
        keys,
    },
    read::Progress,
};
use crate::model::{MediaHash, WebhookEvent};

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// The newest commit.
    pub position: u64,
    /// All records.
    pub records: u64,
    /// SHA-256 over all keys and values in the order of keys, lower-case hex. What a restore notes of itself is
    /// left out.
    pub digest: String,
    /// The same for each kind of record.
    pub kinds: Vec<KindDigest>,
    /// Files that records name.
    pub files: u64,
    /// Those of them that are not there or have another size, below the store's folder.
    pub files_missing: Vec<String>,
    /// What opening the store had to do, where it did something.
    pub mended: Option<String>,
}

/// The records of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KindDigest {
    /// The kind's letter.
    pub kind: char,
    /// How many there are, over all organizations.
    pub records: u64,
    /// SHA-256 over their keys and values in the order of keys, lower-case hex.
    pub digest: String,
}

/// Opens a store, looks at every record and closes it again. Blocks. `progress` is told the records passed.
///
/// # Errors
/// Those of opening; a record that does not match its checksum, or a kind that has another number of records than it
/// should.
pub fn inspect(
    path: &Path,
    options: EngineOptions,
    progress: Progress<'_>,
) -> Result<Inspection, OpenError> {
    let (store, report) = Store::open(path, options)?;
    let looked = store.look(progress);
    let inspection = looked.map(|found| Inspection {
        mended: report.rebuilt.or(report.salvaged),
        ..found
    });
    store.engine().clone().close();
    Ok(inspection?)
}

struct Kind {
    records: u64,
    hasher: Context,
}

impl Store {
    fn look(&self, progress: Progress<'_>) -> Result<Inspection, StoreError> {
        let mut all = Context::new(&SHA256);
        let mut kinds: BTreeMap<u8, Kind> = BTreeMap::new();
        let mut counts: BTreeMap<(u32, u8), u64> = BTreeMap::new();
        let mut files = Files::default();
        let mut records = 0;
        for entry in self.engine.scan(.., false) {
            let (key, value) = entry?;
            let kind = *key.get(4).unwrap_or(&0);
            let org = key.first_chunk::<4>().map_or(0, |o| u32::from_be_bytes(*o));
            *counts.entry((org, kind)).or_default() += 1;
            let entry = kinds.entry(kind).or_insert_with(|| Kind {
                records: 0,
                hasher: Context::new(&SHA256),
            });
            entry.records += 1;
            feed(&mut entry.hasher, &key, &value);
            if kind != keys::RESTORATION {
                feed(&mut all, &key, &value);
            }
            files.look(self, &key, kind, &value)?;
            records += 1;
            progress(records);
        }
        for ((org, kind), found) in &counts {
            let counted = self.engine.count(*org, *kind);
            if counted != *found {
                let words = format!(
                    "organization {org} should have {counted} records of kind {:?}, found {found}",
                    char::from(*kind)
                );
                return Err(StoreError::Failed(words));
            }
        }
        let hex = |hasher: Context| HEXLOWER.encode(hasher.finish().as_ref());
        let kinds = kinds.into_iter().map(|(kind, found)| KindDigest {
            kind: char::from(kind),
            records: found.records,
            digest: hex(found.hasher),
        });
        Ok(Inspection {
            position: self.engine.position().0,
            records,
            digest: hex(all),
            kinds: kinds.collect(),
            files: files.named,
            files_missing: files.missing,
            mended: None,
        })
    }
}

impl Store {
    /// The files that records name and that are not there, or have another size.
    pub(super) fn files_missing(&self) -> Result<Vec<String>, StoreError> {
        let mut files = Files::default();
        for (_, org) in self.organizations() {
            for kind in [keys::MEDIA, keys::EVENT] {
                for entry in self.scan_prefix(&keys::kind(org, kind), None, false) {
                    let (key, value) = entry?;
                    files.look(self, &key, kind, &value)?;
                }
            }
        }
        Ok(files.missing)
    }
}

fn feed(hasher: &mut Context, key: &[u8], value: &[u8]) {
    for part in [key, value] {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
}

/// The files that records name.
#[derive(Default)]
struct Files {
    named: u64,
    missing: Vec<String>,
}

impl Files {
    fn look(
        &mut self,
        store: &Store,
        key: &[u8],
        kind: u8,
        value: &[u8],
    ) -> Result<(), StoreError> {
        let (name, found) = match kind {
            keys::MEDIA => {
                let Some(hash) = key.last_chunk::<32>().map(|hash| MediaHash::new(*hash)) else {
                    return Ok(());
                };
                let record: crate::model::MediaRecord = codec::decode(key, value)?;
                let found = store.media_files.open(&hash, record.size).is_ok();
                (format!("media/{hash}"), found)
            }
            keys::EVENT => {
                let event: WebhookEvent = codec::decode(key, value)?;
                let Some(name) = event.raw_file else {
                    return Ok(());
                };
                let found = store.files.open(&name).is_ok();
                (format!("bodies/{name}"), found)
            }
            _ => return Ok(()),
        };
        self.named += 1;
        if !found {
            self.missing.push(name);
        }
        Ok(())
    }
}
