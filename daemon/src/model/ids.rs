//! Identifiers. Each is a type of its own, so that one can't be passed for another.

use std::{fmt, str::FromStr, sync::Arc};

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

            /// Reads the 16 bytes of an id.
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
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
    /// One API token (not its secret).
    TokenId
);

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
