//! A mail as it stands in the request: headers, parts, texts.
//!
//! ```text
//! bytes ─ Mail::parse ─> headers, leaves ─ text::decode ─> the texts
//!                                       └─ ranges of the body ─> attachments
//! ```
//!
//! mail-parser reads headers, encodings and charsets. The parts are found here, since its parser of whole mails
//! decodes each attachment into memory, while here an attachment is a stretch of the request's body.

mod headers;
mod parts;
mod text;

pub(crate) use headers::Headers;
pub(crate) use parts::{Encoding, Leaf};
pub(crate) use text::{decoded, from_html, text_of};

use mail_parser::MessageParser;

/// A parsed mail. Everything is borrowed from the request's body.
pub(crate) struct Mail<'m> {
    /// The headers of the mail itself.
    pub(crate) headers: Headers<'m>,
    /// Its parts that have no parts of their own, in order.
    pub(crate) leaves: Vec<Leaf<'m>>,
    /// True where there were more parts, or deeper ones, than are looked at.
    pub(crate) is_cut: bool,
    /// All of it.
    pub(crate) bytes: &'m [u8],
}

impl<'m> Mail<'m> {
    /// Reads a mail; none where there is no header at all. Everything else is made the best of.
    pub(crate) fn parse(parser: &MessageParser, bytes: &'m [u8]) -> Option<Self> {
        let start = after_mbox_line(bytes);
        let (headers, body) = Headers::read(parser, &bytes[start..]);
        if headers.is_empty() {
            return None;
        }
        let mut walk = parts::Walk::new(parser, bytes);
        walk.entity(&headers, start + body..bytes.len());
        Some(Self {
            headers,
            leaves: walk.leaves,
            is_cut: walk.is_cut,
            bytes,
        })
    }

    /// The first part of this type, `message/delivery-status`.
    pub(crate) fn leaf(&self, content_type: &str) -> Option<&Leaf<'m>> {
        self.leaves
            .iter()
            .find(|leaf| leaf.content_type == content_type)
    }
}

/// Some MTAs put the separator line of a mailbox file before a mail that they pipe.
fn after_mbox_line(bytes: &[u8]) -> usize {
    if !bytes.starts_with(b"From ") {
        return 0;
    }
    memchr::memchr(b'\n', bytes).map_or(bytes.len(), |end| end + 1)
}
