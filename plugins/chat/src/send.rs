//! Frames to the visitor's page, in the form that the daemon's chat door itself uses when a page
//! catches up:
//!
//! ```json
//! {"type": "message", "id": "0198...", "direction": "out", "text": "hello", "media": [], "at": 1767225600000}
//! {"type": "read", "client": "c1", "typing": true}
//! ```

use serde_json::{Map, Value, json};
use trunkline_plugin_api::{
    AdapterError, Content, ErrorClass, Media, OutboundMessage, PushRequest, Receipt, ReceivedRef,
    Request, Step, Turn,
};

use crate::receive::scoped;

/// Pushes a message, or reads what became of the push.
///
/// Any push is a message sent: it is in the visitor's timeline since it was accepted, and a page
/// that is closed now reads it there when it comes back. So no session at all is no failure and
/// nothing to try again. That it arrived is known only when the page says so: `delivered` and `read`
/// come from there.
pub(crate) fn send(message: &OutboundMessage, turn: &Turn) -> Step<Receipt> {
    let Some(reply) = &turn.reply else {
        return match frame(message) {
            Ok(frame) => push(&message.to.identifier, frame),
            Err(error) => Step::fail(error),
        };
    };
    match reply.push() {
        Ok(pushed) => Step::done(Receipt {
            external_id: scoped(&message.to.identifier, name(message)),
            code: Some(if pushed.sessions == 0 { "kept" } else { "live" }.into()),
            ..Receipt::default()
        }),
        Err(error) => Step::fail(harmless(error)),
    }
}

/// Shows the visitor that a message of theirs was read, and that somebody writes.
pub(crate) fn mark_read(message: &ReceivedRef, turn: &Turn) -> Step<()> {
    let visitor = &message.sender.identifier;
    let Some(reply) = &turn.reply else {
        let mine = message
            .external_id
            .strip_prefix(visitor.as_str())
            .and_then(|rest| rest.strip_prefix(':'));
        let Some(client) = mine else {
            return Step::fail(AdapterError::new(
                ErrorClass::Content,
                "not_a_chat_message",
                "the message to be marked is not one of this visitor",
            ));
        };
        return push(
            visitor,
            json!({"type": "read", "client": client, "typing": message.typing}),
        );
    };
    reply
        .push()
        .map_or_else(|error| Step::fail(harmless(error)), |_| Step::done(()))
}

fn push<T>(visitor: &str, payload: Value) -> Step<T> {
    Step::Call {
        request: Request::Push(PushRequest {
            to: visitor.to_owned(),
            payload,
        }),
        cursor: Value::from("pushed"),
    }
}

/// The page shows a repeated frame once, so a push of unknown outcome is simply made again.
fn harmless(mut error: AdapterError) -> AdapterError {
    if error.class == ErrorClass::Ambiguous {
        error.class = ErrorClass::Transient;
    }
    error
}

/// What the page knows a message (or a part of one) by.
fn name(message: &OutboundMessage) -> &str {
    match message.part {
        Some(_) => &message.idempotency_key,
        None => &message.id,
    }
}

fn frame(message: &OutboundMessage) -> Result<Value, AdapterError> {
    let content = &message.content;
    check(content)?;
    let mut frame = Map::new();
    frame.insert("type".into(), "message".into());
    frame.insert("id".into(), name(message).into());
    frame.insert("direction".into(), "out".into());
    if let Some(text) = &content.text {
        frame.insert("text".into(), text.as_str().into());
    }
    if !content.media.is_empty() {
        let media: Result<Vec<Value>, _> = content.media.iter().map(link).collect();
        frame.insert("media".into(), media?.into());
    }
    frame.insert("at".into(), message.accepted_at_ms.into());
    Ok(Value::Object(frame))
}

fn check(content: &Content) -> Result<(), AdapterError> {
    let shown = content.text.as_deref().is_some_and(|text| !text.is_empty());
    if !shown && content.media.is_empty() {
        return Err(refused(
            "nothing_to_show",
            "the chat shows text and attachments, and the message has neither",
        ));
    }
    Ok(())
}

fn link(media: &Media) -> Result<Value, AdapterError> {
    let url = media.source.url.as_deref();
    let url = url.filter(|url| url.starts_with("https://") || url.starts_with("http://"));
    let url = url.ok_or_else(|| {
        refused(
            "media_not_public",
            "the visitor's browser fetches attachments by URL, and one has none",
        )
    })?;
    Ok(json!({
        "url": url,
        "name": media.name,
        "content_type": media.content_type,
        "size": media.size,
    }))
}

fn refused(code: &str, message: &str) -> AdapterError {
    AdapterError::new(ErrorClass::Content, code, message)
}
