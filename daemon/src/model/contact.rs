//! A person and the addresses that are theirs.

use serde::{Deserialize, Serialize};
use trunkline_plugin_api::Identity;

use super::{ContactId, MessageId, Millis, ThreadId};

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
    /// The contact that it was merged into: that one is shown in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<ContactId>,
    /// The contacts that were merged into it. Each keeps its own record, which is what it gets back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub merged: Vec<Merged>,
    /// Times in which it was one with another contact that it is apart from again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub apart: Vec<Apart>,
}

/// A contact that is part of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merged {
    /// Which.
    pub contact: ContactId,
    /// Since when.
    pub at_ms: Millis,
    /// Since where in the order of messages.
    pub from: MessageId,
    /// Who said so.
    pub by: String,
    /// True where its thread was open, and was closed by the merge.
    pub closed_thread: bool,
}

/// A time in which two contacts were one. What was written then lies in threads of the one that was
/// kept, and belongs to the one whose address it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Apart {
    /// The other contact.
    pub other: ContactId,
    /// From here on in the order of messages.
    pub from: MessageId,
    /// Up to here, exclusive.
    pub to: MessageId,
    /// The addresses of the contact that went.
    pub identities: Vec<Identity>,
    /// True in the record of the contact that went, false in that of the one that was kept.
    pub went: bool,
}

impl Apart {
    /// True for a message of that time that belongs to the contact that went.
    pub fn covers(&self, message: MessageId, peer: &Identity) -> bool {
        (self.from..self.to).contains(&message) && self.identities.contains(peer)
    }
}
