//! Applies the log to an index, and decides what it means where the log can't be read further.
//!
//! A bad frame behind everything known to have been durable is an unfinished write and is cut off. Anything
//! else is damage. What is known to have been durable: the checkpoint, the position of the index (it is never ahead of
//! the durable log), what sound frames and segment headers say.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use super::{
    error::OpenError,
    frame::{ALIGNMENT, Frame, FrameError, HEADER_BYTES, Hash, Header, mark_at},
    index::{Index, Reached},
    layer::Merged,
    read::{LogReader, Stop, StopReason},
    record::{WriteKind, kind_of},
    segment::Catalog,
};

/// Merged before it is written.
const MERGED_BYTES: usize = 8 * 1024 * 1024;

/// Where the log ends.
#[derive(Debug)]
pub(super) struct LogEnd {
    /// The newest commit in it.
    pub(super) last: u64,
    /// The hash of its frame.
    pub(super) hash: Hash,
    /// Where the readable log ends, if it ends within a segment.
    pub(super) stop: Option<Stop>,
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
            StopReason::Io(_) => self.stop.into_error(),
            _ => self.to_error(),
        }
    }

    pub(super) fn to_error(&self) -> OpenError {
        OpenError::LogDamaged {
            file: self.stop.file.clone(),
            offset: self.stop.offset,
            what: self.stop.words(),
            lost_from: self.lost_from,
            lost_to: self.lost_to,
        }
    }
}

/// Reads the log to its end without applying it, from where `reader` stands behind a frame with `hash`. `durable` is
/// the newest commit known to have been durable before the log is read.
pub(super) fn survey(
    catalog: &Catalog,
    reader: &mut LogReader,
    hash: Hash,
    durable: u64,
) -> Result<LogEnd, Box<Damage>> {
    let mut end = LogEnd {
        last: reader.next_position() - 1,
        hash,
        stop: None,
    };
    let stop = loop {
        match reader.read() {
            Ok(frame) => (end.last, end.hash) = (frame.last(), frame.hash()),
            Err(stop) => break stop,
        }
    };
    end.stop = judge(catalog, stop, durable.max(end.last))?;
    Ok(end)
}

/// Decides what the end of the readable log is: an unfinished write, which is given back, or damage.
fn judge(catalog: &Catalog, stop: Stop, durable: u64) -> Result<Option<Stop>, Box<Damage>> {
    let next = stop.position;
    let later = catalog.all().iter().map(|s| s.first - 1).max();
    let mut durable = durable.max(later.unwrap_or(0));
    let damaged = |stop, lost_to| {
        Box::new(Damage {
            stop,
            lost_from: next,
            lost_to,
        })
    };
    if let StopReason::Frame(_) = stop.what {
        match later_frame(&stop.file, stop.offset, next) {
            Ok(later) => durable = durable.max(later.unwrap_or(0)),
            Err(error) => {
                let what = StopReason::Io(error);
                return Err(damaged(Stop { what, ..stop }, durable));
            }
        }
    }
    match stop.what {
        StopReason::Io(_) => Err(damaged(stop, durable)),
        _ if durable >= next => Err(damaged(stop, durable)),
        StopReason::Missing => Ok(None),
        StopReason::Frame(_) => Ok(Some(stop)),
    }
}

/// How counts are brought up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counting {
    /// By what planners said, as the index may already hold some of what is applied again.
    AsPlanned,
    /// By what was found: the index was filled just now.
    AsFound,
}

/// Applies the log to an index. Writes of many frames are merged and go in together, in the order of keys: that
/// costs sled far less than one after the other, and what is written over again is written once.
pub(super) struct Replay<'a> {
    index: &'a Index,
    counting: Counting,
    /// Told now and then how far it is.
    progress: &'a dyn Fn(u64),
    merged: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    bytes: usize,
    commits: u64,
}

impl<'a> Replay<'a> {
    pub(super) fn new(index: &'a Index, counting: Counting, progress: &'a dyn Fn(u64)) -> Self {
        Self {
            index,
            counting,
            progress,
            merged: BTreeMap::new(),
            bytes: 0,
            commits: 0,
        }
    }

