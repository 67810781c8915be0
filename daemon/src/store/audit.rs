//! The audit: only ever appended to, each entry chained to the one before by a hash.
//!
//! ```text
//! A | sequence  ─>  hash | entry        hash = SHA-256(hash of the entry before | key | entry)
//! A | 0         ─>  hash | sequence     of the last entry that ended with its time: where the chain begins
//! ```
//!
//! Whoever changes, inserts or removes an entry has to write all after it anew; whoever noted a hash elsewhere sees
//! that. Organization 0 has what concerns the installation.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    Page, Store, codec,
    engine::{StoreError, Transaction},
    keys,
};
use crate::model::{AuditEntry, Millis, OrgId};

/// Bytes of a hash.
const HASH: usize = 32;
/// Entries ended in one step.
const SWEEP_STEP: usize = 500;
/// Entries looked at for one page: a filter that few pass gives short pages.
const LOOKED_AT_MAX: usize = 20_000;

/// An entry with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Audited {
    /// Its place, from 1.
    pub sequence: u64,
    /// Its hash, which those after it are chained to.
    pub hash: [u8; HASH],
    /// What it says.
    pub entry: AuditEntry,
}

/// What walking a chain found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainReport {
    /// Entries that are sound.
    pub entries: u64,
    /// Place and hash of the newest sound one.
    pub head: Option<(u64, [u8; HASH])>,
    /// Where it breaks, and how.
    pub broken: Option<(u64, String)>,
}

/// Which entries are wanted.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// By an actor whose words hold this.
    pub actor: Option<String>,
    /// With this action; one that ends with a dot means all that begin so.
    pub action: Option<String>,
    /// Not before this time.
    pub since_ms: Option<Millis>,
}

impl AuditFilter {
    fn passes(&self, entry: &AuditEntry) -> bool {
        let actor = |wanted: &String| entry.actor.words().contains(wanted.as_str());
        let action = |wanted: &String| {
            entry.action == *wanted
                || (wanted.ends_with('.') && entry.action.starts_with(wanted.as_str()))
        };
        self.actor.as_ref().is_none_or(actor) && self.action.as_ref().is_none_or(action)
    }
}

#[derive(Serialize, Deserialize)]
struct Anchor {
    sequence: u64,
    hash: [u8; HASH],
}

impl Store {
    /// Appends an entry; durable when this returns.
    pub async fn audit(&self, org: OrgId, entry: &AuditEntry) -> Result<(), StoreError> {
        let pending = self.engine.transact(|tx| append(tx, org, entry))?;
        pending.await?;
        Ok(())
    }

