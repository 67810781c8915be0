//! Messages, their content and their attachments.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{AdapterError, ErrorClass, HttpReply, Timestamp};

/// A person's address in one space: (`phone`, `+15550100`), (`email`, `ada@example.org`).
#[derive(
    Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct Identity {
    /// `phone`, `whatsapp`, `email`, `chat`, `webhook` or a plugin's own.
    pub space: String,
    /// The address in that space's normal form.
    pub identifier: String,
}

impl Identity {
    /// An address in a space.
    pub fn new(space: impl Into<String>, identifier: impl Into<String>) -> Self {
        Self {
            space: space.into(),
            identifier: identifier.into(),
        }
    }
}

/// What a message says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Content {
    /// Plain text, byte for byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The HTML form, for media that have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
    /// Subject, for media that have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Attachments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media: Vec<Media>,
    /// A template to send in place of text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<TemplateCall>,
    /// A shared place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// A button pressed or a list entry chosen; on the way out, the provider's interactive object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interactive: Option<Interactive>,
    /// Shared contact cards, in the provider's form.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<Value>,
    /// An emoji put on an earlier message, instead of a message of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reaction: Option<ReactionCall>,
}

/// An emoji to be put on a message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReactionCall {
    /// The provider's id of the message.
    pub target: String,
    /// The emoji; empty takes it back.
    pub emoji: String,
}

impl Content {
    /// Content with nothing but text.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            text: Some(text.into()),
            ..Self::default()
        }
    }

    /// True where there is nothing to send.
    pub fn is_empty(&self) -> bool {
        let blank = |text: &Option<String>| text.as_deref().is_none_or(str::is_empty);
        blank(&self.text)
            && blank(&self.html)
            && self.media.is_empty()
            && self.template.is_none()
            && self.location.is_none()
            && self.interactive.is_none()
            && self.contacts.is_empty()
            && self.reaction.is_none()
    }
}

/// An attachment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Media {
    /// Where its bytes are.
    #[serde(flatten)]
    pub source: MediaRef,
    /// MIME type, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// File name, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Size in bytes, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

impl Media {
    /// What an attachment is once the daemon has put the answer into a file ([`crate::ReplyTo::File`]);
    /// the answer's content type is the provider's word.
    pub fn fetched(answer: &HttpReply) -> Result<Self, AdapterError> {
        let Some(file) = &answer.file else {
            let words = "the attachment did not arrive in a file";
            return Err(AdapterError::new(ErrorClass::Bug, "no_file", words));
        };
        Ok(Self {
            source: MediaRef {
                sha256: Some(file.sha256.clone()),
                ..MediaRef::default()
            },
            content_type: answer.header("content-type").map(String::from),
            name: None,
            size: Some(file.size),
        })
    }
}

/// Where the bytes of an attachment are. An adapter sets exactly one of the fields. On the way out a file of
/// the daemon has its `sha256`, and beside it a `url`: a short-lived public link, for providers that fetch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MediaRef {
    /// At a URL (the provider's on the way in, a public one on the way out).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Under an id that only the provider's API resolves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<String>,
    /// Inside the webhook's own body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<MediaRange>,
    /// In a file of the daemon, by the SHA-256 of its bytes, lower-case hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// A stretch of an input part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MediaRange {
    /// Number of the input part; 1 is the webhook body.
    pub part: u32,
    /// First byte.
    pub offset: u64,
    /// Length in bytes.
    pub len: u64,
    /// `identity`, `base64` or `quoted-printable`: how the bytes are written there.
    pub encoding: MediaEncoding,
}

/// How the bytes of a [`MediaRange`] are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MediaEncoding {
    /// As they are.
    #[default]
    Identity,
    /// In base64, white space allowed.
    Base64,
    /// In quoted-printable.
    QuotedPrintable,
}

/// A place on earth.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Location {
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
    /// Name of the place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Postal address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// A choice made (inbound) or offered (outbound).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Interactive {
    /// `button`, `list`, `flow` or the provider's word.
    pub kind: String,
    /// The payload behind the choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What the person saw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The provider's own object.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub data: Value,
}

/// A template to be filled and sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TemplateCall {
    /// The provider's id or name of it.
    pub name: String,
    /// The provider's id, which the daemon fills in where its catalogue has the template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Language tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Values by variable name or number.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub variables: Map<String, Value>,
    /// The provider's own components in place of variables, for what those can't say (header media,
    /// buttons).
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub components: Value,
}

/// A template as the provider lists it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// The provider's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Language tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// The provider's word for its approval.
    pub status: String,
    /// Its text with placeholders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Names or numbers of its variables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<String>,
    /// The provider's word for its kind (`MARKETING`, `UTILITY`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Why it was rejected, where the provider says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Which part of a split message this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// From 0.
    pub index: u32,
    /// How many there are.
    pub count: u32,
}

/// A message to be sent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct OutboundMessage {
    /// Our id of it.
    pub id: String,
    /// To whom.
    pub to: Identity,
    /// What.
    pub content: Content,
    /// Set where the daemon split a long message: content is this part's alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
    /// The same for every attempt at this message (and part), different for any other.
    pub idempotency_key: String,
    /// Where the provider should report states; carries our id in its query as `message`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback_url: Option<String>,
    /// The provider's id of the message that this one answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// When the daemon accepted it.
    pub accepted_at_ms: Timestamp,
    /// What the caller put there.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
}

/// What the provider said when it accepted a message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The provider's id.
    pub external_id: String,
    /// The provider's own word for the state (`queued`, `accepted`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Segments counted by the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segments: Option<u32>,
    /// How many more calls the provider allows now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit_remaining: Option<i64>,
}

impl Receipt {
    /// A receipt with nothing but the provider's id.
    pub fn new(external_id: impl Into<String>) -> Self {
        Self {
            external_id: external_id.into(),
            ..Self::default()
        }
    }
}

/// A message sent earlier, for polling its state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// Our id.
    pub id: String,
    /// The provider's id.
    pub external_id: String,
    /// To whom.
    pub to: Identity,
    /// When the provider accepted it.
    pub sent_at_ms: Timestamp,
}

/// A received message, for read marks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceivedRef {
    /// The provider's id.
    pub external_id: String,
    /// Who wrote it.
    pub sender: Identity,
    /// Also show that an answer is being written.
    #[serde(default)]
    pub typing: bool,
}
