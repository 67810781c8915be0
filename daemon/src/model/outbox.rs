//! The durable queue's records.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ChannelId, ContactId, Failure, MessageId, Millis};

/// The code of sends that waited when the backup was made that the store was restored from.
pub const RESTORED: &str = "restored";

/// Which lane a message goes in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// An answer to a person: first.
    #[default]
    Reply,
    /// One of many: after the answers.
    Bulk,
}

impl Priority {
    /// Both, the one that goes first first.
    pub const ALL: [Self; 2] = [Self::Reply, Self::Bulk];

    /// The lane's byte in keys: lower goes first.
    pub fn lane(self) -> u8 {
        match self {
            Self::Reply => 0,
            Self::Bulk => 1,
        }
    }
}

/// What an item waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutboxState {
    /// Its first attempt.
    Queued,
    /// The provider's answer to a call under way.
    Leased,
    /// The next attempt.
    Retrying,
    /// A person's decision or the channel's recovery.
    Held,
    /// Word on whether the provider has it.
    Uncertain,
    /// Nothing: it was given up, and can be retried by hand.
    Dead,
}

impl OutboxState {
    /// True where an item is out of line and listed for people.
    pub fn is_out_of_line(self) -> bool {
        matches!(self, Self::Held | Self::Uncertain | Self::Dead)
    }

    /// The state as it is written in JSON. A lease is an attempt of a queued item.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued | Self::Leased => "queued",
            Self::Retrying => "retrying",
            Self::Held => "held",
            Self::Uncertain => "uncertain",
            Self::Dead => "dead",
        }
    }
}

impl OutboxItem {
    /// One more attempt begins, from nothing.
    pub fn begin(&mut self) {
        self.attempts += 1;
        self.called = false;
        self.cursor = Value::Null;
    }

    /// True where it stands in its contact's line.
    pub fn is_in_line(&self) -> bool {
        !self.scheduled && !self.state.is_out_of_line()
    }

    /// True where it waited at the moment of a backup that was restored since.
    pub fn is_restored(&self) -> bool {
        let code = self.error.as_ref().map(|error| error.code.as_str());
        self.state == OutboxState::Uncertain && code == Some(RESTORED)
    }

    /// The state as people see it: what waits only for its channel is held.
    pub fn state_shown(&self, channel_holds: bool) -> &'static str {
        let waits = matches!(self.state, OutboxState::Queued | OutboxState::Retrying);
        if waits && channel_holds && !self.scheduled {
            OutboxState::Held.as_str()
        } else {
            self.state.as_str()
        }
    }
}

/// One message in the queue. Its id is the message's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutboxItem {
    /// The message.
    pub message: MessageId,
    /// The channel it goes by.
    pub channel: ChannelId,
    /// The person it goes to: items of one contact go in order. A contact that was merged into another
    /// keeps its own order.
    pub contact: ContactId,
    /// Its lane.
    pub priority: Priority,
    /// What it waits for.
    pub state: OutboxState,
    /// Attempts begun at the part that is next.
    pub attempts: u32,
    /// When it was accepted; where it was scheduled, when its time came.
    pub accepted_at_ms: Millis,
    /// When it is due.
    pub due_ms: Millis,
    /// True until the time that it was scheduled for: it is in no line yet.
    #[serde(default, skip_serializing_if = "is_false")]
    pub scheduled: bool,
    /// True once a provider call of the attempt under way may have been made.
    #[serde(default, skip_serializing_if = "is_false")]
    pub called: bool,
    /// The adapter's cursor, saved before each call; null before the first.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub cursor: Value,
    /// Why the last attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// True for the gateway's one answer to an opt-out or a call for help, which goes out whatever
    /// the person wants otherwise.
    #[serde(default, skip_serializing_if = "is_false")]
    pub answers_keyword: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_false(value: &bool) -> bool {
    !value
}
