//! Sending: one call, and a second one only where a group has become another chat.
//!
//! ```text
//! call ──> ok ──────────────────────> receipt
//!   └────> 400, migrate_to_chat_id ─> the same call to that chat
//! ```
//!
//! Telegram knows no idempotency keys and can't be asked for sent messages: an outcome that is not known stays so.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use trunkline_plugin_api::{AdapterError, ErrorClass, OutboundMessage, Receipt, Reply, Step, Turn};

use crate::{
    api::{self, Api},
    config::Settings,
    content, errors, ids, upload,
};

/// Where a send is.
#[derive(Serialize, Deserialize)]
struct Asked {
    /// The chat that the group has become.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    moved_to: Option<i64>,
}

/// One step of a send.
pub(crate) fn send(
    settings: &Settings,
    message: &OutboundMessage,
    turn: &Turn,
) -> Result<Step<Receipt>, AdapterError> {
    let api = settings.api()?;
    let Some(reply) = &turn.reply else {
        if turn.cursor.is_null() {
            return ask(api, message, None, turn);
        }
        return Err(AdapterError::new(
            ErrorClass::Ambiguous,
            "interrupted",
            "the gateway was restarted during the call: whether Telegram took the message is not known",
        ));
    };
    let asked: Asked =
        serde_json::from_value(turn.cursor.clone()).unwrap_or(Asked { moved_to: None });
    if let (None, Reply::Http(answer)) = (asked.moved_to, reply)
        && let Some(chat) = errors::migrated_to(answer)
    {
        return ask(api, message, Some(chat), turn);
    }
    let result = api::result(reply, turn.now_ms)?;
    receipt(message, &result).map(Step::done)
}

fn ask(
    api: &Api,
    message: &OutboundMessage,
    moved_to: Option<i64>,
    turn: &Turn,
) -> Result<Step<Receipt>, AdapterError> {
    let chat = match moved_to {
        Some(chat) => chat.into(),
        None => ids::recipient(&message.to.identifier)?,
    };
    let call = content::call(message, &chat)?;
    let request = match call.file {
        Some(file) => upload::request(api, &call, file, &turn.random),
        None => api.call(call.method, &Value::Object(call.parameters)),
    };
    Ok(Step::call(request, json!(Asked { moved_to })))
}

/// The message that Telegram made of it. A reaction is none and gets an id of its own.
fn receipt(message: &OutboundMessage, result: &Value) -> Result<Receipt, AdapterError> {
    let external_id = match &message.content.reaction {
        Some(reaction) => Some(format!("{}:reaction:{}", reaction.target, message.id)),
        None => ids::of_message(result),
    };
    let external_id = external_id.ok_or_else(|| {
        AdapterError::new(
            ErrorClass::Ambiguous,
            "unreadable_answer",
            "Telegram took the message, but its answer names no message",
        )
    })?;
    Ok(Receipt {
        external_id,
        ..Receipt::default()
    })
}
