//! Resend's webhooks: states of mails that were sent, and the announcement of one that came in (Resend: Webhooks,
//! Event Types).

use serde_json::Value;
use trunkline_plugin_api::{
    AdapterError, Consent, ConsentChange, ErrorClass, Event, Identity, Note, Received,
    ReportedStatus, Response, StatusReport, Timestamp, WebhookRequest,
};

use crate::{
    SPACE,
    address::{Mailbox, is_reference, normal},
    config::Settings,
    mail::clip,
    resend::TAG,
    resend_mail,
};

/// Reads a genuine webhook.
pub(crate) fn read(settings: &Settings, request: &WebhookRequest) -> Received {
    let done = Response::status(200);
    let body: Option<Value> = serde_json::from_slice(&request.body).ok();
    let Some(body) = body.filter(|body| body["data"].is_object()) else {
        return Received::unparsed(done, "not the JSON that Resend documents");
    };
    let Some(kind) = body["type"].as_str() else {
        return Received::unparsed(done, "the webhook has no type");
    };
    if kind == "email.received" {
        return resend_mail::announced(settings, &body);
    }
    let event = event(settings, kind, &body).unwrap_or_else(|| {
        // What is not known is kept.
        Event::Note(Note {
            kind: clip(kind),
            data: body["data"].clone(),
        })
    });
    Received::authentic(done, vec![event])
}

/// A mail's state or a complaint; none where the type or the mail's id is not known.
fn event(settings: &Settings, kind: &str, body: &Value) -> Option<Event> {
    use ReportedStatus::{Delivered, Failed, Read, Sent};
    let data = &body["data"];
    let external_id = data["email_id"].as_str().filter(|id| !id.is_empty())?;
    let address = sender(data);
    let (status, error, detail) = match kind {
        "email.scheduled" | "email.sent" | "email.delivery_delayed" => (Sent, None, None),
        "email.delivered" => (Delivered, None, None),
        "email.opened" | "email.clicked" => (Read, None, None),
        "email.bounced" => (
            Failed,
            Some(bounced(data)),
            words(&data["bounce"]["message"]),
        ),
        "email.failed" => (Failed, Some(failed()), words(&data["failed"]["reason"])),
        "email.suppressed" => (
            Failed,
            Some(suppressed()),
            words(&data["suppressed"]["message"]),
        ),
        "email.complained" => return complaint(settings, data, external_id, address),
        _ => return None,
    };
    Some(Event::Status(StatusReport {
        external_id: external_id.into(),
        address,
        reference: reference(data),
        status,
        code: Some(kind.trim_start_matches("email.").to_owned()),
        detail,
        error,
        at_ms: time(&body["created_at"]),
    }))
}

fn complaint(
    settings: &Settings,
    data: &Value,
    external_id: &str,
    address: Option<String>,
) -> Option<Event> {
    let to = recipients(&data["to"]).into_iter().next()?;
    let own = settings.from.as_ref().map(|own| own.address.to_lowercase());
    Some(Event::Consent(Consent {
        identity: Identity::new(SPACE, to),
        address: address.or(own),
        change: ConsentChange::OptOut,
        source: Some(external_id.into()),
    }))
}

/// `bounce.type` is `Permanent`, `Transient` or `Undetermined`.
fn bounced(data: &Value) -> AdapterError {
    let kind = data["bounce"]["type"].as_str().unwrap_or_default();
    let (class, code, words) = match kind {
        "Permanent" => (
            ErrorClass::Recipient,
            "invalid_recipient",
            "the address does not take mail",
        ),
        "Transient" => (
            ErrorClass::Transient,
            "undeliverable_for_now",
            "the mail came back for now",
        ),
        _ => (ErrorClass::Bug, "bounced", "the mail came back"),
    };
    let error = AdapterError::new(class, code, words);
    if kind.is_empty() {
        return error;
    }
    error.with_provider_code(clip(kind))
}

fn failed() -> AdapterError {
    let words = "Resend could not send the mail: see its log";
    AdapterError::new(ErrorClass::Content, "failed", words)
}

fn suppressed() -> AdapterError {
    let words = "the address is on Resend's list of those that are not written to";
    AdapterError::new(ErrorClass::OptedOut, "suppressed", words)
}

fn words(value: &Value) -> Option<String> {
    value.as_str().map(clip)
}

/// Our message's id in the tags, an object in webhooks and a list in the API.
fn reference(data: &Value) -> Option<String> {
    let tags = &data["tags"];
    let listed = tags.as_array().into_iter().flatten();
    let mut listed = listed.filter(|tag| tag["name"] == TAG);
    let tag = tags[TAG]
        .as_str()
        .or_else(|| listed.next()?["value"].as_str())?;
    Some(tag.replace('_', ".")).filter(|reference| is_reference(reference))
}

/// The address of ours that a mail went out from.
fn sender(data: &Value) -> Option<String> {
    let from = Mailbox::parse(data["from"].as_str()?)?;
    Some(from.address.to_lowercase())
}

/// Addresses of a list, in their normal form.
pub(crate) fn recipients(value: &Value) -> Vec<String> {
    let listed = value
        .as_array()
        .into_iter()
        .flatten()
        .chain(value.is_string().then_some(value));
    listed
        .filter_map(Value::as_str)
        .filter_map(|text| Mailbox::parse(text).and_then(|found| normal(&found.address)))
        .take(50)
        .collect()
}

/// A time as Resend writes it (RFC 3339).
pub(crate) fn time(value: &Value) -> Option<Timestamp> {
    let time: jiff::Timestamp = value.as_str()?.parse().ok()?;
    Some(time.as_millisecond())
}
