//! A message that came in, in version 1 (flat) or 0.1 (nested) of the API.
//!
//! A long SMS comes whole here, with the number of its segments in the metadata.

use serde_json::{Map, Value};
use trunkline_plugin_api::{Event, InboundMessage, Reaction, Sender};

use super::{content, end};
use crate::json::Object;

/// Members that have a place of their own in the message.
const READ: &[&str] = &[
    "from",
    "message_uuid",
    "text",
    "image",
    "audio",
    "video",
    "file",
    "vcard",
    "sticker",
    "content",
    "location",
    "contact",
    "timestamp",
    "to",
];

/// The message, or the reaction that it is.
pub(super) fn event(id: &str, webhook: Object<'_>) -> Result<Event, String> {
    let identity = end(webhook, "from").ok_or("no from")?;
    let inner = webhook.object("message");
    let name = webhook
        .object("profile")
        .and_then(|profile| profile.text("name"));
    let sender = Sender {
        identity,
        also: Vec::new(),
        name: name.map(String::from),
    };
    let address = end(webhook, "to").map(|to| to.identifier);
    let sent_at_ms = webhook.time("timestamp");
    let answers = webhook
        .object("context")
        .and_then(|context| context.text("message_uuid"))
        .map(String::from);
    if let (Some(reaction), Some(target)) = (webhook.object("reaction"), &answers) {
        return Ok(Event::Reaction(Reaction {
            id: id.into(),
            target: target.clone(),
            address,
            sender,
            emoji: reaction.text("emoji").unwrap_or_default().into(),
            sent_at_ms,
        }));
    }
    let content = match inner.and_then(|inner| inner.object("content")) {
        Some(nested) => content::read(nested, "type"),
        None => content::read(webhook, "message_type"),
    };
    Ok(Event::Message(InboundMessage {
        id: id.into(),
        address,
        sender,
        content,
        sent_at_ms,
        reply_to: answers,
        metadata: metadata(webhook, inner),
    }))
}

/// Every other member, new ones included, by Vonage's name.
fn metadata(webhook: Object<'_>, inner: Option<Object<'_>>) -> Map<String, Value> {
    let mut metadata = Map::new();
    let mut keep = |object: Object<'_>, skip: &[&str]| {
        for (name, value) in object.0.as_object().into_iter().flatten() {
            if !skip.contains(&name.as_str()) && !value.is_null() {
                metadata.insert(name.clone(), value.clone());
            }
        }
    };
    match inner {
        Some(inner) => {
            keep(webhook, &[READ, &["message"]].concat());
            keep(inner, &["content"]);
        }
        None => keep(webhook, READ),
    }
    metadata
}
