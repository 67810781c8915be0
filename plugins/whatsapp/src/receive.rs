//! A webhook: is it genuine, and the way through its batches.
//!
//! ```text
//! GET  ── hub.mode, hub.verify_token ──> challenge
//! POST ── X-Hub-Signature-256 over the raw body ──> entry[] ──> changes[] ──> by field
//!           messages ──> messages[], statuses[], errors[]      template status ──> template
//!           user_preferences ──> consent                       anything else ──> note
//! ```
//!
//! One request may carry several accounts, numbers and messages: every level is walked, and each event names
//! the number (`phone_number_id`) that it came to.

use serde_json::Value;
use trunkline_plugin_api::{Event, Note, Received, Response, Verdict, WebhookRequest, sign};

use crate::{account, config::Settings, fields, inbound, sender::People, status};

const SIGNATURE: &str = "x-hub-signature-256";
/// What a subscription of WhatsApp accounts calls itself.
const OBJECT: &str = "whatsapp_business_account";

/// Verifies one webhook and reads the events in it.
pub(crate) fn receive(settings: &Settings, request: &WebhookRequest) -> Received {
    if request.method == "GET" {
        return challenge(settings, request);
    }
    if settings.app_secrets.is_empty() {
        let reason = "the channel has no app_secret, so nothing can be verified";
        return Received::refused(Verdict::NoSecret, 404, reason);
    }
    let Some(given) = request.header(SIGNATURE) else {
        let reason = "the request carries no X-Hub-Signature-256";
        return Received::refused(Verdict::Unsigned, 401, reason);
    };
    if !is_signed(settings, given, &request.body) {
        let reason = "X-Hub-Signature-256 does not match the body: check app_secret";
        return Received::refused(Verdict::Mismatch, 403, reason);
    }
    let answer = Response::status(200);
    match read(&request.body) {
        Ok(events) => Received::authentic(answer, events),
        Err(why) => Received::unparsed(answer, why),
    }
}

/// Meta's check of the webhook URL (Meta: Create a webhook endpoint).
fn challenge(settings: &Settings, request: &WebhookRequest) -> Received {
    if settings.verify_tokens.is_empty() {
        let reason = "the channel has no verify_token, so no webhook URL can be confirmed";
        return Received::refused(Verdict::NoSecret, 403, reason);
    }
    let mut query = Query::default();
    for (name, value) in form_urlencoded::parse(request.query().as_bytes()) {
        match name.as_ref() {
            "hub.mode" => query.mode = value.into_owned(),
            "hub.verify_token" => query.token = Some(value.into_owned()),
            "hub.challenge" => query.challenge = value.into_owned(),
            _ => {}
        }
    }
    let Some(token) = query.token else {
        let reason = "the request carries no hub.verify_token";
        return Received::refused(Verdict::Unsigned, 403, reason);
    };
    // All are compared, so that the time does not tell which one was close.
    let is_known = settings.verify_tokens.iter().fold(false, |known, secret| {
        sign::equal(secret.as_bytes(), token.as_bytes()) | known
    });
    if query.mode != "subscribe" || !is_known {
        let reason = "hub.mode or hub.verify_token is wrong: check verify_token";
        return Received::refused(Verdict::Mismatch, 403, reason);
    }
    Received {
        verdict: Verdict::Challenge,
        ..Received::authentic(
            Response::with_body(200, "text/plain", query.challenge),
            Vec::new(),
        )
    }
}

#[derive(Default)]
struct Query {
    mode: String,
    token: Option<String>,
    challenge: String,
}

/// Meta signs the very bytes it sends, in which everything beyond ASCII is escaped.
fn is_signed(settings: &Settings, given: &str, body: &[u8]) -> bool {
    let Some(given) = given.strip_prefix("sha256=").and_then(sign::from_hex) else {
        return false;
    };
    settings
        .app_secrets
        .iter()
        .any(|secret| sign::equal(&sign::hmac_sha256(secret.as_bytes(), body), &given))
}

fn read(body: &[u8]) -> Result<Vec<Event>, String> {
    let payload: Value =
        serde_json::from_slice(body).map_err(|error| format!("the body is not JSON: {error}"))?;
    match fields::text(&payload, "object") {
        Some(OBJECT) => {}
        Some(other) => {
            let kind = other.to_owned();
            return Ok(vec![Event::Note(Note {
                kind,
                data: payload,
            })]);
        }
        None => return Err("the body has no \"object\"".into()),
    }
    let mut events = Vec::new();
    for entry in fields::list(&payload, "entry") {
        for change in fields::list(entry, "changes") {
            read_change(entry, change, &mut events);
        }
    }
    Ok(events)
}

fn read_change(entry: &Value, change: &Value, events: &mut Vec<Event>) {
    let value = change.get("value").unwrap_or(&Value::Null);
    match fields::text(change, "field").unwrap_or_default() {
        "messages" => read_messages(entry, value, events),
        "message_template_status_update" => {
            events.push(account::template(entry, value));
        }
        "user_preferences" => events.extend(account::preferences(entry, value)),
        field => events.push(account::note(field, entry, value)),
    }
}

fn read_messages(entry: &Value, value: &Value, events: &mut Vec<Event>) {
    let address = value
        .get("metadata")
        .and_then(|metadata| fields::id(metadata, "phone_number_id"));
    let people = People::of(value);
    for message in fields::list(value, "messages") {
        inbound::read(message, address.as_deref(), &people, events);
    }
    for report in fields::list(value, "statuses") {
        events.push(status::read(report, address.as_deref()));
    }
    if value.get("errors").is_some() {
        events.push(account::note("errors", entry, value));
    }
}
