//! Delivery receipts: one for each part of a sent message, with our id in `client-ref`.

use serde_json::Value;
use trunkline_plugin_api::{AdapterError, ErrorClass, Event, Note, ReportedStatus, StatusReport};

use super::{Params, RECEIPTS};
use crate::{address, errors, json};

/// Vonage's words for the state of a sent message (its page on delivery receipts); none for one that
/// says nothing (`unknown`).
fn reported(word: &str) -> Option<ReportedStatus> {
    match word {
        "accepted" | "buffered" => Some(ReportedStatus::Sent),
        "delivered" => Some(ReportedStatus::Delivered),
        "expired" | "failed" | "rejected" => Some(ReportedStatus::Failed),
        _ => None,
    }
}

/// What a receipt says. A word that means no change is kept as a note.
pub(super) fn event(id: &str, word: &str, params: &Params) -> Event {
    let Some(status) = reported(word) else {
        return Event::Note(Note {
            kind: "receipt".into(),
            data: Value::Object(params.to_object(&["api-key", "nonce", "sig", "timestamp"])),
        });
    };
    let code = params
        .filled("err-code")
        .and_then(|code| code.parse::<u32>().ok());
    Event::Status(StatusReport {
        external_id: id.into(),
        address: params.filled("to").map(address::normal),
        reference: params.filled("client-ref").map(String::from),
        status,
        code: Some(word.into()),
        detail: None,
        error: (status == ReportedStatus::Failed).then(|| failure(word, code)),
        at_ms: params.filled("message-timestamp").and_then(json::sms_time),
    })
}

/// Why a message failed: by the code (0 is none), else by the word alone.
fn failure(word: &str, code: Option<u32>) -> AdapterError {
    match code.filter(|code| *code != 0) {
        Some(code) => errors::by_code(RECEIPTS, code),
        None => AdapterError::new(
            ErrorClass::Transient,
            word,
            format!("Vonage says that the message is {word} and gives no reason"),
        ),
    }
}
