//! A message.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use trunkline_plugin_api::{AdapterError, Content, ErrorClass, Identity, Medium};

use super::{
    ChannelId, ContactId, HistoryEntry, MessageId, Millis, Source, Status, ThreadId, record,
};

/// Which way a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From a person to us.
    Inbound,
    /// From us to a person.
    Outbound,
}

/// What kind of author wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// What kind.
    pub kind: AuthorKind,
    /// Name, where known.
    #[serde(default)]
    pub name: Option<String>,
}

/// Why a message failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The provider's id, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// The provider's id of the message it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
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
    /// When the gateway took it.
    pub created_at_ms: Millis,
    /// When the provider says it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_at_ms: Option<Millis>,
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
    /// Applies a report: the history keeps it, the lattice decides the state. True where the
    /// state changed.
    pub fn apply(&mut self, report: Report) -> bool {
        let before = self.status;
        self.status = self.status.after(report.status, self.medium);
        record(
            &mut self.history,
            HistoryEntry {
                status: report.status,
                at_ms: report.at_ms,
                source: report.source,
                code: report.code,
                detail: report.detail,
                count: 1,
            },
        );
        if self.status == Status::Failed {
            self.error = self.error.take().or(report.error);
        } else {
            self.error = None;
        }
        self.status != before
    }
}
