//! Followers read the typed changes of all commits in order, from any position that is kept.
//!
//! They always read the log itself: what was just written lies in the page cache, and nothing has to be kept in
//! memory for one that lags.

use std::{collections::VecDeque, sync::Arc};

use tokio::sync::watch;

use super::{
    Position,
    error::StoreError,
    read::{LogReader, Stop},
    segment::Catalog,
};

/// A typed change of a commit. What kind and data mean is not the engine's business.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The kind, as the planner gave it.
    pub kind: u16,
    /// The data, as the planner gave it.
    pub data: Vec<u8>,
}

/// The changes of one commit, in the order in which its planner gave them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeBatch {
    /// The commit's position.
    pub position: Position,
    /// Its changes; may be empty.
    pub changes: Vec<Change>,
}

/// Further behind than this many commits, reading may have to wait for the disk.
const NEAR_COMMITS: u64 = 2048;
/// Commits read ahead at most, unless one frame holds more.
const AHEAD_COMMITS: usize = 1024;

/// Gives each commit once, in order, when it is durable and applied.
#[derive(Debug)]
pub struct Follower {
    position: watch::Receiver<u64>,
    catalog: Arc<Catalog>,
    /// None while it reads on another thread, or was dropped there.
    reader: Option<LogReader>,
    from: u64,
    ready: VecDeque<ChangeBatch>,
}

impl Follower {
    pub(super) fn new(position: watch::Receiver<u64>, catalog: Arc<Catalog>, from: u64) -> Self {
        // From the start means: from the start of what is kept.
        let kept = catalog.oldest().map_or(0, |s| s.first - 1);
        let from = if from == 0 { kept } else { from };
        Self {
            position,
            reader: Some(LogReader::new(Arc::clone(&catalog), from + 1)),
            catalog,
            from,
            ready: VecDeque::new(),
        }
    }

    /// The next commit. Waits for one where there is none. Safe to cancel: nothing is skipped.
    ///
    /// # Errors
    /// [`StoreError::Gone`] where the log no longer reaches back so far, [`StoreError::Damaged`] where it
    /// can't be read, [`StoreError::Closed`] when the engine has closed and all was given.
    pub async fn next(&mut self) -> Result<ChangeBatch, StoreError> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
                self.from = batch.position.0;
                return Ok(batch);
            }
            let newest = *self.position.borrow_and_update();
            if self.from >= newest {
                self.position
                    .changed()
                    .await
                    .map_err(|_| StoreError::Closed)?;
                continue;
            }
            self.read_ahead(newest).await?;
        }
    }

    /// The position of the commit given last.
    pub fn position(&self) -> Position {
        Position(self.from)
    }

    async fn read_ahead(&mut self, newest: u64) -> Result<(), StoreError> {
        let fresh = || LogReader::new(Arc::clone(&self.catalog), self.from + 1);
        let mut reader = match self.reader.take() {
            Some(reader) if reader.next_position() > self.from => reader,
            _ => fresh(),
        };
        let from = self.from;
        let read = if newest - from <= NEAR_COMMITS {
            let batches = read_changes(&mut reader, from, newest);
            (reader, batches)
        } else {
            let reading = tokio::task::spawn_blocking(move || {
                let batches = read_changes(&mut reader, from, newest);
                (reader, batches)
            });
            reading.await.map_err(|_| StoreError::Closed)?
        };
        let (reader, batches) = read;
        self.ready = batches.map_err(|stop| self.explain(stop))?;
        self.reader = Some(reader);
        Ok(())
    }

    /// The position before the next segment; the newest where there is none.
    fn resume(&self) -> u64 {
        let segments = self.catalog.all();
        let next = segments
            .iter()
            .map(|s| s.first)
            .find(|first| *first > self.from + 1);
        next.map_or_else(|| *self.position.borrow(), |first| first - 1)
    }

    fn explain(&self, stop: Stop) -> StoreError {
        match self.catalog.oldest() {
            Some(oldest) if oldest.first > self.from + 1 => StoreError::Gone {
                from: self.from,
                kept: oldest.first - 1,
            },
            _ => StoreError::Damaged {
                what: stop.words(),
                resume: self.resume(),
                file: stop.file,
                offset: stop.offset,
            },
        }
    }
}

fn read_changes(
    reader: &mut LogReader,
    from: u64,
    newest: u64,
) -> Result<VecDeque<ChangeBatch>, Stop> {
    let mut batches = VecDeque::new();
    while reader.next_position() <= newest && batches.len() < AHEAD_COMMITS {
        for (position, record) in reader.read()?.commits() {
            if position <= from {
                continue;
            }
            let changes = record.changes().map(|(kind, data)| Change {
                kind,
                data: data.to_vec(),
            });
            batches.push_back(ChangeBatch {
                position: Position(position),
                changes: changes.collect(),
            });
        }
    }
    Ok(batches)
}
