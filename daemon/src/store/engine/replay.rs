//! Applies the log to an index, and decides what it means where the log can't be read further.
//!
//! A bad frame behind everything known to have been durable is an unfinished write and is cut off. Anything
//! else is damage. What is known to have been durable: the checkpoint, the position of the index (it is never ahead of
//! the durable log), what sound frames and segment headers say.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    error::OpenError,
    frame::{ALIGNMENT, Frame, HEADER_BYTES, Hash, Header},
    index::{Count, Index, Kind, Reached},
    layer::Merged,
    read::{LogReader, Stop, StopReason},
    record::{WriteKind, kind_of},
    segment::Catalog,
};

/// Commits applied between two notes of how far it is.
const NOTE_COMMITS: u64 = 16_384;

/// Where the log ended.
#[derive(Debug)]
pub(super) struct Replayed {
    /// How far the index is now.
    pub(super) reached: Reached,
    pub(super) commits: u64,
    /// Where the readable log ends, if not at the end of its last segment.
    pub(super) end: Option<Stop>,
}

/// Damage: acknowledged commits that can't be read.
#[derive(Debug)]
pub(super) struct Damage {
    pub(super) stop: Stop,
    /// The first commit that can't be read.
    pub(super) lost_from: u64,
    /// The newest commit known to have been durable.
    pub(super) lost_to: u64,
}

impl Damage {
    pub(super) fn into_error(self) -> OpenError {
        match self.stop.what {
            StopReason::Io(source) => OpenError::Io {
                action: "read",
                path: self.stop.file,
                source,
            },
            _ => OpenError::LogDamaged {
                what: self.stop.words(),
                file: self.stop.file,
                offset: self.stop.offset,
                lost_from: self.lost_from,
                lost_to: self.lost_to,
            },
        }
    }
}

/// Why a replay did not come to the end.
#[derive(Debug)]
pub(super) enum ReplayError {
    /// The index is not one of this log, or refused to be written.
    Index(String),
    /// The log can't be read.
    Log(Box<Damage>),
}

/// How counts are brought up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counting {
    /// By what planners said, as the index may already hold some of what is applied again.
    AsPlanned,
    /// By what was found: the index was filled just now.
    AsFound,
}

/// One replay.
pub(super) struct Replay<'a> {
    pub(super) index: &'a Index,
    pub(super) catalog: &'a Arc<Catalog>,
    pub(super) counting: Counting,
    /// The newest commit known to have been durable before the log is read.
    pub(super) durable: u64,
    /// Told now and then how far it is.
    pub(super) progress: &'a dyn Fn(u64),
}

