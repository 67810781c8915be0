//! Who did what to which object, and when. Ids and names alone: never content, never an address.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Millis;

/// What kind of actor it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// A user of this machine, by the admin socket.
    Uid,
    /// The holder of a token.
    Token,
    /// Who is signed in.
    User,
    /// The daemon by itself.
    Daemon,
}

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// What kind.
    pub kind: ActorKind,
    /// The number of the machine's user, the token's id or the user's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The token's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Actor {
    /// The daemon itself.
    pub fn daemon() -> Self {
        Self {
            kind: ActorKind::Daemon,
            id: None,
            name: None,
        }
    }

    /// In words: `uid 1000`, `token 0190... (deploy)`, `daemon`.
    pub fn words(&self) -> String {
        let id = self.id.as_deref().unwrap_or_default();
        match (self.kind, &self.name) {
            (ActorKind::Daemon, _) => "daemon".into(),
            (ActorKind::Uid, _) => format!("uid {id}"),
            (ActorKind::Token, Some(name)) => format!("token {id} ({name})"),
            (ActorKind::Token, None) => format!("token {id}"),
            (ActorKind::User, Some(name)) => format!("user {name}"),
            (ActorKind::User, None) => format!("user {id}"),
        }
    }
}

/// One entry of the audit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// When.
    pub at_ms: Millis,
    /// Who.
    pub actor: Actor,
    /// What: `channel.disable`, `contact.erase`, `daemon.start`.
    pub action: String,
    /// To what: kinds of objects and their ids.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub object: BTreeMap<String, String>,
    /// What came of it: counts, keys, states.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub detail: Map<String, Value>,
}

impl AuditEntry {
    /// An entry without object and detail.
    pub fn new(at_ms: Millis, actor: Actor, action: impl Into<String>) -> Self {
        Self {
            at_ms,
            actor,
            action: action.into(),
            object: BTreeMap::new(),
            detail: Map::new(),
        }
    }

    /// Adds the id of an object.
    #[must_use]
    pub fn on(mut self, kind: &str, id: &(impl ToString + ?Sized)) -> Self {
        self.object.insert(kind.to_owned(), id.to_string());
        self
    }

    /// Adds a detail.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.detail.insert(name.to_owned(), value.into());
        self
    }
}
