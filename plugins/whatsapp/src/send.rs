//! Sends one message: `POST /{version}/{phone_number_id}/messages`, after the upload of its attachment where
//! that is a file of the daemon.
//!
//! ```text
//! text, template, link ... ───────────────────────> POST messages ──> receipt
//! file of the daemon ──> POST media ──> its id ──┘
//! ```
//!
//! Meta has no idempotency key, so a message is posted once: after a restart, where the outcome of the call is
//! not known, the send fails as ambiguous. An upload may be repeated; the first one ends after 30 days.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use trunkline_plugin_api::{
    AdapterError, ErrorClass::Ambiguous, HttpReply, OutboundMessage, Receipt, Step, Turn,
};

use crate::{config::Settings, content, errors, fields, graph, upload};

/// Where a send is.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "at", rename_all = "snake_case")]
enum Stage {
    /// The attachment is being uploaded.
    Upload,
    /// The message is being posted.
    Post,
}

/// Sends, or reads the answer to the last call.
pub(crate) fn send(settings: &Settings, message: &OutboundMessage, turn: &Turn) -> Step<Receipt> {
    step(settings, message, turn).unwrap_or_else(Step::fail)
}

fn step(
    settings: &Settings,
    message: &OutboundMessage,
    turn: &Turn,
) -> Result<Step<Receipt>, AdapterError> {
    let stage: Result<Option<Stage>, _> = serde_json::from_value(turn.cursor.clone());
    // A cursor that can't be read may be one from behind the call.
    match (stage.unwrap_or(Some(Stage::Post)), &turn.reply) {
        (Some(Stage::Upload), Some(reply)) => {
            let media = upload::read(reply, turn.now_ms)?;
            post(settings, message, Some(&media))
        }
        (Some(Stage::Post), Some(reply)) => {
            let answer = reply.http()?;
            receipt(answer, turn).map(Step::done)
        }
        (Some(Stage::Post), None) => Err(AdapterError::new(
            Ambiguous,
            "interrupted",
            "the daemon stopped before Meta's answer came",
        )),
        (None | Some(Stage::Upload), _) => begin(settings, message, turn),
    }
}

fn begin(
    settings: &Settings,
    message: &OutboundMessage,
    turn: &Turn,
) -> Result<Step<Receipt>, AdapterError> {
    let (api, number) = settings.caller()?;
    let Some(file) = content::file(&message.content) else {
        return post(settings, message, None);
    };
    // What Meta would refuse is found before the upload.
    content::object(message, Some("0"))?;
    let request = upload::request(api, number, file, &turn.random);
    Ok(Step::call(request, json!(Stage::Upload)))
}

fn post(
    settings: &Settings,
    message: &OutboundMessage,
    media: Option<&str>,
) -> Result<Step<Receipt>, AdapterError> {
    let (api, number) = settings.caller()?;
    let body = body(message, media)?;
    let request = api.post(&[number, "messages"], &body);
    Ok(Step::call(request, json!(Stage::Post)))
}

/// The whole message.
fn body(message: &OutboundMessage, media: Option<&str>) -> Result<Value, AdapterError> {
    let (kind, object) = content::object(message, media)?;
    let mut body = json!({
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
    });
    // A number goes with its plus, or Meta may take it for one of the business's own country; an
    // id goes into a member of its own (Meta: Business-scoped user IDs).
    let person = message.to.identifier.as_str();
    let member = if person.starts_with('+') {
        "to"
    } else {
        "recipient"
    };
    body[member] = person.into();
    body["type"] = kind.into();
    body[kind] = object;
    if let Some(quoted) = message.reply_to.as_deref().filter(|_| kind != "reaction") {
        body["context"] = json!({ "message_id": quoted });
    }
    body["biz_opaque_callback_data"] = reference(message).into();
    Ok(body)
}

/// What states of this message carry back: our id of it, and of its part.
fn reference(message: &OutboundMessage) -> String {
    match message.part {
        Some(part) => format!("{}.{}", message.id, part.index),
        None => message.id.clone(),
    }
}

/// What Meta's answer says. A 2xx whose message can't be read may stand for an accepted
/// message, so its outcome is unknown.
fn receipt(answer: &HttpReply, turn: &Turn) -> Result<Receipt, AdapterError> {
    if !graph::is_success(answer) {
        return Err(errors::of_answer(answer, turn.now_ms));
    }
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let message = fields::list(&body, "messages").next();
    let id = message.and_then(|message| fields::text(message, "id"));
    let (Some(message), Some(id)) = (message, id) else {
        return Err(AdapterError::new(
            Ambiguous,
            "unreadable_answer",
            "Meta accepted the message, but its answer names no id",
        ));
    };
    Ok(Receipt {
        external_id: id.into(),
        // Paced templates have a word of their own.
        code: Some(
            fields::text(message, "message_status")
                .unwrap_or("accepted")
                .into(),
        ),
        segments: None,
        rate_limit_remaining: None,
    })
}
