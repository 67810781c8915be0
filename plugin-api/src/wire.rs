//! What crosses the plugin boundary: operation numbers, return codes, and how values become parts.
//!
//! ```text
//! host   value ── Call ──> part 0: JSON, part 1: raw bytes ──┐
//!                                                            v  tl_adapter_v1.call
//! plugin                              serve ── Adapter ── Answer
//!                                                            │
//! host   value <── decode <── read_parts <── u64 length, bytes, u64 length, bytes
//! ```
//!
//! Part 0 is always JSON, part 1 the one byte string that must not be changed on its way (a body).
//! Input parts arrive as an array; output parts are written into the host's sink one after the
//! other, each behind its length as an unsigned 64-bit little-endian number. An empty part 1 may
//! be left out.

mod call;
mod carry;
mod serve;

use serde::{Serialize, de::DeserializeOwned};

pub use call::{Call, OpenInput, Opened};
pub use carry::Carries;
pub use serve::{Answer, answer, describe, open, receive};

/// The version in the name of the exported symbol; a host loads no other.
pub const ABI_MAJOR: u32 = 1;
/// What was added compatibly since; told to each other in `open`.
pub const ABI_MINOR: u32 = 0;
/// `TLADAPT1` in ASCII, read as a little-endian number: the first field of the adapter's table.
pub const MAGIC: u64 = u64::from_le_bytes(*b"TLADAPT1");
/// Parts in one direction; more is refused.
pub const PARTS_MAX: usize = 16;
/// Most inputs and answers fit: one allocation instead of several, of a size that allocators keep at hand.
const JSON_BYTES_USUAL: usize = 1024;

/// The calls by their number. Numbers are never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Op {
    /// Verify and read a webhook.
    Receive = 1,
    /// Send a message.
    Send = 2,
    /// Check the provider.
    Probe = 3,
    /// Ask for a sent message's state.
    DeliveryStatus = 4,
    /// Look up a send of unknown outcome.
    FindSent = 5,
    /// List what came in.
    ListInbound = 6,
    /// List templates.
    Templates = 7,
    /// Fetch an attachment.
    FetchMedia = 8,
    /// Mark a message as read.
    MarkRead = 9,
    /// Make the events of a webhook that only announced them.
    Complete = 10,
}

impl Op {
    /// All of them, by number.
    pub const ALL: [Self; 10] = [
        Self::Receive,
        Self::Send,
        Self::Probe,
        Self::DeliveryStatus,
        Self::FindSent,
        Self::ListInbound,
        Self::Templates,
        Self::FetchMedia,
        Self::MarkRead,
        Self::Complete,
    ];

    /// The call of a number; none where this version has none.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|op| op.number() == number)
    }

    /// Its number.
    pub fn number(self) -> u32 {
        self as u32
    }

    /// Its name, as in [`crate::Capability`].
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Receive => "receive",
            Self::Send => "send",
            Self::Probe => "probe",
            Self::DeliveryStatus => "delivery_status",
            Self::FindSent => "find_sent",
            Self::ListInbound => "list_inbound",
            Self::Templates => "templates",
            Self::FetchMedia => "fetch_media",
            Self::MarkRead => "mark_read",
            Self::Complete => "complete",
        }
    }
}

/// What every function of the table returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum Code {
    /// Done; part 0 is the JSON of the result.
    Ok = 0,
    /// Failed; part 0 is an [`crate::AdapterError`].
    Error = 1,
    /// There is no such call; no part needed.
    Unsupported = 2,
    /// The input can't be read; part 0 says why, as plain text.
    BadInput = 3,
    /// The adapter panicked; part 0 holds its last words, as plain text.
    Panic = 4,
}

impl Code {
    /// The code of a number; none where the number means nothing.
    pub fn from_number(number: i32) -> Option<Self> {
        [
            Self::Ok,
            Self::Error,
            Self::Unsupported,
            Self::BadInput,
            Self::Panic,
        ]
        .into_iter()
        .find(|code| *code as i32 == number)
    }
}

/// Why parts could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// There is nothing.
    #[error("part 0 is missing")]
    Missing,
    /// More parts than [`PARTS_MAX`].
    #[error("more than {PARTS_MAX} parts")]
    TooMany,
    /// A part is shorter than its length says.
    #[error("part {part} says {says} bytes, {has} follow")]
    Truncated {
        /// Number of the part.
        part: usize,
        /// The length before it.
        says: u64,
        /// What is there.
        has: usize,
    },
    /// Fewer than eight bytes where a length should be.
    #[error("part {part} begins with {has} bytes, a length has 8")]
    NoLength {
        /// Number of the part.
        part: usize,
        /// What is there.
        has: usize,
    },
    /// Part 0 is not the JSON that belongs here.
    #[error("part 0 is not the JSON of {what}: {detail}")]
    Json {
        /// The type expected.
        what: &'static str,
        /// Why, without the offending value.
        detail: String,
    },
    /// Part 1 has bytes, but part 0 has no place for them.
    #[error("part 1 holds {len} bytes, but {what} in part 0 has no place for them")]
    Stray {
        /// The type in part 0.
        what: &'static str,
        /// How many.
        len: usize,
    },
}

