//! The frame: one group of commits as one checksummed unit of the log.
//!
//! ```text
//! 0  magic u32 | 4  CRC32C u32, of all that follows | 8  body bytes u32 | 12 commits u32
//! 16 position of the first commit u64 | 24 last durable position when this was written u64
//! 32 SHA-256 of the frame before | 64 body: the commits, one record after the other
//! ```
//!
//! Behind the last frame may stand a mark: a header of another magic and no body, which the next frame
//! overwrites. It proves that the last frame was durable, so that damage to it is not taken for an unfinished write.
//!
//! Little endian, padded with zeros to eight bytes. Frames never hold domain types: a record is
//! typed changes for followers, then the puts and deletes they mean (see [`super::record`]).

use ring::digest::{SHA256, digest};
use thiserror::Error;

use super::record::{Record, Records};

/// SHA-256 of a frame: the link of the chain.
pub(super) type Hash = [u8; 32];

/// Bytes before the body.
pub(super) const HEADER_BYTES: usize = 64;
/// No frame is larger: a group's limit plus one commit's.
pub(super) const FRAME_BYTES_MAX: usize = 40 * 1024 * 1024;
/// Frames begin at multiples of this.
pub(super) const ALIGNMENT: usize = 8;

const MAGIC: u32 = 0x5446_4C31;
pub(super) const MARK_MAGIC: u32 = 0x544D_4B31;

/// Why bytes are not a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum FrameError {
    /// Zeros: nothing was written here yet.
    #[error("no frame was written here")]
    Blank,
    /// The log ends here, and what came before was durable.
    #[error("the log ends here")]
    Mark,
    /// The bytes end before the frame does.
    #[error("the file ends within a frame")]
    Short,
    /// No frame begins here.
    #[error("no frame begins here")]
    Magic,
    /// The length can't be.
    #[error("the frame's length is impossible")]
    Length,
    /// The checksum does not match.
    #[error("the frame does not match its checksum")]
    Checksum,
    /// The checksum matches but the records make no sense.
    #[error("the frame's records are malformed")]
    Malformed,
    /// The frame does not follow the one before it.
    #[error("the frame does not follow the one before it")]
    Chain,
}

/// A frame's fixed part, read before its checksum is known to match.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub(super) body_bytes: usize,
    pub(super) commits: u32,
    pub(super) first: u64,
    pub(super) durable: u64,
    pub(super) before: Hash,
    crc: u32,
}

impl Header {
    /// Reads the fixed part; says how long the frame claims to be.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, FrameError> {
        let bytes: &[u8; HEADER_BYTES] = bytes
            .get(..HEADER_BYTES)
            .and_then(|b| b.try_into().ok())
            .ok_or(FrameError::Short)?;
        let magic = u32_at(bytes, 0);
        if magic == 0 {
            return Err(FrameError::Blank);
        }
        if magic != MAGIC {
            let mark = mark_at(bytes).map(|_| FrameError::Mark);
            return Err(mark.unwrap_or(FrameError::Magic));
        }
        let header = Self {
            crc: u32_at(bytes, 4),
            body_bytes: u32_at(bytes, 8) as usize,
            commits: u32_at(bytes, 12),
            first: u64_at(bytes, 16),
            durable: u64_at(bytes, 24),
            before: bytes[32..64].try_into().expect("32 of 64 bytes"),
        };
        let possible = header.body_bytes <= FRAME_BYTES_MAX
            && header.commits > 0
            && header.first > 0
            && header
                .first
                .checked_add(u64::from(header.commits))
                .is_some()
            && header.durable < header.first;
        possible.then_some(header).ok_or(FrameError::Length)
    }

    /// Bytes of the frame, padding excluded.
    pub(super) fn frame_bytes(&self) -> usize {
        HEADER_BYTES + self.body_bytes
    }
}

