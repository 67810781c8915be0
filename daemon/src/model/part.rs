//! The parts of a message that goes to the provider in several calls.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Failure, MessageId, Status};

/// One part of a split (or rewritten) message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessagePart {
    /// What the provider is given, where that differs from the message's own text.
    pub text: String,
    /// Its state.
    pub status: Status,
    /// The provider's id, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Why it failed, where it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
}

impl MessagePart {
    /// A part that waits to be sent.
    pub fn queued(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            status: Status::Queued,
            external_id: None,
            error: None,
        }
    }
}

/// The state of a message by the states of its parts: one that failed fails it, one of unknown
/// outcome leaves it unknown, and otherwise it is as far as the part that is least far.
///
/// ```text
/// failed > uncertain > queued > sent > delivered > read
/// ```
pub fn whole(parts: &[MessagePart]) -> Option<Status> {
    parts
        .iter()
        .map(|part| part.status)
        .min_by_key(|status| match status {
            Status::Failed => 0,
            Status::Uncertain => 1,
            Status::Received | Status::Queued => 2,
            Status::Sent => 3,
            Status::Delivered => 4,
            Status::Read => 5,
        })
}

/// How a part is named to the provider: the message's id alone, or with `.` and the part's index
/// where the message was split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartRef {
    /// The message.
    pub message: MessageId,
    /// The index of the part, from 0.
    pub part: usize,
    /// True where the message was split.
    pub split: bool,
}

impl PartRef {
    /// Reads what `Display` wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let (message, part) = match text.split_once('.') {
            Some((message, part)) => (message, Some(part)),
            None => (text, None),
        };
        Some(Self {
            message: message.parse().ok()?,
            part: part.map_or(Some(0), |part| part.parse().ok())?,
            split: part.is_some(),
        })
    }
}

impl fmt::Display for PartRef {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.split {
            write!(formatter, "{}.{}", self.message, self.part)
        } else {
            write!(formatter, "{}", self.message)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_as_far_as_its_last_part() {
        use Status::{Delivered, Failed, Queued, Read, Sent, Uncertain};
        let table = [
            (&[Sent, Queued][..], Queued),
            (&[Sent, Sent], Sent),
            (&[Delivered, Sent], Sent),
            (&[Read, Delivered], Delivered),
            (&[Delivered, Failed], Failed),
            (&[Uncertain, Queued], Uncertain),
            (&[Uncertain, Failed], Failed),
        ];
        for (states, expected) in table {
            let parts: Vec<_> = states
                .iter()
                .map(|status| MessagePart {
                    status: *status,
                    ..MessagePart::queued("")
                })
                .collect();
            assert_eq!(whole(&parts), Some(expected), "{states:?}");
        }
        assert_eq!(whole(&[]), None);
    }
}
