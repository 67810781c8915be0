//! A message that came in, or a part of one.
//!
//! Vonage hands over a long message in parts, each a webhook with an id of its own and `concat-ref`,
//! `concat-total` and `concat-part`. An adapter keeps nothing between calls, so each part becomes a
//! message whose metadata says so. They reach people and hooks together: the daemon gathers what
//! comes in quick succession into one turn.

use serde_json::Value;
use trunkline_plugin_api::{Content, Event, InboundMessage, Sender};

use super::Params;
use crate::{address, json};

/// Parameters that have a place of their own in the message, or that only prove it.
const READ: &[&str] = &[
    "api-key",
    "message-timestamp",
    "messageId",
    "msisdn",
    "nonce",
    "sig",
    "text",
    "timestamp",
    "to",
];

/// The message. A binary one has no text: its bytes stay in the metadata, in hexadecimal.
pub(super) fn event(id: &str, params: &Params) -> Result<Event, String> {
    let from = params.filled("msisdn").ok_or("no msisdn")?;
    let is_binary = params.get("type") == Some("binary");
    let text = params
        .get("text")
        .filter(|text| !is_binary || !text.is_empty());
    if text.is_none() && params.filled("data").is_none() {
        return Err("neither text nor data".into());
    }
    let mut metadata = params.to_object(READ);
    for name in ["concat-total", "concat-part"] {
        if let Some(number) = params.get(name).and_then(|text| text.parse::<u32>().ok()) {
            metadata.insert(name.into(), Value::from(number));
        }
    }
    Ok(Event::Message(InboundMessage {
        id: id.into(),
        address: params.filled("to").map(address::normal),
        sender: Sender {
            identity: address::identity("sms", from),
            ..Sender::default()
        },
        content: Content {
            text: text.map(String::from),
            ..Content::default()
        },
        sent_at_ms: params.filled("message-timestamp").and_then(json::sms_time),
        reply_to: None,
        metadata,
    }))
}