/// A frame whose checksum and records have been proven.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'a> {
    pub(super) header: Header,
    bytes: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Reads the frame that begins with `bytes`; more may follow it.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, FrameError> {
        let header = Header::parse(bytes)?;
        let bytes = bytes.get(..header.frame_bytes()).ok_or(FrameError::Short)?;
        if crc32c::crc32c(&bytes[8..]) != header.crc {
            return Err(FrameError::Checksum);
        }
        let frame = Self { header, bytes };
        let mut commits = 0_u32;
        for record in frame.raw_records() {
            record.ok_or(FrameError::Malformed)?;
            commits += 1;
        }
        if commits != header.commits {
            return Err(FrameError::Malformed);
        }
        Ok(frame)
    }

    /// A frame that [`Frame::parse`] has accepted before.
    pub(super) fn proven(bytes: &'a [u8]) -> Self {
        let header = Header::parse(bytes).expect("it was accepted before");
        Self { header, bytes }
    }

    fn raw_records(&self) -> Records<'a> {
        Records::new(&self.bytes[HEADER_BYTES..])
    }

    /// The frame as it stands in the log, without padding.
    pub(super) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The position of the last commit.
    pub(super) fn last(&self) -> u64 {
        self.header.first + u64::from(self.header.commits) - 1
    }

    /// The link that the next frame carries.
    pub(super) fn hash(&self) -> Hash {
        hash(self.bytes)
    }

    /// Each commit with its position, in order.
    pub(super) fn commits(&self) -> impl Iterator<Item = (u64, Record<'a>)> + use<'a> {
        (self.header.first..).zip(self.raw_records().flatten())
    }
}

/// Builds frames in a buffer that is kept from one to the next.
#[derive(Debug, Default)]
pub(super) struct FrameBuffer {
    bytes: Vec<u8>,
    commits: u32,
}

impl FrameBuffer {
    /// Starts a frame.
    pub(super) fn begin(&mut self, first: u64, durable: u64, before: &Hash) {
        self.commits = 0;
        self.bytes.clear();
        // An unusually large group should not hold its memory for ever.
        self.bytes.shrink_to(1 << 20);
        self.bytes.extend_from_slice(&MAGIC.to_le_bytes());
        self.bytes.extend_from_slice(&[0; 12]);
        self.bytes.extend_from_slice(&first.to_le_bytes());
        self.bytes.extend_from_slice(&durable.to_le_bytes());
        self.bytes.extend_from_slice(before);
    }

    /// Adds one commit's record.
    pub(super) fn push(&mut self, record: &[u8]) {
        self.bytes.extend_from_slice(record);
        self.commits += 1;
    }

    /// Completes the frame: its hash, and its bytes with padding.
    pub(super) fn finish(&mut self) -> (Hash, &[u8]) {
        let body = u32::try_from(self.bytes.len() - HEADER_BYTES).expect("groups are bounded");
        self.bytes[8..12].copy_from_slice(&body.to_le_bytes());
        self.bytes[12..16].copy_from_slice(&self.commits.to_le_bytes());
        let crc = crc32c::crc32c(&self.bytes[8..]);
        self.bytes[4..8].copy_from_slice(&crc.to_le_bytes());
        let hash = hash(&self.bytes);
        self.bytes.resize(padded(self.bytes.len()), 0);
        (hash, &self.bytes)
    }
}

/// A mark that all up to `durable` is.
pub(super) fn mark(durable: u64) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    bytes[..4].copy_from_slice(&MARK_MAGIC.to_le_bytes());
    bytes[24..32].copy_from_slice(&durable.to_le_bytes());
    let crc = crc32c::crc32c(&bytes[8..]);
    bytes[4..8].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// The newest durable commit, where a mark stands.
pub(super) fn mark_at(bytes: &[u8]) -> Option<u64> {
    let bytes = bytes.get(..HEADER_BYTES)?;
    let sound = u32_at(bytes, 0) == MARK_MAGIC && crc32c::crc32c(&bytes[8..]) == u32_at(bytes, 4);
    sound.then(|| u64_at(bytes, 24))
}

/// The length with padding.
pub(super) fn padded(len: usize) -> usize {
    len.next_multiple_of(ALIGNMENT)
}

