//! Reads the log forward, frame by frame, across segments, proving the chain.

use std::{fs::File, io, path::PathBuf, sync::Arc};

use super::{
    error::OpenError,
    frame::{ALIGNMENT, Frame, FrameError, Hash, padded},
    segment::{Catalog, SEGMENT_HEADER_BYTES, Segment, read_frame},
};

/// Why reading stopped before the position that was asked for.
#[derive(Debug)]
pub(super) struct Stop {
    pub(super) file: PathBuf,
    pub(super) offset: u64,
    /// The commit that should begin there.
    pub(super) position: u64,
    pub(super) what: StopReason,
}

/// The two ways in which the log can end.
#[derive(Debug)]
pub(super) enum StopReason {
    /// No segment holds the position.
    Missing,
    /// The bytes there are no frame that follows.
    Frame(FrameError),
    /// The operating system refused.
    Io(io::Error),
}

impl Stop {
    pub(super) fn into_error(self) -> OpenError {
        let source = match self.what {
            StopReason::Io(source) => source,
            _ => io::Error::other(self.words()),
        };
        OpenError::io("read", self.file)(source)
    }

    /// What is wrong, in words.
    pub(super) fn words(&self) -> String {
        match &self.what {
            StopReason::Missing => "no segment holds what follows".to_owned(),
            StopReason::Frame(e) => e.to_string(),
            StopReason::Io(e) => e.to_string(),
        }
    }
}

/// A place in the log, and a file open there.
#[derive(Debug)]
pub(super) struct LogReader {
    catalog: Arc<Catalog>,
    /// The next commit wanted.
    next: u64,
    open: Option<OpenSegment>,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct OpenSegment {
    segment: Segment,
    file: File,
    offset: u64,
    /// The position of the frame at `offset`.
    position: u64,
    before: Hash,
}

impl LogReader {
    /// Will read the commit at `next`, and on.
    pub(super) fn new(catalog: Arc<Catalog>, next: u64) -> Self {
        Self {
            catalog,
            next,
            open: None,
            buffer: Vec::new(),
        }
    }

    /// Stands at the sound frame that holds `next`, if there is one: see [`LogReader::jump`].
    pub(super) fn jumped(catalog: &Arc<Catalog>, next: u64) -> Self {
        let mut reader = Self::new(Arc::clone(catalog), next);
        // Where there is none, there is nothing to be read.
        let _ = reader.jump();
        reader
    }

    /// The next commit wanted.
    pub(super) fn next_position(&self) -> u64 {
        self.next
    }

    /// Moves to where the next commit is, or would be; the hash of the frame before it.
    pub(super) fn seek(&mut self) -> Result<Hash, Stop> {
        loop {
            self.enter()?;
            let open = self.open.as_ref().expect("entered");
            if open.position >= self.next {
                return Ok(open.before);
            }
            self.step()?;
        }
    }

    /// Reads the frame that holds the next commit and moves behind it.
    pub(super) fn read(&mut self) -> Result<Frame<'_>, Stop> {
        loop {
            self.enter()?;
            let last = self.step()?;
            if last >= self.next {
                self.next = last + 1;
                return Ok(Frame::proven(&self.buffer));
            }
        }
    }

    /// Enters the segment that holds the next commit at the sound frame that holds it, whatever lies before. False
    /// where there is none.
    pub(super) fn jump(&mut self) -> Result<bool, Stop> {
        if self.catalog.holding(self.next).is_none() {
            return Ok(false);
        }
        let segment = self.enter()?;
        let path = segment.path(self.catalog.folder());
        let bytes = std::fs::read(&path).map_err(|e| Stop {
            file: path,
            offset: 0,
            position: segment.first,
            what: StopReason::Io(e),
        })?;
        let open = self.open.as_mut().expect("entered");
        let mut at = SEGMENT_HEADER_BYTES;
        while at < bytes.len() {
            let Ok(frame) = Frame::parse(&bytes[at..]) else {
                at += ALIGNMENT;
                continue;
            };
            if frame.header.first <= self.next && self.next <= frame.last() {
                open.offset = at as u64;
                open.position = frame.header.first;
                open.before = frame.header.before;
                return Ok(true);
            }
            // Within a sound frame, what looks like one is a value somebody sent.
            at += padded(frame.bytes().len());
        }
        Ok(false)
    }

