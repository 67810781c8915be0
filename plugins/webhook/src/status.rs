//! Reports on messages that we posted: objects of the type `message.status`.
//!
//! ```json
//! {"type": "message.status", "id": "...", "status": "failed", "error": {"code": "...", "message": "..."}}
//! ```
//!
//! As in a Standard Webhooks payload the members may be inside `data`. The message is named by
//! `external_id` or `id` (the id that our post was answered with, or its `webhook-id`), by
//! `reference` (our own id of it), or by both.

use serde_json::Value;
use trunkline_plugin_api::{AdapterError, ErrorClass, Event, Note, ReportedStatus, StatusReport};

use crate::fields::{event_time, short_text};

/// The type of a report.
const TYPE: &str = "message.status";

/// Characters of a reason that are kept.
const REASON_CHARS_MAX: usize = 500;

/// Reads a report; none where the object is something else.
pub(crate) fn read(object: &Value) -> Option<Result<Event, String>> {
    let is_report = object.get("type").and_then(Value::as_str) == Some(TYPE);
    is_report.then(|| report(object))
}

fn report(object: &Value) -> Result<Event, String> {
    let body = match object.get("data") {
        Some(data) if data.is_object() && object.get("status").is_none() => data,
        _ => object,
    };
    let word = body
        .get("status")
        .and_then(Value::as_str)
        .ok_or("a message.status without a status")?;
    let Some(status) = reported(word) else {
        return Ok(Event::Note(Note {
            kind: "status".into(),
            data: body.clone(),
        }));
    };
    let reference = short_text(body, "reference")?;
    let external_id = match short_text(body, "external_id")? {
        Some(id) => Some(id),
        None => short_text(body, "id")?,
    };
    let error = body.get("error").filter(|error| !error.is_null());
    let error = error
        .filter(|_| status == ReportedStatus::Failed)
        .map(failure);
    Ok(Event::Status(StatusReport {
        external_id: external_id
            .or_else(|| reference.clone())
            .ok_or("a message.status without external_id, id or reference")?,
        address: None,
        reference,
        status,
        code: error.as_ref().and_then(|error| error.provider_code.clone()),
        detail: error.as_ref().map(|error| error.message.clone()),
        error,
        at_ms: event_time(object),
    }))
}

fn reported(word: &str) -> Option<ReportedStatus> {
    match word {
        "sent" => Some(ReportedStatus::Sent),
        "delivered" => Some(ReportedStatus::Delivered),
        "read" => Some(ReportedStatus::Read),
        "failed" => Some(ReportedStatus::Failed),
        _ => None,
    }
}

/// The reason given: words, or an object with `code` and `message`. What can be done about it is
/// not ours to know, so it has the class of everything unexpected.
fn failure(error: &Value) -> AdapterError {
    let words = error
        .as_str()
        .or_else(|| error.get("message").and_then(Value::as_str))
        .unwrap_or("the receiver gave no reason");
    let words = words.chars().take(REASON_CHARS_MAX).collect::<String>();
    let failure = AdapterError::new(ErrorClass::Bug, "failed", words);
    match short_text(error, "code") {
        Ok(Some(code)) => failure.with_provider_code(code),
        _ => failure,
    }
}
