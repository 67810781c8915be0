//! The lines of an export: one JSON object each, told apart by `type`.
//!
//! Members are named as in the API. What a reader does not know it passes over; what is missing takes the default
//! where one is named, and is an error where none is.

mod people;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use trunkline_plugin_api::{ConsentChange, Content, Identity, Medium};

use crate::model::{
    Author, ChannelId, ConsentSource, ConsentState, ContactId, Direction, EventId, Failure,
    MediaFailure, MessageId, Millis, Source, Status, ThreadId, ThreadState,
};

pub use people::{ApartLine, ContactLine, IdentityLine, MergedLine};

/// The version of this format. A reader refuses a higher one.
pub const VERSION: u32 = 1;

/// A time: RFC 3339 in UTC with milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(with = "String")]
pub struct Time(pub Millis);

impl Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let at = jiff::Timestamp::from_millisecond(self.0).map_err(serde::ser::Error::custom)?;
        serializer.collect_str(&format_args!("{at:.3}"))
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'_, str>::deserialize(deserializer)?;
        let at: jiff::Timestamp = text
            .parse()
            .map_err(|_| serde::de::Error::custom("not a time such as 2026-11-21T09:30:00.000Z"))?;
        match at.as_millisecond() {
            ms if ms >= 0 => Ok(Self(ms)),
            _ => Err(serde::de::Error::custom("a time before 1970")),
        }
    }
}

/// Any line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Line {
    /// The first line.
    Header(Header),
    /// An organization; what follows names it.
    Organization(Organization),
    /// A person.
    Contact(ContactLine),
    /// A conversation.
    Thread(ThreadLine),
    /// What is known of a file.
    Media(MediaLine),
    /// Bytes of the file of the `media` line before, in order.
    MediaChunk(MediaChunk),
    /// A message.
    Message(Box<MessageLine>),
    /// Whether a person may be written to from one of our addresses, and the proofs.
    Consent(ConsentLine),
    /// The last line: without it the file was cut off.
    End(End),
}

/// What the file is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Header {
    /// The version of this format: 1.
    pub version: u32,
    /// What wrote it.
    #[serde(default)]
    pub written_by: Option<String>,
    /// When.
    #[serde(default)]
    pub exported_at: Option<Time>,
    /// The commit of the store at which it began.
    #[serde(default)]
    pub position: Option<u64>,
    /// The organizations in it.
    #[serde(default)]
    pub organizations: Vec<String>,
    /// Only messages from this time on are in it.
    #[serde(default)]
    pub since: Option<Time>,
    /// Whether the bytes of files are in it.
    #[serde(default)]
    pub media: bool,
}

/// An organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Organization {
    /// Its slug, as configured.
    pub organization: String,
}

/// A conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ThreadLine {
    /// Whose.
    pub organization: String,
    /// UUID of version 7, whose bits 22 to 61 from the right are the thread's number.
    #[schemars(with = "String")]
    pub id: ThreadId,
    /// With whom.
    #[schemars(with = "String")]
    pub contact: ContactId,
    /// Whether it is open.
    pub state: ThreadState,
    /// Whether a person has taken it over.
    #[serde(default)]
    pub needs_human: bool,
    /// The channel of its newest message.
    #[schemars(with = "String")]
    pub last_channel: ChannelId,
    /// When it began.
    pub created_at: Time,
    /// When something last happened in it.
    pub updated_at: Time,
}

/// What is known of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MediaLine {
    /// Whose.
    pub organization: String,
    /// SHA-256 of its bytes, lower-case hex.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
    /// MIME type.
    pub content_type: String,
    /// File name.
    #[serde(default)]
    pub name: Option<String>,
    /// When it was stored.
    pub stored_at: Time,
    /// Messages that name it.
    #[serde(default)]
    pub references: u32,
}

