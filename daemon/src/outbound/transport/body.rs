//! Bodies that go out, as a stream of chunks whose length is known before the first of them.

use std::io;

use trunkline_plugin_api::{Body, Piece, TransportError};

use super::unavailable;

/// Bytes of one chunk.
const CHUNK_BYTES: usize = 64 * 1024;

/// A body on its way out.
pub(crate) struct BodyStream {
    bytes: Vec<u8>,
    at: usize,
}

impl BodyStream {
    /// Opens a body. The error says what can't be sent; nothing was.
    pub(crate) fn open(body: &Body) -> Result<Self, TransportError> {
        let is_bytes = |piece: &Piece| matches!(piece, Piece::Bytes { .. });
        let bytes = match body {
            Body::Empty => Vec::new(),
            Body::Bytes { bytes } => bytes.clone(),
            Body::Pieces { bytes, pieces } if pieces.iter().all(is_bytes) => bytes.clone(),
            Body::Pieces { .. } | Body::Media { .. } => {
                return Err(unavailable("sending media files"));
            }
        };
        Ok(Self { bytes, at: 0 })
    }

    /// Its length in bytes.
    pub(crate) fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// The next bytes; none at the end.
    #[allow(clippy::unused_async, reason = "bodies of files wait for the disk")]
    pub(crate) async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let end = self.bytes.len().min(self.at + CHUNK_BYTES);
        let chunk = self.bytes[self.at..end].to_vec();
        self.at = end;
        Ok((!chunk.is_empty()).then_some(chunk))
    }
}
