//! The format of the records, and bringing a store of an earlier one forward before it is used.
//!
//! ```text
//! header of log and snapshots (engine/format) ── newer than ours ─> refused, nothing is touched
//! `D` ── none: format 1 ── older than ours ─> snapshot kept aside ─> headers say the new format
//!          └─> step by step, a batch and its place in `D` by one commit ─> `D`: the new format ─> the store is open
//! ```
//!
//! A migration is ordinary commits, so what holds for them holds for it: killed at any moment, the next start goes on behind
//! the last batch that is durable. From the first of them on the log says the new format, so that an earlier version refuses
//! a store that is half in the one and half in the other.

use std::{
    ops::Bound,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    codec,
    engine::{
        Engine, EngineOptions, FORMAT, FORMAT_FIRST, OpenError, StoreError, Teller, Transaction,
        Work, try_on_copy,
    },
    keys,
    migrations::{Op, STEPS, Step},
    prefix_end,
};
use crate::model::{Millis, OrgId};

/// Records looked at between two commits.
const BATCH: usize = 500;

/// What the store says of its format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct FormatRecord {
    /// The format of all records, but for what a step under way has done.
    format: u32,
    /// The version of Trunkline that wrote this.
    written_by: String,
    /// When.
    since_ms: Millis,
    /// The step under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    step: Option<Place>,
}

/// How far a step is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    /// The format that it leads to.
    to: u32,
    /// The last record that it looked at.
    after: Vec<u8>,
    /// Records that it looked at.
    records: u64,
    /// How many of them it changed.
    changed: u64,
}

/// What bringing a store forward did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MigrationReport {
    /// The format that it had.
    pub from: u32,
    /// The format that it has.
    pub to: u32,
    /// The steps on the way; none where it was up to date.
    pub steps: Vec<StepReport>,
    /// The snapshot of the old format; none where none was needed, or it was kept by an earlier start.
    pub kept: Option<PathBuf>,
}

/// What one step did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepReport {
    /// The format that records had.
    pub from: u32,
    /// The format that they got.
    pub to: u32,
    /// What changed.
    pub words: String,
    /// Records looked at.
    pub records: u64,
    /// Records changed.
    pub changed: u64,
}

/// Brings a store that no daemon has open to the format of this version. Blocks.
///
/// # Errors
/// As opening it.
pub fn migrate(path: &Path, options: EngineOptions) -> Result<MigrationReport, OpenError> {
    let teller = options.teller.clone();
    let (engine, _) = Engine::open(path, options)?;
    let report = settle(&engine, path, &teller, &STEPS);
    engine.close();
    report
}

/// The same on a copy in `scratch`, an empty folder: what it would do. The store is only read.
///
/// # Errors
/// As opening it.
pub fn try_migration(
    path: &Path,
    scratch: &Path,
    options: EngineOptions,
) -> Result<MigrationReport, OpenError> {
    try_on_copy(path, scratch, |copy| {
        let report = migrate(copy, options)?;
        Ok(MigrationReport {
            kept: None,
            ..report
        })
    })
}

/// Brings an open store to the newest format, where it is of an older one, and notes it. Blocks; not to be called where
/// futures run.
pub(super) fn settle(
    engine: &Engine,
    path: &Path,
    teller: &Teller,
    steps: &[Step],
) -> Result<MigrationReport, OpenError> {
    refuse_unreleased(engine, path)?;
    let newest = steps.last().map_or(FORMAT, |step| step.to);
    let saved = saved(engine)?;
    let mut record = saved.clone().unwrap_or_else(|| {
        let is_new = engine.position().0 == 0;
        FormatRecord::of(if is_new { newest } else { FORMAT_FIRST })
    });
    let mut report = MigrationReport {
        from: record.format,
        to: newest,
        steps: Vec::new(),
        kept: None,
    };
    if record.format < newest {
        if engine.format() < newest {
            teller.tell(Work::KeepingOldFormat, 0, None);
            report.kept = Some(engine.keep_aside()?);
        }
        engine.raise_format();
        for step in steps.iter().filter(|step| step.from >= report.from) {
            report.steps.push(run(engine, teller, step, &mut record)?);
        }
        tracing::info!(
            event = "store_migrated",
            from = report.from,
            to = report.to,
            kept = report.kept.as_ref().map(|kept| kept.display().to_string()),
            "the store was migrated"
        );
    }
    engine.raise_format();
    if saved.is_none_or(|saved| saved.written_by != env!("CARGO_PKG_VERSION")) {
        let record = FormatRecord::of(record.format);
        commit(engine, |tx| record.save(tx))?;
    }
    engine.note_format(record.format);
    Ok(report)
}