/// Bytes of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MediaChunk {
    /// Of which.
    pub sha256: String,
    /// Where they begin in the file.
    pub offset: u64,
    /// Base64, at most 256 KiB of bytes.
    pub data: String,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MessageLine {
    /// Whose.
    pub organization: String,
    /// UUID of version 7; its last 62 bits are the thread's number (40) and the place in the thread (22).
    #[schemars(with = "String")]
    pub id: MessageId,
    /// Its conversation.
    #[schemars(with = "String")]
    pub thread: ThreadId,
    /// By which channel.
    #[schemars(with = "String")]
    pub channel: ChannelId,
    /// The kind of conversation.
    pub medium: Medium,
    /// Which way it went.
    pub direction: Direction,
    /// With whom.
    #[schemars(with = "String")]
    pub contact: ContactId,
    /// Their address.
    pub peer: Identity,
    /// Who wrote it.
    pub author: Author,
    /// What it says.
    pub content: Content,
    /// Attachments that did not come.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media_failures: Vec<MediaFailure>,
    /// What the provider was given in place of the text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartLine>,
    /// The provider's id.
    #[serde(default)]
    pub external_id: Option<String>,
    /// The provider's id of the message it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// Emoji that were put on it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reactions: Vec<ReactionLine>,
    /// How far it is.
    pub status: Status,
    /// Every report on it.
    #[serde(default)]
    pub history: Vec<HistoryLine>,
    /// Why it failed.
    #[serde(default)]
    pub error: Option<Failure>,
    /// What callers and the gateway noted.
    #[serde(default)]
    pub metadata: Map<String, Value>,
    /// When the gateway took it.
    pub created_at: Time,
    /// When the provider says that it was written.
    #[serde(default)]
    pub provider_at: Option<Time>,
}

/// A part of a message that went in several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PartLine {
    /// Its text.
    pub text: String,
    /// How far it is.
    pub status: Status,
    /// The provider's id.
    #[serde(default)]
    pub external_id: Option<String>,
    /// Why it failed.
    #[serde(default)]
    pub error: Option<Failure>,
}

/// An emoji on a message; an empty one was taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReactionLine {
    /// Who put it there.
    pub sender: Identity,
    /// Their name.
    #[serde(default)]
    pub name: Option<String>,
    /// Which.
    pub emoji: String,
    /// When.
    pub at: Time,
}

/// A report on a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HistoryLine {
    /// What was reported.
    pub status: Status,
    /// When it first was.
    pub at: Time,
    /// By whom.
    pub source: Source,
    /// The provider's word or code.
    #[serde(default)]
    pub code: Option<String>,
    /// In words.
    #[serde(default)]
    pub detail: Option<String>,
    /// The part it is about, from 0.
    #[serde(default)]
    pub part: Option<u32>,
    /// How often it was.
    #[serde(default = "once")]
    pub count: u32,
}

fn once() -> u32 {
    1
}

/// Consent of one address to messages from one of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConsentLine {
    /// Whose.
    pub organization: String,
    /// The space of the address.
    pub space: String,
    /// The address.
    pub identifier: String,
    /// The sender: an address of ours, a channel's id, or `*` for all.
    pub scope: String,
    /// What they want.
    pub state: ConsentState,
    /// Since when.
    pub since: Time,
    /// The proofs, oldest first.
    #[serde(default)]
    pub history: Vec<ProofLine>,
    /// Proofs that are no longer kept.
    #[serde(default)]
    pub dropped: u64,
}

/// A proof of consent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProofLine {
    /// When we learned of it.
    pub at: Time,
    /// When the provider says that it happened.
    #[serde(default)]
    pub provider_at: Option<Time>,
    /// Which way it changed.
    pub change: ConsentChange,
    /// How we learned of it.
    pub source: ConsentSource,
    /// By which channel.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub channel: Option<ChannelId>,
    /// In which message.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub message: Option<MessageId>,
    /// In which webhook event.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub event: Option<EventId>,
    /// The provider's id or code of it.
    #[serde(default)]
    pub reference: Option<String>,
    /// The word they wrote.
    #[serde(default)]
    pub keyword: Option<String>,
    /// Who recorded it.
    #[serde(default)]
    pub by: Option<String>,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
}

/// The end of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct End {
    /// Lines of each type before this one. Where it is there, it must be right.
    #[serde(default)]
    pub counts: Option<BTreeMap<String, u64>>,
    /// SHA-256 of all bytes before this line, line breaks included, in lower-case hex. Where it is there, it must be right.
    #[serde(default)]
    pub sha256: Option<String>,
}
