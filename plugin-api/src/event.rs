//! What a webhook can contain.

pub(crate) mod read;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer, ser::SerializeStruct as _};
use serde_json::{Map, Value};

use crate::{AdapterError, Content, Identity, Timestamp};

/// One thing that a webhook reports.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[allow(
    clippy::large_enum_variant,
    reason = "nearly every event is a message, and events are moved, not collected in bulk"
)]
pub enum Event {
    /// A person wrote.
    Message(InboundMessage),
    /// A message that was sent changed its state.
    Status(StatusReport),
    /// A person reacted to a message.
    Reaction(Reaction),
    /// A template was approved, rejected or paused.
    Template(TemplateUpdate),
    /// A person opted in or out at the provider.
    Consent(Consent),
    /// Anything else worth keeping (account alerts, quality changes).
    Note(Note),
}

impl Event {
    /// The provider-side address that the event came to, where the provider names one.
    pub fn address(&self) -> Option<&str> {
        match self {
            Self::Message(event) => event.address.as_deref(),
            Self::Status(event) => event.address.as_deref(),
            Self::Reaction(event) => event.address.as_deref(),
            Self::Consent(event) => event.address.as_deref(),
            Self::Template(_) | Self::Note(_) => None,
        }
    }
}

/// Who wrote: one object, with the members of the identity beside the others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "read::Sender")]
pub struct Sender {
    /// The identity that the contact is found by.
    pub identity: Identity,
    /// Further identities that the provider vouches belong to the same person.
    pub also: Vec<Identity>,
    /// The display name that the provider gives.
    pub name: Option<String>,
}

impl Serialize for Sender {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let count = 2 + usize::from(!self.also.is_empty()) + usize::from(self.name.is_some());
        let mut object = serializer.serialize_struct("Sender", count)?;
        object.serialize_field("space", &self.identity.space)?;
        object.serialize_field("identifier", &self.identity.identifier)?;
        if !self.also.is_empty() {
            object.serialize_field("also", &self.also)?;
        }
        if let Some(name) = &self.name {
            object.serialize_field("name", name)?;
        }
        object.end()
    }
}

/// A message that came in.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct InboundMessage {
    /// The provider's id, unique within the channel; the dedupe key.
    pub id: String,
    /// The provider-side address it came to (`To`, `phone_number_id`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Who wrote it.
    pub sender: Sender,
    /// What was written, byte for byte.
    pub content: Content,
    /// When the provider says it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at_ms: Option<Timestamp>,
    /// The provider's id of the message that this one answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// Provider fields worth keeping, by the provider's names.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
}

impl InboundMessage {
    /// A text with the provider's id, from a person of whom nothing else is known.
    pub fn text(id: impl Into<String>, from: Identity, text: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            sender: Sender {
                identity: from,
                ..Sender::default()
            },
            content: Content::text(text),
            ..Self::default()
        }
    }
}

/// A provider's word on a sent message. Acceptance, whatever it is called, is `Sent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportedStatus {
    /// The provider has it (queued, sending, accepted, sent).
    Sent,
    /// It reached the recipient.
    Delivered,
    /// The recipient opened it.
    Read,
    /// It will not arrive.
    Failed,
}

/// A state report on a sent message, from a callback or from polling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusReport {
    /// The provider's id of the message.
    pub external_id: String,
    /// The provider-side address (our number) that the report is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Our own message id, where the callback carries it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The new state.
    pub status: ReportedStatus,
    /// The provider's own word or code for the state (`undelivered`, `30003`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// More words from the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Why it failed, where it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<AdapterError>,
    /// When the provider says it happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<Timestamp>,
}

/// A reaction (an emoji on a message); an empty emoji takes it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reaction {
    /// The provider's id of the reaction itself.
    pub id: String,
    /// The provider's id of the message reacted to.
    pub target: String,
    /// The provider-side address it came to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Who reacted.
    pub sender: Sender,
    /// The emoji; empty where it was removed.
    pub emoji: String,
    /// When the provider says it happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at_ms: Option<Timestamp>,
}

/// A change in a template's approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateUpdate {
    /// The provider's id of the template.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its language tag, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// The provider's word for its state.
    pub status: String,
    /// Why, where the provider says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Which way a consent changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConsentChange {
    /// No more messages.
    OptOut,
    /// Messages are welcome again.
    OptIn,
    /// The person asked for help.
    Help,
}

/// A consent that the provider recorded by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// Whose consent.
    pub identity: Identity,
    /// The provider-side address it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Which way.
    pub change: ConsentChange,
    /// The provider's id of what carried it (a message id).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// Something else that the provider reports.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// The provider's name for it.
    pub kind: String,
    /// The provider's fields.
    #[serde(default)]
    pub data: Value,
}
