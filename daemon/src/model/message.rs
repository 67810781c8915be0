//! A message.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use trunkline_plugin_api::{AdapterError, Content, ErrorClass, Identity, Media, Medium};

use super::{
    ChannelId, ContactId, EventId, HistoryEntry, MediaFailure, MessageId, MessagePart,
    MessageReaction, Millis, Source, Status, ThreadId, record, whole,
};

/// Which way a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From a person to us.
    Inbound,
    /// From us to a person.
    Outbound,
}

/// What kind of author wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuthorKind {
    /// The person on the other side.
    Contact,
    /// One of our people.
    Member,
    /// The agent.
    Agent,
    /// The gateway or a program behind the API.
    System,
}

/// Who wrote a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Author {
    /// What kind.
    pub kind: AuthorKind,
    /// Name, where known.
    #[serde(default)]
    pub name: Option<String>,
}

/// Why a message failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// What can be done about it.
    pub class: ErrorClass,
    /// For programs.
    pub code: String,
    /// For people.
    pub message: String,
    /// The provider's own code.
    #[serde(default)]
    pub provider_code: Option<String>,
}

impl From<AdapterError> for Failure {
    fn from(error: AdapterError) -> Self {
        Self {
            class: error.class,
            code: error.code,
            message: error.message,
            provider_code: error.provider_code,
        }
    }
}

/// A message, in or out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// The conversation it is in.
    pub thread: ThreadId,
    /// Its place in that conversation, from 1.
    pub seq: u64,
    /// The channel it came or goes by.
    pub channel: ChannelId,
    /// That channel's medium.
    pub medium: Medium,
    /// In or out.
    pub direction: Direction,
    /// The person on the other side.
    pub contact: ContactId,
    /// The address of that person that it came from or goes to.
    pub peer: Identity,
    /// Who wrote it.
    pub author: Author,
    /// What it says.
    pub content: Content,
    /// Why attachments of it are not here, where they could not be fetched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media_failures: Vec<MediaFailure>,
    /// The provider's id, once known; that of the first part where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// What goes to the provider in place of the text: several parts, or one that was rewritten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<MessagePart>,
    /// The provider's id of the message it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// What people put on it, also what they took back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reactions: Vec<MessageReaction>,
    /// Its state.
    pub status: Status,
    /// Every report on its state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<HistoryEntry>,
    /// Why it failed, where it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// What the provider or the caller added.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
    /// The webhook that brought it, whose id is the request's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<EventId>,
    /// The request that it was sent by: the id of the API call, or of the webhook that it answers by
    /// itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// When the gateway took it.
    pub created_at_ms: Millis,
    /// When the provider says it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_at_ms: Option<Millis>,
    /// The message before it in its thread; none for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<MessageId>,
    /// A message further back in its thread, so that going back far takes few reads: only the first of
    /// every so many messages has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leap: Option<MessageId>,
}

/// A report to be applied to a message.
#[derive(Debug, Clone)]
pub struct Report {
    /// The state reported.
    pub status: Status,
    /// When it reached us.
    pub at_ms: Millis,
    /// By whom.
    pub source: Source,
    /// The provider's word or code.
    pub code: Option<String>,
    /// In words.
    pub detail: Option<String>,
    /// Why it failed.
    pub error: Option<Failure>,
}

impl Message {
    /// Whether attachments of it are still to be fetched.
    pub fn wants_media(&self) -> bool {
        self.missing_media().next().is_some()
    }

    /// The attachments that came in and are neither here nor given up, with their places.
    pub fn missing_media(&self) -> impl Iterator<Item = (u32, &Media)> {
        let all = (0..).zip(&self.content.media);
        all.filter(|(index, media)| {
            let failed = self.media_failure(*index).is_some();
            self.direction == Direction::Inbound && media.source.sha256.is_none() && !failed
        })
    }

