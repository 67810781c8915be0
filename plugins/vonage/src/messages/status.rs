//! Statuses of sent messages. For a message of several segments Vonage gathers the receipts and sends
//! one status (its page on multi-segment SMS).

use trunkline_plugin_api::{AdapterError, ErrorClass, Event, Note, ReportedStatus, StatusReport};

use super::{CODES, end};
use crate::{errors, json::Object};

/// Vonage's words (its page on Messages API status callbacks); none for one that is not known.
fn reported(word: &str) -> Option<ReportedStatus> {
    match word {
        "submitted" => Some(ReportedStatus::Sent),
        "delivered" => Some(ReportedStatus::Delivered),
        "read" => Some(ReportedStatus::Read),
        "rejected" | "undeliverable" => Some(ReportedStatus::Failed),
        _ => None,
    }
}

/// What a status says. A word that is not known is kept as a note.
pub(super) fn event(id: &str, word: &str, webhook: Object<'_>) -> Event {
    let Some(status) = reported(word) else {
        return Event::Note(Note {
            kind: "status".into(),
            data: webhook.0.clone(),
        });
    };
    let error = webhook.object("error");
    let detail = error.and_then(|error| error.text("detail").or_else(|| error.text("reason")));
    Event::Status(StatusReport {
        external_id: id.into(),
        address: end(webhook, "from").map(|from| from.identifier),
        reference: webhook.text("client_ref").map(String::from),
        status,
        code: Some(word.into()),
        detail: detail.map(String::from),
        error: (status == ReportedStatus::Failed).then(|| failure(word, error)),
        at_ms: webhook.time("timestamp"),
    })
}

/// Why a message failed: by the error's number, else by the word alone.
fn failure(word: &str, error: Option<Object<'_>>) -> AdapterError {
    match error.and_then(errors::code) {
        Some(code) => errors::by_code(CODES, code),
        None => AdapterError::new(
            ErrorClass::Transient,
            word,
            format!("Vonage says that the message is {word} and gives no reason"),
        ),
    }
}
