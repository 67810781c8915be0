//! Sending: one call, and a further one only where Telegram surely took nothing and said what to do instead.
//!
//! ```text
//! call ──> ok ──────────────────────────> receipt
//!   ├────> 400, migrate_to_chat_id ─────> the same call to that chat, once
//!   └────> 400, a photo's dimensions ───> the same picture as a document, once
//! ```
//!
//! Telegram knows no idempotency keys and can't be asked for sent messages: an outcome that is not known stays so.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use trunkline_plugin_api::{
    AdapterError, ErrorClass, HttpReply, OutboundMessage, Receipt, Reply, Step, Turn,
};

use crate::{
    api::{self, Api},
    config::Settings,
    content, errors, ids, upload,
};

/// Where a send is.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
struct Asked {
    /// The chat that the group has become.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    moved_to: Option<i64>,
    /// It was no photo for Telegram.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    as_document: bool,
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
            return ask(api, message, Asked::default(), turn);
        }
        return Err(AdapterError::new(
            ErrorClass::Ambiguous,
            "interrupted",
            "the gateway was restarted during the call: whether Telegram took the message is not known",
        ));
    };
    let asked: Asked = serde_json::from_value(turn.cursor.clone()).unwrap_or_default();
    if let Reply::Http(answer) = reply
        && let Some(again) = otherwise(message, asked, answer)
    {
        return ask(api, message, again, turn);
    }
    let result = api::result(reply, turn.now_ms)?;
    receipt(message, &result).map(Step::done)
}

/// How else to ask after a refusal that says so; each way is tried once.
fn otherwise(message: &OutboundMessage, asked: Asked, answer: &HttpReply) -> Option<Asked> {
    if asked.moved_to.is_none()
        && let Some(chat) = errors::migrated_to(answer)
    {
        return Some(Asked {
            moved_to: Some(chat),
            ..asked
        });
    }
    let is_odd = !asked.as_document && content::is_photo(message);
    (is_odd && errors::has_odd_dimensions(answer)).then_some(Asked {
        as_document: true,
        ..asked
    })
}

fn ask(
    api: &Api,
    message: &OutboundMessage,
    asked: Asked,
    turn: &Turn,
) -> Result<Step<Receipt>, AdapterError> {
    let chat = match asked.moved_to {
        Some(chat) => chat.into(),
        None => ids::recipient(&message.to.identifier)?,
    };
    let call = content::call(message, &chat, asked.as_document)?;
    let request = match call.file {
        Some(file) => upload::request(api, &call, file, &turn.random),
        None => api.call(call.method, &Value::Object(call.parameters)),
    };
    Ok(Step::call(request, json!(asked)))
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
