//! The body of a request: bytes of the adapter's, files of the daemon's, or both.

use serde::{Deserialize, Serialize};

use crate::MediaRef;

/// Where a request's body comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum Body {
    /// There is none.
    #[default]
    Empty,
    /// These bytes; they cross the plugin boundary as part 1.
    Bytes {
        /// The bytes.
        #[serde(skip)]
        bytes: Vec<u8>,
    },
    /// An attachment, streamed by the daemon.
    Media {
        /// Which.
        media: MediaRef,
    },
    /// Bytes and attachments one after the other, streamed by the daemon: a multipart upload, a mail
    /// with attachments.
    Pieces {
        /// The bytes of all [`Piece::Bytes`] in order; they cross the plugin boundary as part 1.
        #[serde(skip)]
        bytes: Vec<u8>,
        /// The pieces in order.
        pieces: Vec<Piece>,
    },
}

/// A stretch of a [`Body::Pieces`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "piece", rename_all = "snake_case")]
pub enum Piece {
    /// The next bytes of part 1.
    Bytes {
        /// How many.
        len: u64,
    },
    /// A file of the daemon ([`MediaRef::sha256`]).
    Media {
        /// Which.
        media: MediaRef,
        /// How its bytes are written.
        #[serde(default)]
        encoding: PieceEncoding,
    },
}

/// How the bytes of an attachment are written into a [`Body::Pieces`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PieceEncoding {
    /// As they are.
    #[default]
    Identity,
    /// In base64 without line breaks.
    Base64,
    /// In base64 lines of 76 characters, each ended by CR LF (RFC 2045), the last one too.
    Base64Lines,
}

impl Body {
    /// A body of pieces; fill it with [`Body::push_bytes`] and [`Body::push_media`].
    pub fn pieces() -> Self {
        Self::Pieces {
            bytes: Vec::new(),
            pieces: Vec::new(),
        }
    }

    /// Appends bytes. A body that is not of pieces becomes one.
    pub fn push_bytes(&mut self, more: &[u8]) {
        let (bytes, pieces) = self.as_pieces();
        bytes.extend_from_slice(more);
        let more = more.len() as u64;
        match pieces.last_mut() {
            Some(Piece::Bytes { len }) => *len += more,
            _ => pieces.push(Piece::Bytes { len: more }),
        }
    }

    /// Appends a file of the daemon. A body that is not of pieces becomes one.
    pub fn push_media(&mut self, media: MediaRef, encoding: PieceEncoding) {
        self.as_pieces().1.push(Piece::Media { media, encoding });
    }

    fn as_pieces(&mut self) -> (&mut Vec<u8>, &mut Vec<Piece>) {
        if !matches!(self, Self::Pieces { .. }) {
            let before = std::mem::replace(self, Self::pieces());
            match before {
                Self::Bytes { bytes } => self.push_bytes(&bytes),
                Self::Media { media } => self.push_media(media, PieceEncoding::Identity),
                Self::Empty | Self::Pieces { .. } => {}
            }
        }
        match self {
            Self::Pieces { bytes, pieces } => (bytes, pieces),
            _ => unreachable!("made one above"),
        }
    }
}
