//! A message that came in, or a reaction to one (Meta: messages webhook reference).

use serde_json::{Map, Value};
use trunkline_plugin_api::{Consent, ConsentChange, Event, InboundMessage, Note, Reaction};

use crate::{
    fields,
    kinds::{self, Said},
    sender::{self, People},
};

/// The longest message id that is believed, in bytes; real ones have about 70.
const ID_BYTES_MAX: usize = 512;

/// Members that have a place of their own in the message.
const READ: &[&str] = &[
    "context",
    "from",
    "from_parent_user_id",
    "from_user_id",
    "id",
    "timestamp",
    "type",
];

/// Adds the events of one entry of `messages`. What names no id or nobody is kept as a note.
pub(crate) fn read(
    message: &Value,
    address: Option<&str>,
    people: &People<'_>,
    events: &mut Vec<Event>,
) {
    let id = fields::text(message, "id").filter(|id| id.len() <= ID_BYTES_MAX);
    let (Some(id), Some(mut sender)) = (id, people.sender(message)) else {
        events.push(Event::Note(Note {
            kind: "message".into(),
            data: message.clone(),
        }));
        return;
    };
    let sent_at_ms = fields::time(message, "timestamp");
    let kind = fields::text(message, "type").unwrap_or("unknown");
    if let Some((target, emoji)) = reaction(message, kind) {
        events.push(Event::Reaction(Reaction {
            id: id.into(),
            target,
            address: address.map(String::from),
            sender,
            emoji,
            sent_at_ms,
        }));
        return;
    }
    if kind == "system" {
        sender.also.extend(new_identities(message, &sender));
    }
    let consent = marketing_choice(message).map(|change| {
        Event::Consent(Consent {
            identity: sender.identity.clone(),
            address: address.map(String::from),
            change,
            source: Some(id.into()),
        })
    });
    let said = kinds::read(kind, message);
    events.push(Event::Message(InboundMessage {
        id: id.into(),
        address: address.map(String::from),
        sender,
        reply_to: said.answers.clone().or_else(|| quoted(message)),
        sent_at_ms,
        metadata: metadata(kind, message, people, &said),
        content: said.content,
    }));
    events.extend(consent);
}

/// What was reacted to, and the emoji: empty where the reaction was taken back.
fn reaction(message: &Value, kind: &str) -> Option<(String, String)> {
    let reaction = message.get("reaction").filter(|_| kind == "reaction")?;
    let target = fields::text(reaction, "message_id")?;
    let emoji = fields::text(reaction, "emoji").unwrap_or_default();
    Some((target.into(), emoji.into()))
}

/// The id of the message that this one answers.
fn quoted(message: &Value) -> Option<String> {
    let id = fields::text(message.get("context")?, "id")?;
    Some(id.into())
}

/// A system message about a changed number or id names the new one: it is the same person.
fn new_identities(
    message: &Value,
    known: &trunkline_plugin_api::Sender,
) -> Vec<trunkline_plugin_api::Identity> {
    let Some(system) = message.get("system") else {
        return Vec::new();
    };
    let is_change = fields::text(system, "type").is_some_and(|kind| kind.contains("_changed_"));
    let ids = ["wa_id", "new_wa_id", "user_id"]
        .into_iter()
        .filter(|_| is_change)
        .filter_map(|field| fields::text(system, field))
        .filter_map(sender::identity);
    let mut new = Vec::new();
    for id in ids {
        if id != known.identity && !known.also.contains(&id) && !new.contains(&id) {
            new.push(id);
        }
    }
    new
}

/// The older form of a marketing preference: a system message (Meta: `user_preferences`).
fn marketing_choice(message: &Value) -> Option<ConsentChange> {
    let system = message.get("system")?;
    if fields::text(system, "type") != Some("user_preference_changed") {
        return None;
    }
    crate::account::marketing_change(fields::text(system, "marketing")?)
}

/// Everything that has no place of its own, by Meta's names: new members too.
fn metadata(kind: &str, message: &Value, people: &People<'_>, said: &Said) -> Map<String, Value> {
    let mut metadata = fields::rest(message, READ);
    if said.is_read {
        metadata.remove(kind);
    }
    if kind != "text" {
        metadata.insert("type".into(), kind.into());
    }
    if let Some(context) = message.get("context") {
        // `forwarded`, `frequently_forwarded`, `referred_product` and what is new.
        metadata.extend(fields::rest(context, &["from", "id"]));
    }
    if let Some(username) = people.username(message) {
        metadata.insert("username".into(), username.into());
    }
    metadata.extend(said.extra.clone());
    if let Some(note) = said.note {
        metadata.insert("note".into(), note.into());
    }
    metadata
}
