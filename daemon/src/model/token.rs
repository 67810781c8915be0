//! API tokens and roles.

use serde::{Deserialize, Serialize};

use super::{Millis, TokenId};

/// What a token or user may do. Ordered: each may do what the ones before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads.
    Member,
    /// Changes.
    Admin,
    /// Changes, and hands out access.
    Owner,
}

impl Role {
    /// The role as it is written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }
}

/// An API token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiToken {
    /// Its id.
    pub id: TokenId,
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The organization it is confined to; none is all.
    pub organization: Option<String>,
    /// SHA-256 of the secret.
    pub hash: [u8; 32],
    /// When it was made.
    pub created_at_ms: Millis,
}