impl Replay<'_> {
    /// Applies everything behind `from`, whose frame has `hash`. `counts` may be ahead of `from`.
    pub(super) fn run(
        &self,
        from: u64,
        hash: Hash,
        counts: HashMap<Kind, Count>,
    ) -> Result<Replayed, ReplayError> {
        let mut reached = Reached {
            position: from,
            hash,
            counts,
        };
        let mut reader = LogReader::new(Arc::clone(self.catalog), from + 1);
        match reader.seek() {
            Ok(before) if before == hash => {}
            Ok(_) => return Err(ReplayError::Index("it belongs to another log".to_owned())),
            Err(stop) => return self.ended(stop, reached, 0),
        }
        self.note(&reached)?;
        let (mut commits, mut noted) = (0, 0);
        let stop = loop {
            let frame = match reader.read() {
                Ok(frame) => frame,
                Err(stop) => break stop,
            };
            self.apply(&frame, &mut reached)
                .map_err(ReplayError::Index)?;
            commits += u64::from(frame.header.commits);
            if commits - noted >= NOTE_COMMITS {
                noted = commits;
                self.note(&reached)?;
                (self.progress)(reached.position);
            }
        };
        self.note(&reached)?;
        self.ended(stop, reached, commits)
    }

    fn note(&self, reached: &Reached) -> Result<(), ReplayError> {
        let counts = reached.counts.iter().map(|(kind, count)| (*kind, *count));
        let noted = self.index.reach(reached.position, &reached.hash, counts);
        noted.map_err(ReplayError::Index)
    }

    fn apply(&self, frame: &Frame<'_>, reached: &mut Reached) -> Result<(), String> {
        let last = frame.last();
        for (position, record) in frame.commits() {
            if position <= reached.position {
                continue;
            }
            for write in record.writes() {
                let merged = Merged {
                    key: write.key,
                    stored: (write.kind != WriteKind::Delete).then_some(write.stored),
                    known: write.kind != WriteKind::Insert,
                };
                let count = reached.counts.entry(kind_of(write.key)).or_default();
                self.index.write(std::iter::once(merged), |seen| {
                    let delta = match self.counting {
                        Counting::AsPlanned if count.position >= last => 0,
                        Counting::AsPlanned => write.kind.delta(),
                        Counting::AsFound => i64::from(seen.is_there) - i64::from(seen.was_there),
                    };
                    count.records = count.records.saturating_add_signed(delta);
                })?;
            }
        }
        // Only now, since all commits of a frame count together.
        for (_, record) in frame.commits() {
            for write in record.writes() {
                let count = reached.counts.entry(kind_of(write.key)).or_default();
                count.position = count.position.max(last);
            }
        }
        reached.position = last;
        reached.hash = frame.hash();
        Ok(())
    }

    /// Decides what the end of the readable log is.
    fn ended(&self, stop: Stop, reached: Reached, commits: u64) -> Result<Replayed, ReplayError> {
        let next = reached.position + 1;
        let later = self.catalog.all().iter().map(|s| s.first - 1).max();
        let mut durable = self.durable.max(later.unwrap_or(0));
        if durable < next && !matches!(stop.what, StopReason::Io(_) | StopReason::Missing) {
            match later_frame(&stop.file, stop.offset, next) {
                Ok(Some(later)) => durable = durable.max(later),
                Ok(None) => {}
                Err(error) => {
                    let stop = Stop {
                        what: StopReason::Io(error),
                        ..stop
                    };
                    return Err(self.damage(stop, next, durable));
                }
            }
        }
        if durable >= next || matches!(stop.what, StopReason::Io(_)) {
            return Err(self.damage(stop, next, durable));
        }
        let end = (!matches!(stop.what, StopReason::Missing)).then_some(stop);
        Ok(Replayed {
            reached,
            commits,
            end,
        })
    }

    #[expect(clippy::unused_self, reason = "reads as a step of the replay")]
    fn damage(&self, stop: Stop, lost_from: u64, lost_to: u64) -> ReplayError {
        ReplayError::Log(Box::new(Damage {
            stop,
            lost_from,
            lost_to,
        }))
    }
}

/// Looks behind a bad frame for a sound one that follows it: the newest commit that it proves durable.
fn later_frame(file: &Path, bad: u64, next: u64) -> io::Result<Option<u64>> {
    let mut bytes = Vec::new();
    let mut open = File::open(file)?;
    open.seek(SeekFrom::Start(bad))?;
    open.read_to_end(&mut bytes)?;
    // Within the bad frame's own length, what looks like a frame may be a value somebody sent.
    let skip = Header::parse(&bytes).map_or(ALIGNMENT, |h| h.frame_bytes());
    let mut at = skip.next_multiple_of(ALIGNMENT);
    while at + HEADER_BYTES <= bytes.len() {
        if let Ok(frame) = Frame::parse(&bytes[at..]) {
            if frame.header.first > next && frame.header.durable >= next {
                return Ok(Some(frame.header.durable));
            }
        }
        at += ALIGNMENT;
    }
    Ok(None)
}

/// Cuts an unfinished write off a segment; the bytes cut that were not blank.
pub(super) fn cut(stop: &Stop) -> Result<u64, OpenError> {
    let path: &PathBuf = &stop.file;
    let file = File::options()
        .read(true)
        .write(true)
        .open(path)
        .map_err(OpenError::io("open", path))?;
    let mut tail = Vec::new();
    (&file)
        .seek(SeekFrom::Start(stop.offset))
        .and_then(|_| (&file).read_to_end(&mut tail))
        .map_err(OpenError::io("read", path))?;
    let written = tail.iter().rposition(|b| *b != 0).map_or(0, |at| at + 1);
    file.set_len(stop.offset)
        .and_then(|()| file.sync_all())
        .map_err(OpenError::io("cut", path))?;
    Ok(written as u64)
}