fn saved(engine: &Engine) -> Result<Option<FormatRecord>, StoreError> {
    let key = keys::format();
    let bytes = engine.get(&key)?;
    bytes.map(|bytes| codec::decode(&key, &bytes)).transpose()
}

/// Refuses what was written before the first release.
fn refuse_unreleased(engine: &Engine, path: &Path) -> Result<(), OpenError> {
    let mut kinds = engine.kinds().into_iter();
    if kinds.any(|((_, kind), _)| kind == keys::MESSAGE_BY_PLACE) {
        let path = path.to_owned();
        return Err(OpenError::Older { path });
    }
    Ok(())
}

impl FormatRecord {
    fn of(format: u32) -> Self {
        Self {
            format,
            written_by: env!("CARGO_PKG_VERSION").to_owned(),
            since_ms: jiff::Timestamp::now().as_millisecond(),
            step: None,
        }
    }

    fn save(&self, tx: &mut Transaction<'_>) -> Result<(), StoreError> {
        tx.put(keys::format(), codec::encode(self))
    }
}

/// Runs one step from where it is to its end.
fn run(
    engine: &Engine,
    teller: &Teller,
    step: &Step,
    record: &mut FormatRecord,
) -> Result<StepReport, OpenError> {
    let work = Work::Migrating {
        from: step.from,
        to: step.to,
    };
    let concerned = |kind: &((u32, u8), u64)| step.kinds.contains(&kind.0.1);
    let kinds: Vec<_> = engine.kinds().into_iter().filter(concerned).collect();
    let total = kinds.iter().map(|(_, records)| records).sum();
    let begun = record.step.take().filter(|place| place.to == step.to);
    let mut place = begun.unwrap_or(Place {
        to: step.to,
        ..Place::default()
    });
    teller.tell(work, place.records, Some(total));
    for ((org, kind), _) in kinds {
        let prefix = keys::kind(OrgId(org), kind);
        while let Some(batch) = batch(engine, &prefix, &place.after)? {
            let mut ops = Vec::new();
            for (key, value) in &batch {
                let changes = (step.change)(key, value)?;
                place.changed += u64::from(!changes.is_empty());
                ops.extend(changes);
            }
            place.records += batch.len() as u64;
            place.after = batch
                .into_iter()
                .next_back()
                .map_or(prefix.clone(), |last| last.0);
            record.step = Some(place.clone());
            commit(engine, |tx| {
                ops.into_iter().try_for_each(|op| apply(tx, op))?;
                record.save(tx)
            })?;
            teller.tell(work, place.records, Some(total.max(place.records)));
        }
    }
    *record = FormatRecord::of(step.to);
    commit(engine, |tx| record.save(tx))?;
    Ok(StepReport {
        from: step.from,
        to: step.to,
        words: step.words.to_owned(),
        records: place.records,
        changed: place.changed,
    })
}

type Pair = (Vec<u8>, Vec<u8>);

/// The next records under a prefix, behind a key; none where there are no more.
fn batch(engine: &Engine, prefix: &[u8], after: &[u8]) -> Result<Option<Vec<Pair>>, StoreError> {
    let from = if after.starts_with(prefix) {
        Bound::Excluded(after.to_vec())
    } else if after > prefix {
        return Ok(None);
    } else {
        Bound::Included(prefix.to_vec())
    };
    let found = engine.scan((from, prefix_end(prefix)), false);
    let found: Vec<Pair> = found.take(BATCH).collect::<Result<_, _>>()?;
    Ok(Some(found).filter(|found| !found.is_empty()))
}

fn apply(tx: &mut Transaction<'_>, op: Op) -> Result<(), StoreError> {
    match op {
        Op::Put(key, value) => tx.put(key, value),
        Op::Delete(key) => tx.delete(key).map(drop),
    }
}

fn commit(
    engine: &Engine,
    plan: impl FnOnce(&mut Transaction<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    engine.transact(plan)?.wait().map(drop)
}
