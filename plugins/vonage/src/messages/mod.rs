//! The Messages API: webhooks with a token in `Authorization`, and `POST /v1/messages`.

mod codes;
mod content;
mod inbound;
mod send;
mod status;

pub(crate) use codes::CODES;
pub(crate) use send::send;

use serde_json::Value;
use trunkline_plugin_api::{Event, Identity, Received, Response, WebhookRequest};

use crate::{
    address,
    config::Settings,
    json::Object,
    sms::ID_BYTES_MAX,
    token::{self, Forged},
};

/// Characters that the Messages API takes in one SMS.
pub(crate) const TEXT_CHARS_MAX: u32 = 1_000;

/// Verifies one webhook and reads the event in it.
pub(crate) fn receive(settings: &Settings, request: &WebhookRequest) -> Received {
    if let Err(Forged { verdict, reason }) = token::verify(settings, request) {
        return Received::refused(verdict, 401, reason);
    }
    match event(&request.body) {
        Ok(event) => Received::authentic(Response::status(200), vec![event]),
        Err(why) => Received::unparsed(Response::status(200), why),
    }
}

fn event(body: &[u8]) -> Result<Event, String> {
    let body: Value = serde_json::from_slice(body).map_err(|error| format!("JSON: {error}"))?;
    let webhook = Object(&body);
    let id = webhook.text("message_uuid").ok_or("no message_uuid")?;
    if id.len() > ID_BYTES_MAX {
        return Err(format!("message_uuid is longer than {ID_BYTES_MAX} bytes"));
    }
    match webhook.text("status") {
        Some(word) => Ok(status::event(id, word, webhook)),
        None => inbound::event(id, webhook),
    }
}

/// One end of a message: a plain address beside `channel` in version 1, in version 0.1 an object with
/// `type` and `number` or `id`.
pub(super) fn end(webhook: Object<'_>, member: &str) -> Option<Identity> {
    if let Some(address) = webhook.text(member) {
        let channel = webhook.text("channel").unwrap_or("sms");
        return Some(address::identity(channel, address));
    }
    let end = webhook.object(member)?;
    let channel = end.text("type").unwrap_or("sms");
    let address = end.text("number").or_else(|| end.text("id"))?;
    Some(address::identity(channel, address))
}
