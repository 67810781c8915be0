//! States of sent messages (Meta: status messages webhook reference).

use serde_json::Value;
use trunkline_plugin_api::{Event, Note, ReportedStatus, StatusReport};

use crate::{errors, fields};

/// Meta's words. `played` is the first time that a voice message is heard; none for a word that says
/// nothing new (`deleted`).
fn reported(word: &str) -> Option<ReportedStatus> {
    match word {
        "accepted" | "held_for_quality_assessment" | "sent" => Some(ReportedStatus::Sent),
        "delivered" => Some(ReportedStatus::Delivered),
        "read" | "played" => Some(ReportedStatus::Read),
        "failed" => Some(ReportedStatus::Failed),
        _ => None,
    }
}

/// One entry of `statuses`. What names no message, or a word that is not known, is kept as a note.
pub(crate) fn read(report: &Value, address: Option<&str>) -> Event {
    let word = fields::text(report, "status").unwrap_or_default();
    let (Some(id), Some(status)) = (fields::text(report, "id"), reported(word)) else {
        return Event::Note(Note {
            kind: "status".into(),
            data: report.clone(),
        });
    };
    let error = fields::list(report, "errors").next();
    Event::Status(StatusReport {
        external_id: id.into(),
        address: address.map(String::from),
        // What a send carries is handed back; anything else there was put by another sender.
        reference: fields::text(report, "biz_opaque_callback_data").map(String::from),
        status,
        code: Some(word.into()),
        detail: error.and_then(words).or_else(|| price(report)),
        error: error
            .filter(|_| status == ReportedStatus::Failed)
            .and_then(errors::of_object),
        at_ms: fields::time(report, "timestamp"),
    })
}

/// Meta's own words about a failure.
fn words(error: &Value) -> Option<String> {
    let details = error
        .get("error_data")
        .and_then(|data| fields::text(data, "details"));
    let words = details
        .or_else(|| fields::text(error, "message"))
        .or_else(|| fields::text(error, "title"))?;
    Some(words.into())
}

/// What a message costs, and in which conversation it is, as far as Meta says.
fn price(report: &Value) -> Option<String> {
    let mut parts = Vec::new();
    if let Some(pricing) = report.get("pricing") {
        let billable = pricing.get("billable").and_then(Value::as_bool);
        parts.extend(billable.map(|billable| {
            let word = if billable { "billable" } else { "not billable" };
            word.to_owned()
        }));
        for field in ["category", "type", "pricing_model"] {
            parts.extend(fields::text(pricing, field).map(|text| format!("{field} {text}")));
        }
    }
    if let Some(conversation) = report.get("conversation") {
        parts.extend(fields::text(conversation, "id").map(|id| format!("conversation {id}")));
        let origin = conversation.get("origin");
        let origin = origin.and_then(|origin| fields::text(origin, "type"));
        parts.extend(origin.map(|origin| format!("origin {origin}")));
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}
