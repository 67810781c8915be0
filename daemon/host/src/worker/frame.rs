//! What crosses the socket: frames of a head and a payload.
//!
//! ```text
//! u32 payload length │ u32 kind │ u32 number │ payload        (little-endian)
//! ```

use std::io::{self, IoSlice, Write};

pub(super) use crate::library::CALL_PARTS_MAX as PARTS_MAX;

/// Bytes before each payload.
pub(super) const HEAD_BYTES: usize = 12;
/// Most frames fit: one read instead of several.
const BUFFER_BYTES: usize = 16 * 1024;
/// A buffer that grew beyond this is given back after its frame.
const BUFFER_BYTES_KEPT: usize = 256 * 1024;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Kind {
    /// To the worker: write the manifest.
    Describe = 1,
    /// To the worker: open a channel; the number is the size of the host struct.
    Open = 2,
    /// To the worker: make a call; the number is the operation.
    Call = 3,
    /// To the worker: close the channel.
    Close = 4,
    /// To the worker: make many calls on many threads; the number is how many calls.
    Storm = 5,
    /// From the worker: the first stage stands; the number is 1 where landlock took part.
    Sealed = 32,
    /// From the worker: the library is loaded.
    Loaded = 33,
    /// From the worker: it could not get ready, in words.
    Failed = 34,
    /// From the worker: the library can't be loaded, in words.
    NotLoaded = 35,
    /// From the worker: what a function returned (the number) and wrote.
    Output = 36,
    /// The same, cut short: more was written than allowed.
    Overflowed = 37,
    /// From the worker: a line for the log; the number is its level.
    Log = 38,
    /// From the worker: a call that is not allowed was tried; the number is the system call's.
    Forbidden = 39,
    /// From the worker: answers differ, in words.
    Differs = 40,
}

impl Kind {
    const ALL: [Self; 14] = [
        Self::Describe,
        Self::Open,
        Self::Call,
        Self::Close,
        Self::Storm,
        Self::Sealed,
        Self::Loaded,
        Self::Failed,
        Self::NotLoaded,
        Self::Output,
        Self::Overflowed,
        Self::Log,
        Self::Forbidden,
        Self::Differs,
    ];

    fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u32 == number)
    }
}

/// One frame as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    pub(super) kind: Kind,
    pub(super) number: u32,
    pub(super) payload: &'a [u8],
}

/// Why there is no frame.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The other side is gone, between two frames.
    #[error("the other side is gone")]
    End,
    /// The other side is gone within a frame.
    #[error("it broke off within a frame")]
    Cut,
    /// The head announces more than allowed.
    #[error("it announced a frame of {says} bytes, {max} are allowed")]
    TooLarge {
        /// Bytes that it announced.
        says: usize,
        /// Bytes that are allowed.
        max: usize,
    },
    /// The head names no kind.
    #[error("it sent a frame of kind {0}, which there is not")]
    Unknown(u32),
    /// Reading failed.
    #[error(transparent)]
    Read(#[from] io::Error),
}

/// The head of a frame.
pub(super) fn head(kind: Kind, number: u32, payload_bytes: usize) -> io::Result<[u8; HEAD_BYTES]> {
    let len = u32::try_from(payload_bytes)
        .map_err(|_| io::Error::other(format!("{payload_bytes} bytes are no frame")))?;
    Ok(raw_head(len, kind as u32, number))
}

/// The head of a frame from numbers; usable within a signal handler.
pub(super) const fn raw_head(len: u32, kind: u32, number: u32) -> [u8; HEAD_BYTES] {
    let words = [len.to_le_bytes(), kind.to_le_bytes(), number.to_le_bytes()];
    let mut head = [0; HEAD_BYTES];
    let mut at = 0;
    while at < HEAD_BYTES {
        head[at] = words[at / 4][at % 4];
        at += 1;
    }
    head
}

/// Writes one frame whose payload is in pieces, in one system call where it fits.
pub(super) fn write(
    into: &mut impl Write,
    kind: Kind,
    number: u32,
    pieces: &[&[u8]],
) -> io::Result<()> {
    let head = head(kind, number, pieces.iter().map(|piece| piece.len()).sum())?;
    let mut slices = [IoSlice::new(&[]); PARTS_MAX + 2];
    let Some(places) = slices.get_mut(..=pieces.len()) else {
        return Err(io::Error::other("a frame of too many pieces"));
    };
    places[0] = IoSlice::new(&head);
    for (place, piece) in places[1..].iter_mut().zip(pieces) {
        *place = IoSlice::new(piece);
    }
    write_all(into, places)
}

