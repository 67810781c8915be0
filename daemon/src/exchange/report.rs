//! What became of the lines of an import.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::store::Import;

/// Conflicts that are told one by one.
const CONFLICTS_TOLD: usize = 100;

/// How many records of a type came to what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Stored.
    pub new: u64,
    /// Here already, and left as they were.
    pub present: u64,
    /// Not stored, or not whole: each is a conflict.
    pub conflicts: u64,
    /// Files whose bytes are neither in the import nor here.
    pub without_bytes: u64,
}

/// A record that was not stored, or not whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Conflict {
    /// Its line.
    pub line: u64,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Its id, where it has one.
    pub id: String,
    /// Why.
    pub reason: String,
}

/// What an import did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ImportReport {
    /// Whether nothing was stored because nothing was to be.
    pub dry_run: bool,
    /// Whether the end line came: else the file was cut off.
    pub complete: bool,
    /// Lines read.
    pub lines: u64,
    /// What became of them, by type.
    pub counts: BTreeMap<&'static str, Tally>,
    /// The first conflicts.
    pub conflicts: Vec<Conflict>,
    /// How many there are in all.
    pub conflicts_total: u64,
}

/// A record on its way into the store.
pub(super) struct Waiting {
    pub(super) line: u64,
    pub(super) kind: &'static str,
    pub(super) id: String,
}

impl ImportReport {
    pub(super) fn tally(&mut self, kind: &'static str) -> &mut Tally {
        self.counts.entry(kind).or_default()
    }

    /// Notes what became of a record.
    pub(super) fn note(&mut self, waiting: &Waiting, outcome: Import) {
        let tally = self.tally(waiting.kind);
        let reason = match outcome {
            Import::New => {
                tally.new += 1;
                return;
            }
            Import::Present => {
                tally.present += 1;
                return;
            }
            Import::Partly(reason) => {
                tally.new += 1;
                reason
            }
            Import::Conflict(reason) => reason,
        };
        tally.conflicts += 1;
        self.conflicts_total += 1;
        if self.conflicts.len() < CONFLICTS_TOLD {
            self.conflicts.push(Conflict {
                line: waiting.line,
                kind: waiting.kind,
                id: waiting.id.clone(),
                reason,
            });
        }
    }
}
