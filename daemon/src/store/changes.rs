//! What a commit means, for those who follow the order of committed changes.

use serde::{Deserialize, Serialize};

use super::engine::{Follower, Position, StoreError};
use crate::model::{ChannelId, EventId, MessageId, Millis, OrgId, Status, ThreadId};

/// The kind under which the engine files these changes.
pub(crate) const KIND: u16 = 1;

/// One committed change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// A message came in.
    Received {
        /// Whose.
        org: OrgId,
        /// By which channel.
        channel: ChannelId,
        /// In which thread.
        thread: ThreadId,
        /// Its place there.
        seq: u64,
        /// Its id.
        message: MessageId,
        /// When.
        at_ms: Millis,
    },
    /// A message was accepted for sending.
    Accepted {
        /// Whose.
        org: OrgId,
        /// By which channel.
        channel: ChannelId,
        /// In which thread.
        thread: ThreadId,
        /// Its id.
        message: MessageId,
    },
    /// A message's state changed.
    Status {
        /// Whose.
        org: OrgId,
        /// Which.
        message: MessageId,
        /// To what.
        status: Status,
    },
    /// A turn was closed.
    Turn {
        /// Whose.
        org: OrgId,
        /// Which thread.
        thread: ThreadId,
        /// The sequence of its first message.
        first_seq: u64,
    },
    /// A message came in over a limit: it belongs to no turn.
    Limited {
        /// Whose.
        org: OrgId,
        /// By which channel.
        channel: ChannelId,
        /// In which thread.
        thread: ThreadId,
        /// Its id.
        message: MessageId,
    },
    /// A genuine webhook could not be threaded and waits to be replayed.
    Pending {
        /// Whose.
        org: OrgId,
        /// By which channel.
        channel: ChannelId,
        /// Which.
        event: EventId,
    },
    /// A message has other reactions, or is itself a reaction to something unknown: no part of a
    /// turn.
    Reaction {
        /// Whose.
        org: OrgId,
        /// By which channel.
        channel: ChannelId,
        /// In which thread.
        thread: ThreadId,
        /// The message.
        message: MessageId,
    },
    /// A message of our own came back, which is no part of a conversation.
    Canary {
        /// Whose.
        org: OrgId,
        /// By which channel.
        channel: ChannelId,
        /// In which thread.
        thread: ThreadId,
        /// Its id.
        message: MessageId,
    },
    /// A message came in that a machine wrote: it belongs to no turn.
    Automatic {
        /// Whose.
        org: OrgId,
        /// By which channel.
        channel: ChannelId,
        /// In which thread.
        thread: ThreadId,
        /// Its id.
        message: MessageId,
    },
    /// Attachments of a received message were fetched, or given up.
    Media {
        /// Whose.
        org: OrgId,
        /// Its id.
        message: MessageId,
    },
}

impl Change {
    pub(crate) fn encode(&self) -> Vec<u8> {
        rmp_serde::to_vec(self).expect("changes are plain data")
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        rmp_serde::from_slice(bytes)
            .map_err(|error| StoreError::unreadable(b"change", &error.to_string()))
    }
}

/// What one step of following brings.
#[derive(Debug, Clone)]
pub struct Changed {
    /// The position reached.
    pub position: Position,
    /// What was committed up to there, in order.
    pub changes: Vec<Change>,
}

/// Follows the order of committed changes.
pub struct Changes(pub(super) Follower);

impl Changes {
    /// Waits for the next changes. May be dropped while waiting; nothing is lost by that.
    pub async fn next(&mut self) -> Result<Changed, StoreError> {
        let batch = self.0.next().await?;
        let changes = batch
            .changes
            .iter()
            .filter(|change| change.kind == KIND)
            .map(|change| Change::decode(&change.data))
            .collect::<Result<_, _>>()?;
        Ok(Changed {
            position: batch.position,
            changes,
        })
    }
}
