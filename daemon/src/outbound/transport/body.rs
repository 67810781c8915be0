//! Bodies that go out: bytes and files of the daemon, as a stream of chunks whose length is known
//! before the first of them.

use std::{collections::VecDeque, fs::File, io, io::Read as _, ops::Range, sync::Arc};

use data_encoding::BASE64;
use futures_util::{Stream, stream};
use sha2::{Digest, Sha256};
use trunkline_plugin_api::{Body, FileReply, MediaRef, Piece, PieceEncoding, TransportError};

use super::refused;
use crate::{
    model::{MediaHash, OrgId},
    store::Store,
};

/// Bytes of a base64 line (RFC 2045: at most 76 characters).
const LINE_BYTES: usize = 57;
/// Bytes read from a file at once: whole base64 lines.
const CHUNK_BYTES: usize = LINE_BYTES * 1024;

/// A body on its way out. Holds one chunk at a time, whatever its length.
pub(crate) struct BodyStream {
    segments: VecDeque<Segment>,
    len: u64,
}

enum Segment {
    /// A stretch of the bytes that the adapter gave.
    Bytes(Arc<Vec<u8>>, Range<usize>),
    File(FileSegment),
}

struct FileSegment {
    file: File,
    left: u64,
    encoding: PieceEncoding,
}

impl BodyStream {
    /// Opens a body. Files are those of the organization; another one's, or none's, are refused.
    pub(crate) fn open(store: &Store, org: OrgId, body: &Body) -> Result<Self, TransportError> {
        let mut opened = Self {
            segments: VecDeque::new(),
            len: 0,
        };
        match body {
            Body::Empty => {}
            Body::Bytes { bytes } => opened.push_bytes(&Arc::new(bytes.clone()), 0..bytes.len()),
            Body::Media { media } => {
                opened.push_file(store, org, media, PieceEncoding::Identity)?;
            }
            Body::Pieces { bytes, pieces } => {
                let bytes = Arc::new(bytes.clone());
                let mut at = 0_usize;
                for piece in pieces {
                    match piece {
                        Piece::Bytes { len } => {
                            let end = usize::try_from(*len)
                                .ok()
                                .and_then(|len| at.checked_add(len));
                            let end = end.filter(|end| *end <= bytes.len());
                            let end = end.ok_or_else(|| {
                                refused("the pieces of the body are longer than its bytes".into())
                            })?;
                            opened.push_bytes(&bytes, at..end);
                            at = end;
                        }
                        Piece::Media { media, encoding } => {
                            opened.push_file(store, org, media, *encoding)?;
                        }
                    }
                }
            }
        }
        Ok(opened)
    }

    /// The next `len` bytes of a file.
    pub(crate) fn of_file(file: File, len: u64) -> Self {
        let mut opened = Self {
            segments: VecDeque::new(),
            len: 0,
        };
        opened.push_open(file, len, PieceEncoding::Identity);
        opened
    }

    fn push_open(&mut self, file: File, size: u64, encoding: PieceEncoding) {
        self.len += encoded_len(size, encoding);
        if size > 0 {
            self.segments.push_back(Segment::File(FileSegment {
                file,
                left: size,
                encoding,
            }));
        }
    }

    fn push_bytes(&mut self, bytes: &Arc<Vec<u8>>, range: Range<usize>) {
        self.len += range.len() as u64;
        if !range.is_empty() {
            let segment = Segment::Bytes(bytes.clone(), range);
            self.segments.push_back(segment);
        }
    }

    fn push_file(
        &mut self,
        store: &Store,
        org: OrgId,
        media: &MediaRef,
        encoding: PieceEncoding,
    ) -> Result<(), TransportError> {
        let name = media.sha256.as_deref().unwrap_or_default();
        let hash: MediaHash = name
            .parse()
            .map_err(|error| refused(format!("the body names no file: {error}")))?;
        let record = store.media(org, &hash);
        let record = record.map_err(|error| refused(error.to_string()))?;
        let record = record
            .ok_or_else(|| refused(format!("there is no file {hash} in this organization")))?;
        let file = store.media_files().open(&hash, record.size);
        let file = file.map_err(|error| refused(format!("the file {hash}: {error}")))?;
        self.push_open(file, record.size, encoding);
        Ok(())
    }

    /// Its length in bytes.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// The next bytes, at most about 80 kB; none at the end. Files are read where blocking is
    /// allowed. An error is a file that can't be read, or that became shorter.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        match self.segments.pop_front() {
            None => Ok(None),
            Some(Segment::Bytes(bytes, range)) => Ok(Some(self.take_bytes(&bytes, range))),
            Some(Segment::File(mut segment)) => {
                let read = tokio::task::spawn_blocking(move || {
                    let chunk = segment.read()?;
                    Ok::<_, io::Error>((chunk, segment))
                });
                let (chunk, segment) = read.await.map_err(io::Error::other)??;
                if segment.left > 0 {
                    self.segments.push_front(Segment::File(segment));
                }
                Ok(Some(chunk))
            }
        }
    }

    fn take_bytes(&mut self, bytes: &Arc<Vec<u8>>, range: Range<usize>) -> Vec<u8> {
        let end = range.end.min(range.start + CHUNK_BYTES);
        if end < range.end {
            self.segments
                .push_front(Segment::Bytes(bytes.clone(), end..range.end));
        }
        bytes[range.start..end].to_vec()
    }

    /// The same as a stream.
    pub(crate) fn into_stream(self) -> impl Stream<Item = io::Result<Vec<u8>>> + Send + 'static {
        stream::try_unfold(self, |mut body| async move {
            let chunk = body.next().await?;
            Ok(chunk.map(|chunk| (chunk, body)))
        })
    }

    /// Reads all of it for its digest.
    pub(super) async fn digest(mut self) -> io::Result<FileReply> {
        let (mut hasher, size) = (Sha256::new(), self.len);
        while let Some(chunk) = self.next().await? {
            hasher.update(&chunk);
        }
        let sha256 = MediaHash::new(hasher.finalize().into()).to_string();
        Ok(FileReply { sha256, size })
    }
}

impl FileSegment {
    fn read(&mut self) -> io::Result<Vec<u8>> {
        let len = usize::try_from(self.left).map_or(CHUNK_BYTES, |left| left.min(CHUNK_BYTES));
        let mut chunk = vec![0; len];
        self.file.read_exact(&mut chunk)?;
        self.left -= len as u64;
        Ok(match self.encoding {
            PieceEncoding::Identity => chunk,
            PieceEncoding::Base64 => BASE64.encode(&chunk).into_bytes(),
            PieceEncoding::Base64Lines => {
                let mut text = String::with_capacity(len * 7 / 5 + 4);
                for line in chunk.chunks(LINE_BYTES) {
                    BASE64.encode_append(line, &mut text);
                    text.push_str("\r\n");
                }
                text.into_bytes()
            }
        })
    }
}

/// How many bytes `size` bytes of a file become.
fn encoded_len(size: u64, encoding: PieceEncoding) -> u64 {
    let base64 = size.div_ceil(3) * 4;
    match encoding {
        PieceEncoding::Identity => size,
        PieceEncoding::Base64 => base64,
        PieceEncoding::Base64Lines => base64 + 2 * size.div_ceil(LINE_BYTES as u64),
    }
}

#[cfg(test)]
mod tests;
