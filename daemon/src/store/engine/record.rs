//! One commit as it stands in a frame: typed changes, then writes.
//!
//! ```text
//! changes bytes u32 | writes bytes u32
//! changes: kind u16 | data bytes u32 | data                                      ...
//! writes:  kind u8  | key bytes u16  | value bytes u32 | key | value | CRC32C u32 ...
//! ```
//!
//! A stored value is the value with its CRC32C (of key and value) behind it; it lies in the record
//! exactly as the index keeps it. A delete has value bytes 0 and nothing behind its key.

use super::layer::Span;

/// What a write does. The planner knows whether the key was there, so that counts need no look-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WriteKind {
    Insert,
    Replace,
    Delete,
}

impl WriteKind {
    fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Insert),
            2 => Some(Self::Replace),
            3 => Some(Self::Delete),
            _ => None,
        }
    }

    fn byte(self) -> u8 {
        match self {
            Self::Insert => 1,
            Self::Replace => 2,
            Self::Delete => 3,
        }
    }

    /// By how much the write changes the number of records of its kind.
    pub(super) fn delta(self) -> i64 {
        match self {
            Self::Insert => 1,
            Self::Replace => 0,
            Self::Delete => -1,
        }
    }
}

const HEADER_BYTES: usize = 8;
const CHANGE_HEADER_BYTES: usize = 6;
const WRITE_HEADER_BYTES: usize = 7;
/// The checksum behind each stored value.
pub(super) const CRC_BYTES: usize = 4;
/// Keys begin with the organization (u32) and the kind (u8).
pub(super) const KEY_BYTES_MIN: usize = 5;

/// The checksum of a value under its key.
pub(super) fn checksum(key: &[u8], value: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(key), value)
}

/// The value without its checksum; none where they do not match.
pub(super) fn proven<'a>(key: &[u8], stored: &'a [u8]) -> Option<&'a [u8]> {
    let (value, crc) = stored.split_last_chunk::<CRC_BYTES>()?;
    (checksum(key, value) == u32::from_le_bytes(*crc)).then_some(value)
}

/// The organization and kind a key counts for.
pub(super) fn kind_of(key: &[u8]) -> (u32, u8) {
    let organization = u32::from_be_bytes([key[0], key[1], key[2], key[3]]);
    (organization, key[4])
}

/// Appends one change in the form of the record.
pub(super) fn push_change(changes: &mut Vec<u8>, kind: u16, data: &[u8]) {
    changes.extend_from_slice(&kind.to_le_bytes());
    push_length(changes, data.len());
    changes.extend_from_slice(data);
}

fn push_length(bytes: &mut Vec<u8>, length: usize) {
    let length = u32::try_from(length).expect("commits are bounded");
    bytes.extend_from_slice(&length.to_le_bytes());
}

/// Begins a record with all its changes.
pub(super) fn begin(bytes: &mut Vec<u8>, changes: &[u8]) {
    push_length(bytes, changes.len());
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(changes);
}

/// Appends one write; gives where key and stored value lie in the record.
pub(super) fn push_write(
    bytes: &mut Vec<u8>,
    kind: WriteKind,
    key: &[u8],
    value: &[u8],
) -> (Span, Span) {
    let key_bytes = u16::try_from(key.len()).expect("keys are bounded");
    bytes.push(kind.byte());
    bytes.extend_from_slice(&key_bytes.to_le_bytes());
    push_length(bytes, value.len());
    let key_at = bytes.len();
    bytes.extend_from_slice(key);
    let value_at = bytes.len();
    if kind != WriteKind::Delete {
        bytes.extend_from_slice(value);
        bytes.extend_from_slice(&checksum(key, value).to_le_bytes());
    }
    (
        Span::new(key_at, key.len()),
        Span::new(value_at, bytes.len() - value_at),
    )
}

/// Completes a record begun with `changes_bytes` of changes.
pub(super) fn finish(bytes: &mut [u8], changes_bytes: usize) {
    let writes = bytes.len() - HEADER_BYTES - changes_bytes;
    let writes = u32::try_from(writes).expect("commits are bounded");
    bytes[4..8].copy_from_slice(&writes.to_le_bytes());
}

/// One commit, proven to be well formed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a> {
    changes: &'a [u8],
    writes: &'a [u8],
}

/// One write of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Write<'a> {
    pub(super) kind: WriteKind,
    pub(super) key: &'a [u8],
    /// The value and its checksum, as the index keeps it; empty for a delete.
    pub(super) stored: &'a [u8],
}

impl<'a> Record<'a> {
    /// The typed changes: kind and data.
    pub(super) fn changes(&self) -> impl Iterator<Item = (u16, &'a [u8])> + use<'a> {
        let mut rest = self.changes;
        std::iter::from_fn(move || take_change(&mut rest))
    }

    /// The writes, in the order of their keys.
    pub(super) fn writes(&self) -> impl Iterator<Item = Write<'a>> + use<'a> {
        let mut rest = self.writes;
        std::iter::from_fn(move || take_write(&mut rest))
    }

    fn parse(bytes: &mut &'a [u8]) -> Option<Self> {
        let changes_bytes = take_u32(bytes)?;
        let writes_bytes = take_u32(bytes)?;
        let record = Self {
            changes: take(bytes, changes_bytes)?,
            writes: take(bytes, writes_bytes)?,
        };
        let mut rest = record.changes;
        while !rest.is_empty() {
            take_change(&mut rest)?;
        }
        let mut rest = record.writes;
        while !rest.is_empty() {
            take_write(&mut rest)?;
        }
        Some(record)
    }
}

/// The records of a frame's body. Gives `None` for one that is malformed, and then ends.
pub(super) struct Records<'a>(&'a [u8]);

impl<'a> Records<'a> {
    pub(super) fn new(body: &'a [u8]) -> Self {
        Self(body)
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Option<Record<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let record = Record::parse(&mut self.0);
        if record.is_none() {
            self.0 = &[];
        }
        Some(record)
    }
}

fn take<'a>(bytes: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (head, tail) = bytes.split_at_checked(len)?;
    *bytes = tail;
    Some(head)
}

fn take_u32(bytes: &mut &[u8]) -> Option<usize> {
    let (head, tail) = bytes.split_first_chunk::<4>()?;
    *bytes = tail;
    Some(u32::from_le_bytes(*head) as usize)
}

fn take_change<'a>(bytes: &mut &'a [u8]) -> Option<(u16, &'a [u8])> {
    let header = take(bytes, CHANGE_HEADER_BYTES)?;
    let kind = u16::from_le_bytes([header[0], header[1]]);
    let len = take_u32(&mut &header[2..])?;
    Some((kind, take(bytes, len)?))
}

fn take_write<'a>(bytes: &mut &'a [u8]) -> Option<Write<'a>> {
    let header = take(bytes, WRITE_HEADER_BYTES)?;
    let kind = WriteKind::from_byte(header[0])?;
    let key_bytes = usize::from(u16::from_le_bytes([header[1], header[2]]));
    let value_bytes = take_u32(&mut &header[3..])?;
    if key_bytes < KEY_BYTES_MIN {
        return None;
    }
    let key = take(bytes, key_bytes)?;
    let stored = match kind {
        WriteKind::Delete if value_bytes == 0 => &[],
        WriteKind::Delete => return None,
        _ => take(bytes, value_bytes.checked_add(CRC_BYTES)?)?,
    };
    Some(Write { kind, key, stored })
}
