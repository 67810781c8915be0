//! Segments: the numbered files that hold the log's frames, and the catalog of them.
//!
//! A segment says in its header which commit it begins with. That settles what an abandoned tail
//! means: a commit is found in the last segment that begins at or before it, so frames that an
//! earlier segment holds beyond that (written, but never made durable) do not count.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
};

use parking_lot::RwLock;

use super::{
    error::OpenError,
    format::FORMAT,
    frame::{FRAME_BYTES_MAX, Frame, FrameError, HEADER_BYTES, Hash, Header, padded},
};

/// Where the first frame begins.
pub(super) const SEGMENT_HEADER_BYTES: usize = 72;
const MAGIC: &[u8; 8] = b"TLSEGMNT";

/// What a segment's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) number: u64,
    /// The format of the store when it was begun.
    pub(super) format: u32,
    /// The position of the first commit that may be in it.
    pub(super) first: u64,
    /// Grows where the log was begun anew after damage: the chain does not reach across.
    pub(super) generation: u64,
    /// The hash of the frame before the first one.
    pub(super) before: Hash,
}

impl Segment {
    /// Where the segment lies.
    pub(super) fn path(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{:012}.log", self.number))
    }

    /// Gives a file full of zeros, which lies at `from`, its header and its name, durably.
    pub(super) fn begin(&self, folder: &Path, file: &File, from: &Path) -> io::Result<()> {
        file.write_all_at(&self.header(), 0)?;
        file.sync_all()?;
        std::fs::rename(from, self.path(folder))?;
        File::open(folder)?.sync_all()
    }

    /// What its file begins with.
    pub(super) fn header(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[12..16].copy_from_slice(&self.format.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.number.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.first.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.generation.to_le_bytes());
        bytes[40..72].copy_from_slice(&self.before);
        let crc = crc32c::crc32c(&bytes[12..]);
        bytes[8..12].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    fn parse(bytes: &[u8; SEGMENT_HEADER_BYTES]) -> Option<Self> {
        let u64_at = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
        let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"));
        let sound = &bytes[..8] == MAGIC && crc32c::crc32c(&bytes[12..]) == u32_at(8);
        let segment = Self {
            number: u64_at(16),
            format: u32_at(12),
            first: u64_at(24),
            generation: u64_at(32),
            before: bytes[40..72].try_into().expect("32 bytes"),
        };
        sound.then_some(segment)
    }
}

/// The segments there are, oldest first.
#[derive(Debug)]
pub(super) struct Catalog {
    folder: PathBuf,
    segments: RwLock<Vec<Segment>>,
    /// The highest number given so far.
    numbers: AtomicU64,
    /// The format that new segments and snapshots say.
    format: AtomicU32,
}

impl Catalog {
    /// Reads the headers of all segments in `folder`; removes those that were never finished. New ones will say
    /// `format`.
    pub(super) fn load(folder: &Path, format: u32) -> Result<Self, OpenError> {
        let entries = std::fs::read_dir(folder).map_err(OpenError::io("list", folder))?;
        for entry in entries {
            let path = entry.map_err(OpenError::io("list", folder))?.path();
            if path.extension().is_some_and(|e| e == "new") {
                std::fs::remove_file(&path).map_err(OpenError::io("remove", &path))?;
            }
        }
        Self::read(folder, format)
    }

    /// The same, and changes nothing.
    pub(super) fn read(folder: &Path, format: u32) -> Result<Self, OpenError> {
        let mut segments = Vec::new();
        let mut bad = Vec::new();
        let mut numbers = 0;
        let entries = std::fs::read_dir(folder).map_err(OpenError::io("list", folder))?;
        for entry in entries {
            let path = entry.map_err(OpenError::io("list", folder))?.path();
            let Some(number) = number_of(&path) else {
                continue;
            };
            numbers = numbers.max(number);
            match read_header(&path)? {
                Some(segment) if segment.number == number => segments.push(segment),
                _ => bad.push((number, path)),
            }
        }
        for (number, path) in bad {
            segments.extend(mend_header(number, &path, &segments)?);
        }
        segments.sort_by_key(|s| s.number);
        Ok(Self {
            folder: folder.to_owned(),
            segments: RwLock::new(segments),
            numbers: AtomicU64::new(numbers),
            format: AtomicU32::new(format),
        })
    }

    /// The format that new segments and snapshots say.
    pub(super) fn format(&self) -> u32 {
        self.format.load(Relaxed)
    }