fn write_all(into: &mut impl Write, mut slices: &mut [IoSlice<'_>]) -> io::Result<()> {
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        match into.write_vectored(slices) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut slices, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads frames out of a stream of bytes, into a buffer that is used again.
#[derive(Debug)]
pub(super) struct Frames {
    buffer: Vec<u8>,
    begin: usize,
    end: usize,
    payload_bytes_max: usize,
}

impl Frames {
    pub(super) fn new(payload_bytes_max: usize) -> Self {
        Self {
            buffer: vec![0; BUFFER_BYTES],
            begin: 0,
            end: 0,
            payload_bytes_max,
        }
    }

    /// The next frame. `read` reads some bytes, 0 at the end.
    pub(super) fn next(
        &mut self,
        mut read: impl FnMut(&mut [u8]) -> io::Result<usize>,
    ) -> Result<Frame<'_>, FrameError> {
        self.tidy();
        loop {
            let (frame_bytes, found) = self.wanted()?;
            if let Some((kind, number)) = found {
                let payload = self.begin + HEAD_BYTES..self.begin + frame_bytes;
                self.begin += frame_bytes;
                let payload = &self.buffer[payload];
                return Ok(Frame {
                    kind,
                    number,
                    payload,
                });
            }
            self.make_room(frame_bytes);
            match read(&mut self.buffer[self.end..]) {
                Ok(0) if self.begin == self.end => return Err(FrameError::End),
                Ok(0) => return Err(FrameError::Cut),
                Ok(count) => self.end += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// How many bytes the frame at the front has as far as is known, and its kind where it is whole.
    fn wanted(&self) -> Result<(usize, Option<(Kind, u32)>), FrameError> {
        let there = &self.buffer[self.begin..self.end];
        let Some((head, rest)) = there.split_first_chunk::<HEAD_BYTES>() else {
            return Ok((HEAD_BYTES, None));
        };
        let word =
            |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let says = word(0) as usize;
        let max = self.payload_bytes_max;
        if says > max {
            return Err(FrameError::TooLarge { says, max });
        }
        let kind = Kind::from_number(word(4)).ok_or(FrameError::Unknown(word(4)))?;
        let whole = rest.len() >= says;
        Ok((HEAD_BYTES + says, whole.then_some((kind, word(8)))))
    }

    /// Starts at the front again where everything was taken.
    fn tidy(&mut self) {
        if self.begin < self.end {
            return;
        }
        (self.begin, self.end) = (0, 0);
        if self.buffer.len() > BUFFER_BYTES_KEPT {
            self.buffer = vec![0; BUFFER_BYTES];
        }
    }

    fn make_room(&mut self, frame_bytes: usize) {
        if self.begin + frame_bytes <= self.buffer.len() {
            return;
        }
        self.buffer.copy_within(self.begin..self.end, 0);
        self.end -= self.begin;
        self.begin = 0;
        if frame_bytes > self.buffer.len() {
            self.buffer.resize(frame_bytes, 0);
        }
    }
}

/// The lengths of a call's parts, as they stand before the parts.
pub(super) fn lengths(parts: &[&[u8]]) -> io::Result<Vec<u8>> {
    if parts.len() >= PARTS_MAX {
        return Err(io::Error::other("a call of too many parts"));
    }
    let mut bytes = Vec::with_capacity(4 + 4 * parts.len());
    let lens = parts.iter().map(|part| part.len());
    for number in std::iter::once(parts.len()).chain(lens) {
        let number = u32::try_from(number).map_err(|_| io::Error::other("a part is too large"))?;
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    Ok(bytes)
}

/// Takes a number off the front.
pub(super) fn take_number(bytes: &mut &[u8]) -> Option<u32> {
    let (number, rest) = bytes.split_first_chunk::<4>()?;
    *bytes = rest;
    Some(u32::from_le_bytes(*number))
}

/// Takes a call's parts off the front: places and how many of them are used.
pub(super) fn take_parts<'a>(bytes: &mut &'a [u8]) -> Option<([&'a [u8]; PARTS_MAX], usize)> {
    let count = take_number(bytes)? as usize;
    let mut lens = [0; PARTS_MAX];
    for len in lens.get_mut(..count)? {
        *len = take_number(bytes)? as usize;
    }
    let mut parts: [&[u8]; PARTS_MAX] = [&[]; PARTS_MAX];
    for (part, len) in parts.iter_mut().zip(lens).take(count) {
        (*part, *bytes) = bytes.split_at_checked(len)?;
    }
    Some((parts, count))
}

/// Reads bytes as what the other side of a worker sends, `step` of them at a time, and the parts in each
/// frame's payload: how many frames there were, and why there are no more. For fuzzing.
pub fn read_stream(mut bytes: &[u8], step: usize, payload_bytes_max: usize) -> (usize, FrameError) {
    let mut frames = Frames::new(payload_bytes_max);
    let mut count = 0;
    loop {
        let read = |buffer: &mut [u8]| {
            let (now, later) = bytes.split_at(step.max(1).min(bytes.len()).min(buffer.len()));
            buffer[..now.len()].copy_from_slice(now);
            bytes = later;
            Ok(now.len())
        };
        match frames.next(read) {
            Ok(frame) => {
                let mut payload = frame.payload;
                let _parts = take_parts(&mut payload);
                count += 1;
            }
            Err(error) => return (count, error),
        }
    }
}

#[cfg(test)]
mod tests;
