//! The erasure of one person: what is left of it, which names nobody.

use serde::{Deserialize, Serialize};
use trunkline_plugin_api::Identity;

use super::{ContactId, Millis, mask_identifier};

/// Shortest text that is looked for in what others sent; a shorter one is met by chance.
const NEEDLE_BYTES_MIN: usize = 3;
/// Digits of a number from which it is looked for by its digits alone.
const DIGITS_MIN: usize = 7;

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ErasedCounts {
    /// Messages.
    pub messages: u64,
    /// Of these, messages that waited to be sent.
    pub cancelled: u64,
    /// Conversations.
    pub threads: u64,
    /// Files.
    pub media: u64,
    /// Webhook events, removed or emptied of what they brought.
    pub events: u64,
    /// Everything else that named the person: reports, notifications, marks.
    pub traces: u64,
}

/// An erasure, asked for and done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    /// Who was erased.
    pub contact: ContactId,
    /// The contact and all that were merged into it.
    pub parts: Vec<ContactId>,
    /// Who asked for it.
    pub by: String,
    /// When.
    pub requested_at_ms: Millis,
    /// When nothing of the person could be read any more.
    #[serde(default)]
    pub erased_at_ms: Option<Millis>,
    /// When it had left the files as well.
    #[serde(default)]
    pub compacted_at_ms: Option<Millis>,
    /// What was removed.
    #[serde(default)]
    pub counts: ErasedCounts,
}

impl Erasure {
    /// How far it is, as written in JSON.
    pub fn state(&self) -> &'static str {
        match (self.erased_at_ms, self.compacted_at_ms) {
            (_, Some(_)) => "compacted",
            (Some(_), None) => "erased",
            (None, None) => "erasing",
        }
    }
}

/// The ways in which a person's addresses are written in what came from outside.
#[derive(Debug, Clone, Default)]
pub struct Needles {
    /// Lower case; they stand alone: no letter or digit on either side.
    words: Vec<Vec<u8>>,
    /// In base64, whose case counts.
    encoded: Vec<Vec<u8>>,
    masked: Vec<String>,
}

impl Needles {
    /// What to look for.
    pub fn new<'a>(identities: impl Iterator<Item = &'a Identity>) -> Self {
        let mut needles = Self::default();
        for identity in identities {
            needles.add(&identity.identifier);
        }
        needles
    }

    fn add(&mut self, identifier: &str) {
        if identifier.len() < NEEDLE_BYTES_MIN {
            return;
        }
        let digits = identifier.strip_prefix('+').unwrap_or(identifier);
        let is_number =
            digits.len() >= DIGITS_MIN && digits.bytes().all(|byte| byte.is_ascii_digit());
        let plain = if is_number { digits } else { identifier };
        self.words.push(plain.to_lowercase().into_bytes());
        let percent: String =
            form_urlencoded::byte_serialize(plain.to_lowercase().as_bytes()).collect();
        if percent != plain.to_lowercase() {
            self.words.push(percent.to_lowercase().into_bytes());
        }
        if plain.len() >= DIGITS_MIN {
            self.encoded
                .extend((0..3).map(|shift| in_base64(plain, shift)));
        }
        self.masked.push(mask_identifier(identifier));
    }

    /// Whether one of them stands in these bytes.
    pub fn are_in(&self, bytes: &[u8]) -> bool {
        let lower = bytes.to_ascii_lowercase();
        self.words.iter().any(|word| stands_in(&lower, word))
            || self.encoded.iter().any(|word| find(bytes, word).is_some())
    }

    /// Words with every mention, masked ones included, taken out; none where there is none.
    pub fn redacted(&self, words: &str) -> Option<String> {
        let mut redacted = words.to_owned();
        for masked in &self.masked {
            redacted = redacted.replace(masked.as_str(), "(erased)");
        }
        if self.are_in(redacted.as_bytes()) {
            return Some("(erased)".into());
        }
        (redacted != words).then_some(redacted)
    }
}

/// What base64 always makes of a text that begins `shift` bytes into a group of three.
fn in_base64(text: &str, shift: usize) -> Vec<u8> {
    let padded = [&b"\0\0"[..shift], text.as_bytes()].concat();
    let whole = data_encoding::BASE64.encode(&padded[..padded.len() / 3 * 3]);
    // The first group also holds bits of what stands before.
    let begin = if shift == 0 { 0 } else { 4 };
    whole.as_bytes()[begin..].to_vec()
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    let (first, rest) = needle.split_first()?;
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|byte| byte == first) {
        let at = from + at;
        if bytes[at + 1..].starts_with(rest) {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

fn stands_in(bytes: &[u8], word: &[u8]) -> bool {
    let mut from = 0;
    while let Some(at) = find(&bytes[from..], word) {
        let (begin, end) = (from + at, from + at + word.len());
        let before = &bytes[..begin];
        // `%2B`, `%22` before it are no letters of a word.
        let escaped = before.len() >= 3 && before[before.len() - 3] == b'%';
        let open = escaped || before.last().is_none_or(|b| !b.is_ascii_alphanumeric());
        let shut = bytes.get(end).is_none_or(|b| !b.is_ascii_alphanumeric());
        if open && shut {
            return true;
        }
        from = begin + 1;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needles(space: &str, identifier: &str) -> Needles {
        Needles::new([Identity::new(space, identifier)].iter())
    }

    #[test]
    fn an_address_is_found_however_it_is_written() {
        let number = needles("phone", "+15005550101");
        for text in [
            "From=%2B15005550101&Body=x",
            "{\"from\":\"15005550101\"}",
            "+15005550101",
        ] {
            assert!(number.are_in(text.as_bytes()), "{text}");
        }
        assert!(!number.are_in(b"115005550101"));
        assert!(!number.are_in(b"150055501012"));
        let mail = needles("email", "ada@example.org");
        for text in ["From: Ada <ADA@Example.org>", "to=ada%40example.org"] {
            assert!(mail.are_in(text.as_bytes()), "{text}");
        }
        assert!(!mail.are_in(b"xada@example.org"));
        for before in ["", "a", "ab", "abc"] {
            let raw = format!("{before}From: ada@example.org\r\n");
            let encoded = data_encoding::BASE64.encode(raw.as_bytes());
            assert!(mail.are_in(encoded.as_bytes()), "{before}");
        }
    }

    #[test]
    fn words_lose_what_names_the_person() {
        let number = needles("phone", "+15005550101");
        let words = number.redacted("to +1******0101 not sent");
        assert_eq!(words.as_deref(), Some("to (erased) not sent"));
        assert_eq!(
            number.redacted("it is +15005550101").as_deref(),
            Some("(erased)")
        );
        assert_eq!(number.redacted("nothing here"), None);
    }
}
