//! A webhook as it is listed, and kept for replay where it was verified.

use serde::{Deserialize, Serialize};

use super::{ChannelId, EventId, Millis};

/// What became of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Stored.
    Accepted,
    /// Everything in it was here already.
    Duplicate,
    /// Not genuine.
    Rejected,
    /// Genuine, but the adapter could not read it; kept for replay.
    Unparsed,
    /// Genuine, but we failed on it; replayed by the daemon itself.
    Pending,
}

impl Outcome {
    /// The outcome as it is written in JSON and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Rejected => "rejected",
            Self::Unparsed => "unparsed",
            Self::Pending => "pending",
        }
    }
}

/// The mark by which a message is known when it comes again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The provider's id of the message.
    pub id: String,
    /// The channel that the message went to, where it is not the one that received the webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<ChannelId>,
}

/// One webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookEvent {
    /// Its id.
    pub id: EventId,
    /// The channel that it came to.
    pub channel: ChannelId,
    /// When.
    pub received_at_ms: Millis,
    /// What became of it.
    pub outcome: Outcome,
    /// Whether the adapter vouched for it.
    pub signature_valid: bool,
    /// Microseconds from the last byte of the request to the hand-over to the commit log.
    pub latency_us: u64,
    /// How many messages in it were new.
    pub messages: u32,
    /// How many of them were over a limit.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub limited: u32,
    /// The dedupe marks of those new messages, which end with the event.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<Mark>,
    /// Why it was rejected or could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Upper-case method.
    pub method: String,
    /// URL as the provider called it, its path token masked. Verified requests keep it whole in
    /// `raw_url` for replay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_url: Option<String>,
    /// Headers of a verified request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub raw_headers: Vec<(String, String)>,
    /// Body of a verified request, where it is small.
    #[serde(default, with = "bytes_field", skip_serializing_if = "Vec::is_empty")]
    pub raw_body: Vec<u8>,
    /// SHA-256 of the body's file, lower-case hex, where it is large.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_file: Option<String>,
}

/// The method of an event whose request was erased.
pub const ERASED: &str = "ERASED";

impl WebhookEvent {
    /// A genuine one that was accepted, with nothing in it yet and no raw request.
    pub fn new(
        id: EventId,
        channel: ChannelId,
        received_at_ms: Millis,
        method: impl Into<String>,
    ) -> Self {
        Self {
            id,
            channel,
            received_at_ms,
            outcome: Outcome::Accepted,
            signature_valid: true,
            latency_us: 0,
            messages: 0,
            limited: 0,
            marks: Vec::new(),
            reason: None,
            method: method.into(),
            raw_url: None,
            raw_headers: Vec::new(),
            raw_body: Vec::new(),
            raw_file: None,
        }
    }
}

impl WebhookEvent {
    /// Takes out what it brought. It can't be replayed any more.
    pub fn empty(&mut self, why: &str) {
        ERASED.clone_into(&mut self.method);
        self.raw_url = None;
        self.raw_headers = Vec::new();
        self.raw_body = Vec::new();
        self.raw_file = None;
        self.reason = Some(why.to_owned());
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// Bytes as one binary value: the derived form would write an array of numbers.
mod bytes_field {
    use serde::{Deserializer, Serializer, de::Visitor};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<u8>, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Vec<u8>;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }

            fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
                Ok(bytes)
            }
        }
        deserializer.deserialize_byte_buf(Bytes)
    }
}
