//! A person and the addresses that are theirs.

use serde::{Deserialize, Serialize};
use trunkline_plugin_api::Identity;

use super::{ContactId, Millis, ThreadId};

/// One address of a contact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactIdentity {
    /// Space and identifier.
    #[serde(flatten)]
    pub identity: Identity,
    /// The one to show first.
    pub primary: bool,
    /// When a verified webhook last proved that the person holds it.
    #[serde(rename = "verified_at")]
    pub verified_at_ms: Option<Millis>,
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// Its id.
    pub id: ContactId,
    /// Name, where known.
    pub name: Option<String>,
    /// Addresses.
    pub identities: Vec<ContactIdentity>,
    /// The thread that new messages go to.
    pub thread: Option<ThreadId>,
    /// When it was first seen.
    pub created_at_ms: Millis,
}