    /// Why the attachment at a place could not be fetched.
    pub fn media_failure(&self, index: u32) -> Option<&Failure> {
        let mut failures = self.media_failures.iter();
        let found = failures.find(|failure| failure.index == index);
        found.map(|failure| &failure.error)
    }

    /// Applies a report on the whole message (or on its first part): the history keeps it, the
    /// lattice decides the state. True where the message's state changed.
    pub fn apply(&mut self, report: Report) -> bool {
        self.apply_to(0, report)
    }

    /// Applies a report on one part, by its index. A message that was not split has one part: itself.
    pub fn apply_to(&mut self, part: usize, report: Report) -> bool {
        let before = self.status;
        let split = self.parts.len() > 1;
        record(
            &mut self.history,
            HistoryEntry {
                status: report.status,
                at_ms: report.at_ms,
                source: report.source,
                code: report.code,
                detail: report.detail,
                part: u32::try_from(part).ok().filter(|_| split),
                count: 1,
            },
        );
        let medium = self.medium;
        if let Some(part) = self.parts.get_mut(part) {
            part.status = part.status.after(report.status, medium);
            part.error = match part.status {
                Status::Failed => part.error.take().or(report.error),
                _ => None,
            };
            self.status = whole(&self.parts).unwrap_or(self.status);
            self.error = self.parts.iter().find_map(|part| part.error.clone());
        } else {
            self.status = self.status.after(report.status, medium);
            self.error = match self.status {
                Status::Failed => self.error.take().or(report.error),
                _ => None,
            };
        }
        self.status != before
    }

    /// Takes a message that was given up, or whose outcome is unknown, back to the queue; parts that
    /// the provider has stay as they are.
    pub fn requeue(&mut self, report: Report) {
        let again = |status: Status| matches!(status, Status::Failed | Status::Uncertain);
        for part in self.parts.iter_mut().filter(|part| again(part.status)) {
            part.status = Status::Queued;
            part.error = None;
        }
        let next = self.next_part();
        self.status = Status::Queued;
        self.error = None;
        self.apply_to(next, report);
    }

    /// The same, as if the provider had what goes next.
    #[must_use]
    pub fn as_if_sent(mut self) -> Self {
        let next = self.next_part();
        if let Some(part) = self.parts.get_mut(next) {
            part.status = Status::Sent;
        }
        self.status = whole(&self.parts).unwrap_or(Status::Sent);
        self
    }

    /// True where somebody here has read it, and the sender was told so.
    pub fn was_read(&self) -> bool {
        let mut history = self.history.iter();
        self.direction == Direction::Inbound && history.any(|entry| entry.status == Status::Read)
    }

    /// When the provider was first known to have it; when it was accepted, until then.
    pub fn sent_at_ms(&self) -> Millis {
        let sent = self
            .history
            .iter()
            .find(|entry| entry.status == Status::Sent);
        sent.map_or(self.created_at_ms, |entry| entry.at_ms)
    }

    /// The index of the first part that the provider does not have yet; 0 where it was not split.
    pub fn next_part(&self) -> usize {
        self.parts
            .iter()
            .position(|part| !part.status.is_with_provider())
            .unwrap_or(0)
    }

    /// The index of the part that a provider's id belongs to.
    pub fn part_of(&self, external_id: &str) -> Option<usize> {
        self.parts
            .iter()
            .position(|part| part.external_id.as_deref() == Some(external_id))
    }

    /// The provider's id of a part, once known.
    pub fn external_id_of(&self, part: usize) -> Option<&str> {
        match self.parts.get(part) {
            Some(part) => part.external_id.as_deref(),
            None => self.external_id.as_deref(),
        }
    }

    /// Gives a part its provider's id; the first part's is the message's.
    pub fn set_external_id(&mut self, part: usize, external_id: &str) {
        if let Some(part) = self.parts.get_mut(part) {
            part.external_id = Some(external_id.to_owned());
        }
        if part == 0 {
            self.external_id = Some(external_id.to_owned());
        }
    }
}