    /// Has what is begun from now on say the format of this version.
    pub(super) fn raise_format(&self) {
        self.format.store(FORMAT, Relaxed);
    }

    /// A number that no segment has had.
    pub(super) fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Relaxed) + 1
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn all(&self) -> Vec<Segment> {
        self.segments.read().clone()
    }

    /// The newest segment.
    pub(super) fn newest(&self) -> Option<Segment> {
        self.segments.read().last().copied()
    }

    /// The oldest segment.
    pub(super) fn oldest(&self) -> Option<Segment> {
        self.segments.read().first().copied()
    }

    /// The segment that holds the commit at `position`, if it is kept.
    pub(super) fn holding(&self, position: u64) -> Option<Segment> {
        let segments = self.segments.read();
        segments.iter().rev().find(|s| s.first <= position).copied()
    }

    pub(super) fn add(&self, segment: Segment) {
        self.segments.write().push(segment);
    }

    /// Deletes a segment's file.
    pub(super) fn remove(&self, number: u64) -> io::Result<()> {
        let mut segments = self.segments.write();
        if let Some(at) = segments.iter().position(|s| s.number == number) {
            std::fs::remove_file(segments[at].path(&self.folder))?;
            segments.remove(at);
        }
        Ok(())
    }
}

/// The number in a segment's name.
pub(super) fn number_of(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?;
    name.strip_suffix(".log")?.parse().ok()
}

fn read_header(path: &Path) -> Result<Option<Segment>, OpenError> {
    let file = File::open(path).map_err(OpenError::io("open", path))?;
    let mut bytes = [0; SEGMENT_HEADER_BYTES];
    match file.read_exact_at(&mut bytes, 0) {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other.map_err(OpenError::io("read", path))?,
    }
    Ok(Segment::parse(&bytes))
}

/// The format that the header of a segment says; none where the bytes are no sound header.
pub(super) fn format_of(head: &[u8]) -> Option<u32> {
    let head = head.first_chunk::<SEGMENT_HEADER_BYTES>()?;
    Segment::parse(head).map(|segment| segment.format)
}

/// What the header of a segment must have said, by its first frame; none where it has no frame.
fn mend_header(number: u64, path: &Path, others: &[Segment]) -> Result<Option<Segment>, OpenError> {
    let file = File::open(path).map_err(OpenError::io("open", path))?;
    let mut buffer = Vec::new();
    let first = read_frame(&file, SEGMENT_HEADER_BYTES as u64, &mut buffer);
    match first.map_err(OpenError::io("read", path))? {
        Ok(_) => {
            let header = Frame::proven(&buffer).header;
            let before = others.iter().filter(|s| s.number < number);
            Ok(Some(Segment {
                number,
                format: FORMAT,
                first: header.first,
                generation: before.map(|s| s.generation).max().unwrap_or(1),
                before: header.before,
            }))
        }
        Err(FrameError::Blank | FrameError::Short) => Ok(None),
        Err(e) => Err(OpenError::LogDamaged {
            file: path.to_owned(),
            offset: 0,
            what: format!("neither its header nor its first frame can be read: {e}"),
            lost_from: others.iter().map(|s| s.first).max().unwrap_or(1),
            lost_to: others.iter().map(|s| s.first).max().unwrap_or(1),
        }),
    }
}

/// Reads the frame at `offset` of `file` into `buffer`; its length with padding.
///
/// The outer error is the operating system's.
pub(super) fn read_frame(
    file: &File,
    offset: u64,
    buffer: &mut Vec<u8>,
) -> io::Result<Result<u64, FrameError>> {
    buffer.resize(HEADER_BYTES, 0);
    if let Err(stop) = read_fully(file, buffer, offset)? {
        return Ok(Err(stop));
    }
    let header = match Header::parse(buffer) {
        Ok(header) => header,
        Err(e) => return Ok(Err(e)),
    };
    debug_assert!(header.frame_bytes() <= FRAME_BYTES_MAX + HEADER_BYTES);
    buffer.resize(header.frame_bytes(), 0);
    if let Err(stop) = read_fully(
        file,
        &mut buffer[HEADER_BYTES..],
        offset + HEADER_BYTES as u64,
    )? {
        return Ok(Err(stop));
    }
    Ok(Frame::parse(buffer).map(|_| padded(header.frame_bytes()) as u64))
}

fn read_fully(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<Result<(), FrameError>> {
    match file.read_exact_at(bytes, offset) {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(Err(FrameError::Short)),
        other => other.map(Ok),
    }
}
