//! A message that a person wrote, or changed (Bot API, Message).

use serde_json::Value;
use trunkline_plugin_api::{Event, InboundMessage, Sender};

use crate::{fields, ids, kinds, receive::About};

/// Members that have a place of their own in the message.
const READ: &[&str] = &[
    "chat",
    "date",
    "edit_date",
    "message_id",
    "reply_to_message",
];

/// A message; none where it is Telegram's own word about the chat, or names no chat.
pub(crate) fn new(message: &Value, about: &About<'_>) -> Option<Event> {
    if kinds::is_service(message) {
        return None;
    }
    let id = ids::of_message(message)?;
    let read = read(message, about, id)?;
    Some(Event::Message(read))
}

/// A changed message is one of its own that answers the first. A place that moves is none: it changes all the time.
pub(crate) fn edited(message: &Value, about: &About<'_>) -> Option<Event> {
    let moves = message
        .pointer("/location/live_period")
        .or_else(|| message.pointer("/location/heading"));
    if moves.is_some() || kinds::is_service(message) {
        return None;
    }
    let first = ids::of_message(message)?;
    let mut read = read(message, about, format!("{first}:edit:{}", about.number))?;
    read.reply_to = Some(first);
    read.sent_at_ms = fields::time(message, "edit_date").or(read.sent_at_ms);
    let words = "The person changed an earlier message: this is its new content.";
    read.metadata.insert("note".into(), words.into());
    Some(Event::Message(read))
}

fn read(message: &Value, about: &About<'_>, id: String) -> Option<InboundMessage> {
    let said = kinds::read(message);
    let mut metadata = fields::rest(message, READ);
    for name in said.read {
        metadata.remove(*name);
    }
    metadata.extend(said.extra);
    if !is_private(message) {
        let chat = message.get("chat").cloned().unwrap_or_default();
        metadata.insert("chat".into(), chat);
    }
    if is_automatic(message) {
        metadata.insert("auto_reply".into(), true.into());
    }
    Some(InboundMessage {
        id,
        address: about.address.map(String::from),
        sender: sender(message)?,
        content: said.content,
        sent_at_ms: fields::time(message, "date"),
        reply_to: message.get("reply_to_message").and_then(ids::of_message),
        metadata,
    })
}

/// Who is answered: the chat, by the name that people see.
pub(crate) fn sender(message: &Value) -> Option<Sender> {
    let chat = message.get("chat")?;
    Some(Sender {
        identity: ids::identity(ids::chat(message)?),
        name: fields::owned(chat, "title").or_else(|| name(chat)),
        ..Sender::default()
    })
}

/// The name of a person.
pub(crate) fn name(person: &Value) -> Option<String> {
    let parts: Vec<&str> = ["first_name", "last_name"]
        .into_iter()
        .filter_map(|field| fields::text(person, field))
        .collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// True where the chat is one person's with the bot.
pub(crate) fn is_private(message: &Value) -> bool {
    message.pointer("/chat/type").and_then(Value::as_str) == Some("private")
}

/// Another bot wrote, or a channel's post was passed on into its group.
fn is_automatic(message: &Value) -> bool {
    // An anonymous administrator of a group is shown as a bot, and as the group.
    let by_bot = message.pointer("/from/is_bot") == Some(&Value::Bool(true))
        && message.get("sender_chat").is_none();
    by_bot || message.get("is_automatic_forward") == Some(&Value::Bool(true))
}
