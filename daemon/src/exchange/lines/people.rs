//! The line of a person.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use trunkline_plugin_api::Identity;

use super::Time;
use crate::model::{ContactId, MessageId, ThreadId};

/// A person and their addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContactLine {
    /// Whose.
    pub organization: String,
    /// UUID of version 7.
    #[schemars(with = "String")]
    pub id: ContactId,
    /// Their name.
    #[serde(default)]
    pub name: Option<String>,
    /// Their addresses.
    pub identities: Vec<IdentityLine>,
    /// The thread that their next message goes to.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub thread: Option<ThreadId>,
    /// When they first appeared.
    pub created_at: Time,
    /// The contact that this one is part of now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub merged_into: Option<ContactId>,
    /// The contacts that are part of this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub merged: Vec<MergedLine>,
    /// Merges that were taken back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub apart: Vec<ApartLine>,
}

/// An address of a contact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IdentityLine {
    /// `phone`, `whatsapp`, `email`, `chat`, `webhook` or a plugin's own.
    pub space: String,
    /// The address in that space's normal form.
    pub identifier: String,
    /// Whether it is the first one known.
    #[serde(default)]
    pub primary: bool,
    /// When a provider vouched for it.
    #[serde(default)]
    pub verified_at: Option<Time>,
    /// The contact whose it is by itself, where that one is part of this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub home: Option<ContactId>,
}

/// A contact that became part of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MergedLine {
    /// Which.
    #[schemars(with = "String")]
    pub contact: ContactId,
    /// When.
    pub at: Time,
    /// Its place in the order of messages.
    #[schemars(with = "String")]
    pub from: MessageId,
    /// Who did it.
    pub by: String,
    /// Whether its thread was closed by it.
    #[serde(default)]
    pub closed_thread: bool,
}

/// A merge that was taken back: what was written meanwhile is told apart by its address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApartLine {
    /// The other contact.
    #[schemars(with = "String")]
    pub other: ContactId,
    /// Where they became one, in the order of messages.
    #[schemars(with = "String")]
    pub from: MessageId,
    /// Where they were parted.
    #[schemars(with = "String")]
    pub to: MessageId,
    /// The addresses of the one that went.
    pub identities: Vec<Identity>,
    /// Whether this contact is the one that went.
    pub went: bool,
}