/// The parts of an output: the JSON and the raw bytes behind it, empty where left out.
pub fn read_parts(mut bytes: &[u8]) -> Result<(&[u8], &[u8]), WireError> {
    let mut parts = [&bytes[..0]; 2];
    let mut part = 0;
    while !bytes.is_empty() {
        if part == PARTS_MAX {
            return Err(WireError::TooMany);
        }
        let has = bytes.len();
        let (head, rest) = bytes
            .split_first_chunk::<8>()
            .ok_or(WireError::NoLength { part, has })?;
        let says = u64::from_le_bytes(*head);
        let (body, rest) = usize::try_from(says)
            .ok()
            .and_then(|len| rest.split_at_checked(len))
            .ok_or(WireError::Truncated {
                part,
                says,
                has: rest.len(),
            })?;
        // Parts behind the second are of a later minor version: read over, not refused.
        if let Some(place) = parts.get_mut(part) {
            *place = body;
        }
        bytes = rest;
        part += 1;
    }
    if part == 0 {
        return Err(WireError::Missing);
    }
    Ok((parts[0], parts[1]))
}

/// Reads a value from its JSON and its raw bytes.
pub fn decode<T: Carries + DeserializeOwned>(json: &[u8], raw: &[u8]) -> Result<T, WireError> {
    let mut value: T = serde_json::from_slice(json).map_err(|error| WireError::Json {
        what: T::WHAT,
        detail: without_value(&error),
    })?;
    if !raw.is_empty() {
        let slot = value.raw_slot().ok_or(WireError::Stray {
            what: T::WHAT,
            len: raw.len(),
        })?;
        *slot = raw.to_vec();
    }
    Ok(value)
}

/// Writes a value as JSON.
pub(crate) fn encode<T: Serialize>(value: &T) -> serde_json::Result<Vec<u8>> {
    let mut json = Vec::with_capacity(JSON_BYTES_USUAL);
    serde_json::to_writer(&mut json, value)?;
    Ok(json)
}

/// A JSON error's words without the value that was wrong: it may be a secret or a message's text.
pub fn without_value(error: &serde_json::Error) -> String {
    let words = error.to_string();
    for kind in ["invalid type", "invalid value"] {
        if words.starts_with(kind)
            && let Some(at) = words.rfind(", expected ")
        {
            return format!("{kind}{}", &words[at..]);
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::{Received, Response, Step, Verdict};

    fn framed(parts: &[&[u8]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for part in parts {
            bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
            bytes.extend_from_slice(part);
        }
        bytes
    }

    #[test]
    fn parts_are_read_as_written() {
        assert_eq!(
            read_parts(&framed(&[b"{}", b"raw"])),
            Ok((&b"{}"[..], &b"raw"[..]))
        );
        assert_eq!(read_parts(&framed(&[b"{}"])), Ok((&b"{}"[..], &b""[..])));
        assert_eq!(
            read_parts(&framed(&[b"{}", b"", b"later"])),
            Ok((&b"{}"[..], &b""[..]))
        );
    }

    #[test]
    fn broken_frames_are_refused_in_words() {
        let mut short = framed(&[b"{}", b"raw"]);
        short.pop();
        let cases: [(&[u8], &str); 4] = [
            (b"", "part 0 is missing"),
            (b"{}", "part 0 begins with 2 bytes, a length has 8"),
            (&short, "part 1 says 3 bytes, 2 follow"),
            (
                &[0xff; 9],
                "part 0 says 18446744073709551615 bytes, 1 follow",
            ),
        ];
        for (bytes, words) in cases {
            assert_eq!(
                read_parts(bytes).expect_err("broken").to_string(),
                words,
                "{bytes:?}"
            );
        }
        assert_eq!(
            read_parts(&framed(&[&b""[..]; PARTS_MAX + 1])),
            Err(WireError::TooMany)
        );
    }

    #[test]
    fn a_body_travels_beside_its_json() {
        let received = Received {
            reason: Some("no".into()),
            ..Received::authentic(
                Response::with_body(200, "text/xml", vec![0, 159, 146]),
                vec![],
            )
        };
        let answer = Answer::ok(received.clone());
        assert_eq!(answer.raw, vec![0, 159, 146]);
        assert_eq!(decode::<Received>(&answer.json, &answer.raw), Ok(received));
    }

    #[test]
    fn stray_bytes_are_refused() {
        let json = json!({"step": "done", "result": null}).to_string();
        let error = decode::<Step<()>>(json.as_bytes(), b"?").expect_err("no place");
        assert_eq!(
            error.to_string(),
            "part 1 holds 1 bytes, but Step in part 0 has no place for them"
        );
    }

    #[test]
    fn errors_never_quote_the_value() {
        let wrong =
            json!({"verdict": "authentic", "response": {"status": "hush, expected"}}).to_string();
        let error = decode::<Received>(wrong.as_bytes(), b"").expect_err("wrong type");
        let words = error.to_string();
        assert!(
            !words.contains("hush") && words.contains("expected u16"),
            "{words}"
        );
    }

    #[test]
    fn numbers_and_names_go_both_ways() {
        for op in Op::ALL {
            assert_eq!(Op::from_number(op.number()), Some(op));
        }
        assert_eq!(Op::from_number(0), None);
        assert_eq!(Op::from_number(11), None);
        assert_eq!(Code::from_number(4), Some(Code::Panic));
        assert_eq!(Code::from_number(5), None);
        assert!(Verdict::Challenge.is_authentic());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok((json, raw)) = read_parts(&bytes) {
                prop_assert!(json.len() + raw.len() + 8 <= bytes.len());
            }
        }
    }
}
