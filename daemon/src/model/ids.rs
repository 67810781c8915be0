//! Identifiers. Each is a type of its own, so that one can't be passed for another.

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A text that is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not an id (a UUID such as 0190a8f2-5b1e-7c3d-9e4f-2a6b8c0d1e2f)")]
pub struct ParseIdError(String);

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID.
            pub fn new(id: Uuid) -> Self {
                Self(id)
            }

            /// The 16 bytes of the id, which sort by time of creation.
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// The id as a UUID.
            pub const fn uuid(&self) -> Uuid {
                self.0
            }

            /// Reads the 16 bytes of an id.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                Uuid::try_parse(text)
                    .map(Self)
                    .map_err(|_| ParseIdError(text.chars().take(64).collect()))
            }
        }
    };
}

uuid_id!(
    /// One message, in or out.
    MessageId
);
uuid_id!(
    /// One conversation.
    ThreadId
);
uuid_id!(
    /// One person.
    ContactId
);
uuid_id!(
    /// One webhook received.
    EventId
);
uuid_id!(
    /// One group of notices.
    NotificationId
);
uuid_id!(
    /// One API token (not its secret).
    TokenId
);
uuid_id!(
    /// One person who signs in.
    UserId
);

/// Bits of a message id that hold its place in the thread.
const SEQ_BITS: u32 = 22;
/// Bits of a thread or message id that hold the thread's number.
const NUMBER_BITS: u32 = 40;
/// Messages that one thread can hold: what the place in a message id can count to.
pub const SEQ_MAX: u64 = (1 << SEQ_BITS) - 1;

/// Where a message is: its thread's number within the organization, and its place in that thread.
///
/// A message id is a UUID version 7 (RFC 9562) whose last 62 bits hold this place instead of
/// random bits, and whose 12 bits before them count fractions of the millisecond (method 3 there).
/// So the message is found by its id without an index of ids, and ids still sort by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The thread's number, 40 bits.
    pub thread: u64,
    /// The place in the thread, from 1; 22 bits.
    pub seq: u64,
}

impl MessageId {
    /// The id of the message at a place that came at a time since the Unix epoch.
    pub fn at(place: Place, time: Duration) -> Self {
        Self(numbered(time, place.thread, place.seq))
    }

    /// Where the message with this id is, if it is a message's id at all.
    pub fn place(&self) -> Place {
        let low = self.0.as_u128();
        Place {
            thread: bits(low >> SEQ_BITS, NUMBER_BITS),
            seq: bits(low, SEQ_BITS),
        }
    }
}

impl ThreadId {
    /// The id of the thread with a number, begun at a time since the Unix epoch.
    pub fn numbered(number: u64, time: Duration) -> Self {
        Self(numbered(time, number, 0))
    }

    /// The thread's number within its organization.
    pub fn number(&self) -> u64 {
        bits(self.0.as_u128() >> SEQ_BITS, NUMBER_BITS)
    }
}

fn bits(value: u128, count: u32) -> u64 {
    u64::try_from(value & ((1 << count) - 1)).expect("the mask leaves at most 40 bits")
}

/// Version 7: 48 bits of milliseconds, 12 bits of their fractions, then number and sequence.
fn numbered(time: Duration, number: u64, seq: u64) -> Uuid {
    let millis = time.as_millis() & ((1 << 48) - 1);
    let fraction = u128::from(time.subsec_nanos() % 1_000_000) * 4096 / 1_000_000;
    let low = (u128::from(number) << SEQ_BITS) | u128::from(seq);
    let low = low & ((1 << (NUMBER_BITS + SEQ_BITS)) - 1);
    Uuid::from_u128((millis << 80) | (7 << 76) | (fraction << 64) | (2 << 62) | low)
}

/// An organization's fixed number; the store's keys begin with it. 0 is the installation itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrgId(pub u32);

impl OrgId {
    /// What belongs to no organization: tokens, positions, the table of organizations.
    pub const SYSTEM: Self = Self(0);
}

/// A channel's id as configured: `[a-z0-9_]+`. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChannelId(Arc<str>);

impl ChannelId {
    /// Wraps a channel id.
    pub fn new(id: &str) -> Self {
        Self(id.into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChannelId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_message_is_found_by_its_id(
            thread in 0u64..1 << NUMBER_BITS,
            seq in 0u64..=SEQ_MAX,
            nanos in 0u64..u64::MAX / 2,
        ) {
            let place = Place { thread, seq };
            let id = MessageId::at(place, Duration::from_nanos(nanos));
            prop_assert_eq!(id.place(), place);
            prop_assert_eq!(id.0.get_version_num(), 7);
            prop_assert_eq!(id.0.get_variant(), uuid::Variant::RFC4122);
            prop_assert_eq!(id.to_string().parse::<MessageId>().unwrap(), id);
        }

        #[test]
        fn ids_of_a_thread_sort_as_its_messages_do(
            seq in 0u64..SEQ_MAX,
            nanos in 0u64..u64::MAX / 2,
            later in 0u64..1 << 40,
        ) {
            let first = MessageId::at(Place { thread: 7, seq }, Duration::from_nanos(nanos));
            let second = Place { thread: 7, seq: seq + 1 };
            let second = MessageId::at(second, Duration::from_nanos(nanos + later));
            prop_assert!(first < second);
        }
    }

    #[test]
    fn a_thread_keeps_its_number() {
        let id = ThreadId::numbered(123_456_789_012, Duration::from_secs(1_800_000_000));
        assert_eq!(id.number(), 123_456_789_012);
    }
}