    /// Moves on behind a place that can't be read, to the next sound frame of the segment or to the next segment. False
    /// where there is nothing more.
    pub(super) fn skip(&mut self, stop: &Stop) -> bool {
        let segment = self.open.as_ref().map(|open| open.segment);
        let bytes = segment.and_then(|s| std::fs::read(s.path(self.catalog.folder())).ok());
        let bytes = bytes.unwrap_or_default();
        let mut at = usize::try_from(stop.offset)
            .unwrap_or(usize::MAX)
            .max(SEGMENT_HEADER_BYTES);
        while at < bytes.len() {
            if let (Ok(frame), Some(open)) = (Frame::parse(&bytes[at..]), &mut self.open)
                && frame.header.first >= self.next
            {
                open.offset = at as u64;
                open.position = frame.header.first;
                open.before = frame.header.before;
                self.next = frame.header.first;
                return true;
            }
            at += ALIGNMENT;
        }
        let (segments, next) = (self.catalog.all(), self.next);
        // One that begins right here was not entered yet, if it is not the one just read.
        let fresh = |s: &&Segment| segment.is_some_and(|open| open.number < s.number);
        let later = segments
            .iter()
            .filter(|s| s.first > next || (s.first == next && fresh(s)))
            .map(|s| s.first);
        self.open = None;
        match later.min() {
            Some(first) => {
                self.next = first;
                true
            }
            None => false,
        }
    }

    /// Reads one frame of the open segment; its last commit.
    fn step(&mut self) -> Result<u64, Stop> {
        let open = self.open.as_mut().expect("entered");
        let stop = |what| Stop {
            file: open.segment.path(self.catalog.folder()),
            offset: open.offset,
            position: open.position,
            what,
        };
        let bytes = match read_frame(&open.file, open.offset, &mut self.buffer) {
            Err(e) => return Err(stop(StopReason::Io(e))),
            Ok(Err(e)) => return Err(stop(StopReason::Frame(e))),
            Ok(Ok(bytes)) => bytes,
        };
        let frame = Frame::proven(&self.buffer);
        if frame.header.first != open.position || frame.header.before != open.before {
            return Err(stop(StopReason::Frame(FrameError::Chain)));
        }
        open.offset += bytes;
        open.position = frame.last() + 1;
        open.before = frame.hash();
        Ok(frame.last())
    }

    /// Opens the segment that holds the next commit, unless it is open.
    fn enter(&mut self) -> Result<Segment, Stop> {
        let missing = |what| Stop {
            file: self.catalog.folder().to_owned(),
            offset: 0,
            position: self.next,
            what,
        };
        let segment = self
            .catalog
            .holding(self.next)
            .ok_or_else(|| missing(StopReason::Missing))?;
        if self.open.as_ref().is_some_and(|o| o.segment == segment) {
            return Ok(segment);
        }
        let path = segment.path(self.catalog.folder());
        let stop = |what| Stop {
            file: path.clone(),
            offset: 0,
            position: segment.first,
            what,
        };
        let file = File::open(&path).map_err(|e| stop(StopReason::Io(e)))?;
        let continues = self.open.as_ref().is_none_or(|o| {
            o.segment.generation != segment.generation
                || o.position != segment.first
                || o.before == segment.before
        });
        if !continues {
            return Err(stop(StopReason::Frame(FrameError::Chain)));
        }
        self.open = Some(OpenSegment {
            segment,
            file,
            offset: SEGMENT_HEADER_BYTES as u64,
            position: segment.first,
            before: segment.before,
        });
        Ok(segment)
    }
}
