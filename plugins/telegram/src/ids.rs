//! Ids of messages and chats. Telegram's message ids are unique in a chat alone: here they are `CHAT:MESSAGE`.

use serde_json::Value;
use trunkline_plugin_api::{AdapterError, ErrorClass, Identity};

/// The id of a message in its chat; none where the object names neither.
pub(crate) fn of_message(message: &Value) -> Option<String> {
    let chat = chat(message)?;
    Some(joined(chat, message.get("message_id")?.as_i64()?))
}

/// The chat of a message, a reaction or a change of membership.
pub(crate) fn chat(message: &Value) -> Option<i64> {
    message.get("chat")?.get("id")?.as_i64()
}

/// The identity that is answered: the chat.
pub(crate) fn identity(chat: i64) -> Identity {
    Identity::new("telegram", chat.to_string())
}

/// The id of a message here.
pub(crate) fn joined(chat: i64, message: i64) -> String {
    format!("{chat}:{message}")
}

/// Chat and message of an id of ours; what stands behind them (of an edit, of a reaction) does not matter.
pub(crate) fn split(id: &str) -> Option<(i64, i64)> {
    let mut parts = id.split(':');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Whom to send to: a chat's id, or the `@name` of a public group or channel.
pub(crate) fn recipient(identifier: &str) -> Result<Value, AdapterError> {
    if let Ok(chat) = identifier.parse::<i64>() {
        return Ok(chat.into());
    }
    let is_name = identifier.strip_prefix('@').is_some_and(|name| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        (1..=64).contains(&name.len()) && name.bytes().all(plain)
    });
    if is_name {
        return Ok(identifier.into());
    }
    Err(AdapterError::new(
        ErrorClass::Recipient,
        "invalid_recipient",
        "this is neither a chat's id nor the @name of a public group or channel",
    ))
}
