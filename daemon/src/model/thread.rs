//! A conversation, and the turns in it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ChannelId, ContactId, MessageId, Millis, ThreadId};

/// Whether a conversation goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ThreadState {
    /// It goes on.
    Open,
    /// It is done; the next message reopens it or begins another, by policy.
    Closed,
}

/// A conversation with one contact over all channels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thread {
    /// Its id.
    pub id: ThreadId,
    /// With whom.
    pub contact: ContactId,
    /// Whether it goes on.
    pub state: ThreadState,
    /// True while people, not the agent, answer it.
    pub needs_human: bool,
    /// The `seq` of its newest message, which is also how many there are.
    pub last_seq: u64,
    /// Its newest message.
    #[serde(default)]
    pub last: Option<MessageId>,
    /// Its newest message that has a `leap` further back.
    #[serde(default)]
    pub leap: Option<MessageId>,
    /// Messages older than some that were removed, oldest first: where the chain has a gap it goes on here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stragglers: Vec<MessageId>,
    /// The channel of its newest message.
    pub last_channel: ChannelId,
    /// When it began.
    pub created_at_ms: Millis,
    /// When something last happened in it.
    pub updated_at_ms: Millis,
}

impl Thread {
    /// The newest straggler before a message.
    pub fn straggler_before(&self, id: MessageId) -> Option<MessageId> {
        let older = self.stragglers.iter().filter(|known| **known < id);
        older.max().copied()
    }
}

/// A burst of inbound messages of one thread, to be handed on together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnRecord {
    /// The thread.
    pub thread: ThreadId,
    /// The channel of the burst's last message.
    pub channel: ChannelId,
    /// The messages in their order.
    pub messages: Vec<MessageId>,
    /// When the first of them came.
    pub first_at_ms: Millis,
    /// When the turn was closed.
    pub closed_at_ms: Millis,
}