fn hash(bytes: &[u8]) -> Hash {
    digest(&SHA256, bytes)
        .as_ref()
        .try_into()
        .expect("SHA-256 gives 32 bytes")
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::engine::record::{self, WriteKind};

    fn record(changes: &[(u16, Vec<u8>)], writes: &[(WriteKind, Vec<u8>, Vec<u8>)]) -> Vec<u8> {
        let mut changed = Vec::new();
        for (kind, data) in changes {
            record::push_change(&mut changed, *kind, data);
        }
        let mut bytes = Vec::new();
        record::begin(&mut bytes, &changed);
        for (kind, key, value) in writes {
            let deletes = *kind == WriteKind::Delete;
            record::push_write(&mut bytes, *kind, key, if deletes { &[] } else { value });
        }
        record::finish(&mut bytes, changed.len());
        bytes
    }

    fn kind() -> impl Strategy<Value = WriteKind> {
        prop_oneof![
            Just(WriteKind::Insert),
            Just(WriteKind::Replace),
            Just(WriteKind::Delete)
        ]
    }

    type Commit = (Vec<(u16, Vec<u8>)>, Vec<(WriteKind, Vec<u8>, Vec<u8>)>);

    fn commit() -> impl Strategy<Value = Commit> {
        let bytes = |range| proptest::collection::vec(any::<u8>(), range);
        let changes = proptest::collection::vec((any::<u16>(), bytes(0..40)), 0..4);
        let writes = proptest::collection::vec((kind(), bytes(5..40), bytes(0..200)), 0..6);
        (changes, writes)
    }

    fn frame(first: u64, commits: &[Commit]) -> Vec<u8> {
        let mut buffer = FrameBuffer::default();
        buffer.begin(first, first - 1, &[9; 32]);
        for (changes, writes) in commits {
            buffer.push(&record(changes, writes));
        }
        buffer.finish().1.to_vec()
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            first in 1..u64::MAX / 2,
            commits in proptest::collection::vec(commit(), 1..5),
        ) {
            let bytes = frame(first, &commits);
            prop_assert_eq!(bytes.len() % ALIGNMENT, 0);
            let frame = Frame::parse(&bytes).unwrap();
            prop_assert_eq!(frame.header.first, first);
            prop_assert_eq!(frame.last(), first + commits.len() as u64 - 1);
            for ((position, record), (expected, (changes, writes))) in
                frame.commits().zip((first..).zip(&commits))
            {
                prop_assert_eq!(position, expected);
                let found: Vec<_> = record.changes().map(|(k, d)| (k, d.to_vec())).collect();
                prop_assert_eq!(&found, changes);
                prop_assert_eq!(record.writes().count(), writes.len());
                for (found, (kind, key, value)) in record.writes().zip(writes) {
                    prop_assert_eq!((found.kind, found.key), (*kind, key.as_slice()));
                    if *kind != WriteKind::Delete {
                        prop_assert_eq!(record::proven(key, found.stored), Some(value.as_slice()));
                    }
                }
            }
        }

        #[test]
        fn a_changed_byte_is_never_accepted(
            commits in proptest::collection::vec(commit(), 1..4),
            at in any::<prop::sample::Index>(),
            flip in 1..=u8::MAX,
        ) {
            let mut bytes = frame(7, &commits);
            let used = Header::parse(&bytes).unwrap().frame_bytes();
            bytes[at.index(used)] ^= flip;
            prop_assert!(Frame::parse(&bytes).is_err());
        }

        #[test]
        fn a_cut_is_never_accepted(
            commits in proptest::collection::vec(commit(), 1..4),
            at in any::<prop::sample::Index>(),
        ) {
            let bytes = frame(7, &commits);
            let used = Header::parse(&bytes).unwrap().frame_bytes();
            prop_assert!(Frame::parse(&bytes[..at.index(used)]).is_err());
        }

        #[test]
        fn any_bytes_are_taken_without_panic(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..400),
            sound in any::<bool>(),
        ) {
            // With a checksum that matches, the records themselves are reached.
            if sound && bytes.len() > HEADER_BYTES {
                bytes[..4].copy_from_slice(&MAGIC.to_le_bytes());
                let body = u32::try_from(bytes.len() - HEADER_BYTES).unwrap();
                bytes[8..12].copy_from_slice(&body.to_le_bytes());
                bytes[12..16].copy_from_slice(&1_u32.to_le_bytes());
                bytes[16..24].copy_from_slice(&5_u64.to_le_bytes());
                bytes[24..32].copy_from_slice(&4_u64.to_le_bytes());
                let crc = crc32c::crc32c(&bytes[8..]);
                bytes[4..8].copy_from_slice(&crc.to_le_bytes());
            }
            if let Ok(frame) = Frame::parse(&bytes) {
                for (_, record) in frame.commits() {
                    record.changes().for_each(drop);
                    record.writes().for_each(drop);
                }
            }
            mark_at(&bytes);
        }
    }
}