    /// Entries of one organization, newest first, those before `before` where given.
    pub fn audited(
        &self,
        org: OrgId,
        filter: &AuditFilter,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Page<Audited, u64>, StoreError> {
        let prefix = keys::kind(org, keys::AUDIT);
        let end = before.map_or(super::prefix_end(&prefix), |before| {
            std::ops::Bound::Excluded(keys::audit(org, before))
        });
        let from = std::ops::Bound::Included(keys::audit(org, 1));
        let mut page = Page::default();
        let mut last = None;
        for (looked_at, item) in self.engine.scan((from, end), true).enumerate() {
            if page.items.len() == limit || looked_at == LOOKED_AT_MAX {
                page.next = last;
                break;
            }
            let (key, bytes) = item?;
            let found = read(&key, &bytes)?;
            if filter
                .since_ms
                .is_some_and(|since| found.entry.at_ms < since)
            {
                break;
            }
            last = Some(found.sequence);
            page.items
                .extend(Some(found).filter(|found| filter.passes(&found.entry)));
        }
        Ok(page)
    }

    /// Walks the chain of one organization from its beginning.
    pub fn verify_audit(&self, org: OrgId) -> Result<ChainReport, StoreError> {
        let prefix = keys::kind(org, keys::AUDIT);
        let mut report = ChainReport {
            entries: 0,
            head: None,
            broken: None,
        };
        let (mut sequence, mut before) = (0, [0; HASH]);
        for item in self.scan_prefix(&prefix, None, false) {
            let (key, bytes) = item?;
            let found = place(&key);
            if found == 0 {
                let anchor: Anchor = codec::decode(&key, &bytes)?;
                (sequence, before) = (anchor.sequence, anchor.hash);
                continue;
            }
            if found != sequence + 1 {
                // Old entries may have been ended while this walks: where does the chain begin now?
                let (anchor, is_there) = self.audit_now(org, &key)?;
                if !is_there {
                    continue;
                }
                if let Some(anchor) = anchor.filter(|anchor| anchor.sequence > sequence) {
                    (sequence, before) = (anchor.sequence, anchor.hash);
                }
            }
            if found <= sequence {
                let words = format!("the chain begins after it, at {}", sequence + 1);
                report.broken = Some((found, words));
                break;
            }
            if found != sequence + 1 {
                let words = format!("entries {} to {} are missing", sequence + 1, found - 1);
                report.broken = Some((sequence + 1, words));
                break;
            }
            let hash = bytes.first_chunk::<HASH>().copied();
            let right = bytes.get(HASH..).map(|entry| chained(&before, &key, entry));
            if hash.is_none() || hash != right {
                let words = "the entry is not the one that was written".to_owned();
                report.broken = Some((found, words));
                break;
            }
            (sequence, before) = (found, hash.unwrap_or_default());
            report.entries += 1;
            report.head = Some((sequence, before));
        }
        Ok(report)
    }

    /// Where the chain of an organization begins after all commits so far, and whether an entry is there still.
    fn audit_now(&self, org: OrgId, key: &[u8]) -> Result<(Option<Anchor>, bool), StoreError> {
        let anchor_key = keys::audit(org, 0);
        let seen = self.engine.transact(|tx| {
            let bytes = tx.get(&anchor_key)?;
            let anchor = bytes.map(|bytes| codec::decode::<Anchor>(&anchor_key, &bytes));
            Ok::<_, StoreError>((anchor.transpose()?, tx.contains(key)?))
        })?;
        Ok(seen.planned())
    }

    /// Ends entries older than a time, the oldest first; where the chain begins then is kept. Gives how many.
    pub async fn sweep_audit(&self, org: OrgId, before_ms: Millis) -> Result<usize, StoreError> {
        let pending = self.engine.transact(|tx| {
            let mut ended = 0;
            for (key, bytes) in tx.scan(&keys::kind(org, keys::AUDIT), SWEEP_STEP)? {
                if place(&key) == 0 {
                    continue;
                }
                let found = read(&key, &bytes)?;
                if found.entry.at_ms >= before_ms {
                    break;
                }
                let anchor = Anchor {
                    sequence: found.sequence,
                    hash: found.hash,
                };
                tx.put(keys::audit(org, 0), codec::encode(&anchor))?;
                tx.remove(&key);
                ended += 1;
            }
            Ok::<_, StoreError>(ended)
        })?;
        Ok(pending.await?.0)
    }

    /// How many entries are older than a time.
    pub fn count_audit(&self, org: OrgId, before_ms: Millis) -> Result<u64, StoreError> {
        let mut count = 0;
        for item in self.scan_prefix(&keys::kind(org, keys::AUDIT), None, false) {
            let (key, bytes) = item?;
            if place(&key) == 0 {
                continue;
            }
            if read(&key, &bytes)?.entry.at_ms >= before_ms {
                break;
            }
            count += 1;
        }
        Ok(count)
    }
}

/// Appends an entry in the transaction of what it tells.
pub(super) fn append(
    tx: &mut Transaction<'_>,
    org: OrgId,
    entry: &AuditEntry,
) -> Result<(), StoreError> {
    let newest = tx.last_in(&keys::kind(org, keys::AUDIT))?;
    let (sequence, before) = match newest {
        None => (0, [0; HASH]),
        Some((key, bytes)) if place(&key) == 0 => {
            let anchor: Anchor = codec::decode(&key, &bytes)?;
            (anchor.sequence, anchor.hash)
        }
        Some((key, bytes)) => {
            let found = read(&key, &bytes)?;
            (found.sequence, found.hash)
        }
    };
    let key = keys::audit(org, sequence + 1);
    let entry = codec::encode(entry);
    let hash = chained(&before, &key, &entry);
    tx.insert(&key, [&hash[..], &entry].concat());
    Ok(())
}

fn chained(before: &[u8; HASH], key: &[u8], entry: &[u8]) -> [u8; HASH] {
    let hasher = Sha256::new_with_prefix(before);
    hasher
        .chain_update(key)
        .chain_update(entry)
        .finalize()
        .into()
}

fn place(key: &[u8]) -> u64 {
    let place = key.last_chunk::<8>().copied();
    place.map_or(0, u64::from_be_bytes)
}

fn read(key: &[u8], bytes: &[u8]) -> Result<Audited, StoreError> {
    let (hash, entry) = bytes
        .split_first_chunk::<HASH>()
        .ok_or_else(|| StoreError::unreadable(key, "the entry is cut short"))?;
    Ok(Audited {
        sequence: place(key),
        hash: *hash,
        entry: codec::decode(key, entry)?,
    })
}
