//! Exports: one point in time of everything, written wherever its receiver wants, while commits go on.
//!
//! ```text
//! scan of the index ─┐                          the moment
//! commits: ──────────┴── made during the scan ──────┘
//!          └ what followers have not saved yet ┘
//! ```
//!
//! The records of the scan and the frames of the commits made during it are a snapshot of the moment of its end, in
//! the form of the files in `snapshots/`. Behind it comes a segment with the part of the log that followers still
//! need at that moment, so that they go on in a copy as they would have here. Both are read as they are written
//! out: nothing of them is kept in memory or on disk twice. Commits are held up by one slice of the scan at most,
//! however slow the receiver is; the log that is needed is pinned until the end.

use std::{
    io::{self, Write},
    sync::Arc,
};

use thiserror::Error;

use super::{
    care::Order,
    error::StoreError,
    frame::{Frame, Hash, padded},
    index::Reached,
    read::{LogReader, Stop},
    segment::Segment,
    shared::Shared,
    snapshot::{self, SnapshotStream},
    sweep::{self, Verdict, Who},
};

/// Why an export ended early.
#[derive(Debug, Error)]
pub enum ExportError {
    /// It could not be written.
    #[error(transparent)]
    Sink(#[from] io::Error),
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The moment that an export is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// The newest commit in it.
    pub position: u64,
    /// The log goes along from behind this commit on.
    pub log_from: u64,
    /// Records that were scanned.
    pub records: u64,
    /// How many records there are: organization, kind, count.
    pub counts: Vec<(u32, u8, u64)>,
}

/// An export under way.
#[derive(Debug)]
pub struct Export {
    shared: Arc<Shared>,
    begin: Reached,
}

impl Export {
    pub(super) fn begin(shared: &Arc<Shared>) -> Option<Self> {
        {
            let mut pinned = shared.pinned.lock();
            if pinned.is_some() {
                return None;
            }
            *pinned = Some(0);
        }
        let begin = sweep::begin(shared, Who::Export);
        // Followers only go on, so what they need now is enough for what they need at the end.
        let needed = followed(shared).unwrap_or(u64::MAX).min(begin.position);
        *shared.pinned.lock() = Some(needed);
        Some(Self {
            shared: Arc::clone(shared),
            begin,
        })
    }

    /// The commit at which it began: everything up to there is in it.
    pub fn began_at(&self) -> u64 {
        self.begin.position
    }

    /// Writes the snapshot. Blocks for as long as that takes; commits do not.
    pub fn snapshot(&mut self, out: impl Write) -> Result<Moment, ExportError> {
        let mut stream = SnapshotStream::begin(
            out,
            self.shared.catalog.format(),
            self.begin.position,
            &self.begin.hash,
        )?;
        let followed = || followed(&self.shared);
        let (reached, needed) = fill_noting(
            &self.shared,
            Who::Export,
            &self.begin,
            &mut stream,
            followed,
        )?;
        let (_, records, _) = stream.finish(&reached)?;
        let oldest = self.shared.catalog.oldest().map_or(0, |s| s.first - 1);
        let needed = needed.unwrap_or(reached.position).max(oldest);
        let counts = reached.counts.iter();
        let mut counts: Vec<_> = counts.map(|((o, k), c)| (*o, *k, c.records)).collect();
        counts.sort_unstable();
        Ok(Moment {
            position: reached.position,
            log_from: needed.min(reached.position),
            records,
            counts,
        })
    }

    /// Writes the segment with the log behind `moment.log_from` up to the moment; nothing where that is empty.
    pub fn log(&self, moment: &Moment, mut out: impl Write) -> Result<(), ExportError> {
        let mut begun = false;
        each_frame(&self.shared, moment.log_from, moment.position, |frame| {
            if !begun {
                let segment = first_segment(
                    self.shared.catalog.format(),
                    frame.header.first,
                    frame.header.before,
                );
                out.write_all(&segment.header())?;
                begun = true;
            }
            let padding = [0; 8];
            out.write_all(frame.bytes())?;
            out.write_all(&padding[..padded(frame.bytes().len()) - frame.bytes().len()])
        })
    }
}

impl Drop for Export {
    fn drop(&mut self) {
        sweep::end(&self.shared, Who::Export);
        *self.shared.pinned.lock() = None;
    }
}

fn first_segment(format: u32, first: u64, before: Hash) -> Segment {
    Segment {
        number: 1,
        format,
        first,
        generation: 1,
        before,
    }
}

/// The commit behind which followers still need the log.
fn followed(shared: &Shared) -> Option<u64> {
    shared.retained.lock().values().copied().min()
}

/// Writes all records and the frames that make them one moment, which is given.
pub(super) fn fill<W: Write>(
    shared: &Shared,
    who: Who,
    begin: &Reached,
    stream: &mut SnapshotStream<W>,
) -> Result<Reached, ExportError> {
    fill_noting(shared, who, begin, stream, || ()).map(|(reached, ())| reached)
}

/// The same; `note` is asked over and over, and its last answer from before the moment is given too.
fn fill_noting<W: Write, N>(
    shared: &Shared,
    who: Who,
    begin: &Reached,
    stream: &mut SnapshotStream<W>,
    note: impl Fn() -> N,
) -> Result<(Reached, N), ExportError> {
    // The last slice is handed on when the moment is fixed, so what was noted then is too new.
    let (mut noted, mut newer) = (note(), note());
    let swept = sweep::run(shared, who, None, |records| {
        let written = stream.records(
            records
                .iter()
                .map(|(key, stored)| (key.as_ref(), stored.as_ref())),
        );
        noted = std::mem::replace(&mut newer, note());
        written
    });
    let reached = match swept? {
        Verdict::Sound(reached) => reached,
        Verdict::Unsound(why) => {
            shared.order(Order::Mend(why.clone()));
            let words = format!("the index is damaged and is built anew: {why}; try again later");
            return Err(StoreError::Failed(words).into());
        }
        Verdict::Unfinished | Verdict::Abandoned => return Err(StoreError::Closed.into()),
    };
    each_frame(shared, begin.position, reached.position, |frame| {
        stream.frame(frame)
    })?;
    Ok((reached, noted))
}

/// Gives every frame behind one commit up to another.
fn each_frame(
    shared: &Shared,
    behind: u64,
    until: u64,
    mut take: impl FnMut(&Frame<'_>) -> io::Result<()>,
) -> Result<(), ExportError> {
    let mut reader = LogReader::new(Arc::clone(&shared.catalog), behind + 1);
    while reader.next_position() <= until {
        let frame = reader.read().map_err(|stop| unreadable(&stop))?;
        take(&frame)?;
    }
    Ok(())
}

fn unreadable(stop: &Stop) -> StoreError {
    let file = stop.file.display();
    StoreError::Failed(format!("cannot read {file}: {}", stop.words()))
}

/// Where a copy of a store is put together from an export: the files that its parts belong into.
#[derive(Debug)]
pub struct Receiver;

impl Receiver {
    /// The file for the snapshot of a moment, below the copy's folder.
    pub fn snapshot(copy: &std::path::Path, position: u64) -> std::path::PathBuf {
        snapshot::folder_of(copy).join(snapshot::name_at(position))
    }

    /// The file for the log.
    pub fn log(copy: &std::path::Path) -> std::path::PathBuf {
        copy.join("log").join("000000000001.log")
    }
}
