//! A webhook: is it genuine, and what kind is it.
//!
//! ```text
//! payload ──signature──> account ──> MessageStatus? ──> status report
//!                                    else ───────────> message (and consent)
//! ```

use serde_json::Value;
use trunkline_plugin_api::{Event, Note, Received, Response, Verdict, WebhookRequest};

use crate::{
    config::Settings,
    inbound,
    params::{Params, Payload},
    signature::{self, Forged},
    status,
};

/// An empty TwiML document: Twilio reports an error for an answer without content type, and any
/// other document would send a message.
const TWIML: &str = r#"<?xml version="1.0" encoding="UTF-8"?><Response/>"#;

/// Bytes of a message SID, which are never more. It matters: nothing stands between names and values in what
/// Twilio signs, so that whoever has seen a genuine webhook could add the next parameter to the SID, and have
/// the message taken for a new one under its old signature.
const SID_BYTES_MAX: usize = 34;

/// Verifies one webhook and reads the events in it.
pub(crate) fn receive(settings: &Settings, request: &WebhookRequest) -> Received {
    if settings.keys.is_empty() {
        let reason = "the channel has no auth_token, so nothing can be verified";
        return Received::refused(Verdict::NoSecret, 404, reason);
    }
    let payload = Payload::read(request);
    let genuine = signature::verify(&settings.keys, request, &payload)
        .and_then(|()| check_account(settings, &payload));
    if let Err(Forged { verdict, reason }) = genuine {
        return Received::refused(verdict, 401, reason);
    }
    let events = match payload {
        Payload::Form(params) | Payload::Query(params) => read_form(&params, request),
        Payload::Json | Payload::Foreign => read_json(&request.body),
    };
    let answer = Response::with_body(200, "text/xml", TWIML);
    match events {
        Ok(events) => Received::authentic(answer, events),
        Err(why) => Received::unparsed(answer, why),
    }
}

/// A sub-account signs with a token of its own, so a webhook that our token verifies but that
/// names another account was not made for this channel.
fn check_account(settings: &Settings, payload: &Payload) -> Result<(), Forged> {
    let (Payload::Form(params) | Payload::Query(params)) = payload else {
        return Ok(());
    };
    match (&settings.account_sid, params.filled("AccountSid")) {
        (Some(ours), Some(theirs)) if ours != theirs => Err(Forged::mismatch(
            "AccountSid is not the channel's account_sid",
        )),
        _ => Ok(()),
    }
}

fn read_form(params: &Params, request: &WebhookRequest) -> Result<Vec<Event>, String> {
    let sid = ["MessageSid", "SmsMessageSid", "SmsSid"]
        .into_iter()
        .find_map(|name| params.filled(name))
        .ok_or("no MessageSid")?;
    if sid.len() > SID_BYTES_MAX {
        return Err(format!("MessageSid is longer than {SID_BYTES_MAX} bytes"));
    }
    match status::word(params) {
        Some(word) => Ok(vec![status::callback(sid, word, params, request)]),
        None => inbound::events(sid, params),
    }
}

/// Twilio's events in JSON are about the account, not about messages.
fn read_json(body: &[u8]) -> Result<Vec<Event>, String> {
    let data: Value = serde_json::from_slice(body).map_err(|error| format!("JSON: {error}"))?;
    Ok(vec![Event::Note(Note {
        kind: "json".into(),
        data,
    })])
}