    /// Applies all from where `reader` stands up to `until`, which is known to be readable; the number of commits.
    pub(super) fn run(
        mut self,
        reader: &mut LogReader,
        reached: &mut Reached,
        until: u64,
    ) -> Result<u64, String> {
        // Should it be interrupted, it is to begin again from here.
        self.note(reached)?;
        while reached.position < until {
            let frame = reader.read().map_err(|stop| stop.words())?;
            self.apply(&frame, reached)?;
        }
        self.flush(reached)?;
        Ok(self.commits)
    }

    /// Applies all that can be read from where `reader` stands, to the end of the log; what could not be read, as the
    /// first and last commit of each hole.
    pub(super) fn run_over_holes(
        mut self,
        reader: &mut LogReader,
        reached: &mut Reached,
    ) -> Result<Vec<(u64, u64)>, String> {
        let mut holes = Vec::new();
        loop {
            let stop = match reader.read() {
                Ok(frame) => {
                    if frame.header.first > reached.position + 1 {
                        holes.push((reached.position + 1, frame.header.first - 1));
                    }
                    self.apply(&frame, reached)?;
                    continue;
                }
                Err(stop) => stop,
            };
            if !reader.skip(&stop) {
                break;
            }
        }
        self.flush(reached)?;
        Ok(holes)
    }

    /// Applies one frame. What it does may show only after a flush.
    pub(super) fn apply(&mut self, frame: &Frame<'_>, reached: &mut Reached) -> Result<(), String> {
        let last = frame.last();
        let mut touched = BTreeSet::new();
        for write in frame.commits().flat_map(|(_, record)| record.writes()) {
            let count = reached.counts.entry(kind_of(write.key)).or_default();
            if self.counting == Counting::AsPlanned && count.position < last {
                count.records = count.records.saturating_add_signed(write.kind.delta());
            }
            touched.insert(kind_of(write.key));
            self.bytes += write.key.len() + write.stored.len();
            let stored = (write.kind != WriteKind::Delete).then(|| write.stored.to_vec());
            self.merged.insert(write.key.to_vec(), stored);
        }
        // Only now, since all commits of a frame are counted together.
        for kind in touched {
            let count = reached.counts.entry(kind).or_default();
            count.position = count.position.max(last);
        }
        reached.position = last;
        reached.hash = frame.hash();
        self.commits += u64::from(frame.header.commits);
        if self.bytes >= MERGED_BYTES {
            self.flush(reached)?;
            (self.progress)(reached.position);
        }
        Ok(())
    }

    /// Writes what was merged, and how far that is.
    pub(super) fn flush(&mut self, reached: &mut Reached) -> Result<(), String> {
        let writes = self.merged.iter().map(|(key, stored)| Merged {
            key,
            stored: stored.as_deref(),
            known: false,
        });
        self.index.write(writes, |seen| {
            if self.counting == Counting::AsFound {
                let delta = i64::from(seen.is_there) - i64::from(seen.was_there);
                let count = reached.counts.entry(kind_of(seen.key)).or_default();
                count.records = count.records.saturating_add_signed(delta);
            }
        })?;
        self.merged.clear();
        self.bytes = 0;
        self.note(reached)
    }

    fn note(&self, reached: &Reached) -> Result<(), String> {
        let counts = reached.counts.iter().map(|(kind, count)| (*kind, *count));
        self.index.reach(reached.position, &reached.hash, counts)
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
        if let Some(durable) = mark_at(&bytes[at..]).filter(|durable| *durable >= next) {
            return Ok(Some(durable));
        }
        if let Ok(frame) = Frame::parse(&bytes[at..])
            && frame.header.first > next
            && frame.header.durable >= next
        {
            return Ok(Some(frame.header.durable));
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
    let ended = matches!(stop.what, StopReason::Frame(FrameError::Mark));
    Ok(if ended { 0 } else { written as u64 })
}
