//! The headers of a mail or of one of its parts.

use mail_parser::{Addr, ContentType, Header, HeaderValue, MessageParser};
use trunkline_plugin_api::Timestamp;

/// Bytes of one header section that are looked at.
const SECTION_BYTES_MAX: usize = 256 * 1024;

/// Headers in the order of the mail. A name may come several times.
#[derive(Clone, Default)]
pub(crate) struct Headers<'m> {
    list: Vec<Header<'m>>,
}

impl<'m> Headers<'m> {
    /// Reads a header section, and says where the body behind it begins.
    pub(crate) fn read(parser: &MessageParser, bytes: &'m [u8]) -> (Self, usize) {
        let (section, body) = section(bytes);
        let section = &bytes[..section.min(SECTION_BYTES_MAX)];
        let list = parser
            .parse_headers(section)
            .and_then(|mut message| message.parts.pop())
            .map(|part| part.headers)
            .unwrap_or_default();
        (Self { list }, body)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    fn values(&self, name: &'static str) -> impl Iterator<Item = &HeaderValue<'m>> {
        self.list
            .iter()
            .filter(move |header| header.name.as_str().eq_ignore_ascii_case(name))
            .map(|header| &header.value)
    }

    /// True where there is a header of this name, whatever it holds.
    pub(crate) fn has(&self, name: &'static str) -> bool {
        self.values(name).next().is_some()
    }

    /// The first text under a name: unfolded, encoded words decoded, trimmed, not empty.
    pub(crate) fn text(&self, name: &'static str) -> Option<&str> {
        self.values(name)
            .filter_map(|value| match value {
                HeaderValue::Text(text) => Some(text.as_ref()),
                HeaderValue::TextList(list) => list.first().map(AsRef::as_ref),
                _ => None,
            })
            .map(str::trim)
            .find(|text| !text.is_empty())
    }

    /// The message ids under a name, without their brackets.
    pub(crate) fn ids(&self, name: &'static str) -> Vec<&str> {
        let lists = self.values(name).map(|value| match value {
            HeaderValue::Text(text) => std::slice::from_ref(text),
            HeaderValue::TextList(list) => list.as_slice(),
            _ => &[],
        });
        lists
            .flatten()
            .map(|id| id.trim().trim_matches(['<', '>']))
            .filter(|id| crate::address::is_message_id(id))
            .collect()
    }

    /// The addresses under a name, those of groups too.
    pub(crate) fn addresses(&self, name: &'static str) -> Vec<&Addr<'m>> {
        let mut found = Vec::new();
        for value in self.values(name) {
            if let HeaderValue::Address(addresses) = value {
                found.extend(addresses.iter());
            }
        }
        found
    }

    /// `Content-Type` or `Content-Disposition`.
    pub(crate) fn content(&self, name: &'static str) -> Option<&ContentType<'m>> {
        self.values(name).find_map(HeaderValue::as_content_type)
    }

    /// The time under a name.
    pub(crate) fn time(&self, name: &'static str) -> Option<Timestamp> {
        let time = self.values(name).find_map(|value| match value {
            HeaderValue::DateTime(time) if time.is_valid() => Some(time),
            _ => None,
        });
        time.map(|time| time.to_timestamp().saturating_mul(1_000))
    }
}

/// Where the header section ends, and where the body begins: behind the first empty line.
fn section(bytes: &[u8]) -> (usize, usize) {
    let mut line = 0;
    loop {
        match &bytes[line..] {
            [b'\n', ..] => return (line, line + 1),
            [b'\r', b'\n', ..] => return (line, line + 2),
            rest => match memchr::memchr(b'\n', rest) {
                Some(end) => line += end + 1,
                None => return (bytes.len(), bytes.len()),
            },
        }
    }
}
