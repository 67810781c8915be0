//! States of sent messages: Twilio's words, its status callback, and polling.

use serde_json::Value;
use trunkline_plugin_api::{
    AdapterError, Event, Note, ReportedStatus, Sent, StatusReport, Step, Turn, WebhookRequest,
};

use crate::{
    config::Settings,
    errors,
    params::Params,
    rest::{self, Resource},
};

/// Our own message id in the query of the callback URL.
const REFERENCE: &str = "message";

/// Twilio's words for the state of a sent message (its Message resource). Accepted is `Sent`;
/// none for a word that says nothing of a sent message.
pub(crate) fn reported(word: &str) -> Option<ReportedStatus> {
    match word {
        "accepted" | "scheduled" | "queued" | "sending" | "sent" => Some(ReportedStatus::Sent),
        "delivered" | "partially_delivered" => Some(ReportedStatus::Delivered),
        "read" => Some(ReportedStatus::Read),
        "failed" | "undelivered" | "canceled" => Some(ReportedStatus::Failed),
        _ => None,
    }
}

/// The status word of a status callback; none where the webhook is an inbound message.
pub(crate) fn word(params: &Params) -> Option<&str> {
    let word = params
        .filled("MessageStatus")
        .or_else(|| params.filled("SmsStatus"))?;
    (!matches!(word, "received" | "receiving")).then_some(word)
}

/// What a status callback says. A word that is not known is kept as a note.
pub(crate) fn callback(sid: &str, word: &str, params: &Params, request: &WebhookRequest) -> Event {
    let Some(status) = reported(word) else {
        return Event::Note(Note {
            kind: "status".into(),
            data: Value::Object(params.to_object(|_| false)),
        });
    };
    let code = params
        .filled("ErrorCode")
        .and_then(|code| code.parse().ok());
    let detail = ["ErrorMessage", "ChannelStatusMessage"]
        .into_iter()
        .find_map(|name| params.filled(name));
    Event::Status(StatusReport {
        external_id: sid.into(),
        address: params.filled("From").map(String::from),
        reference: Params::of_url(request).filled(REFERENCE).map(String::from),
        status,
        code: Some(word.into()),
        detail: detail.map(String::from),
        error: failure(status, code),
        at_ms: None,
    })
}

/// Why a message failed: by Twilio's code, where it gives one (0 is none).
pub(crate) fn failure(status: ReportedStatus, code: Option<u32>) -> Option<AdapterError> {
    let code = code.filter(|code| *code != 0)?;
    (status == ReportedStatus::Failed).then(|| errors::by_code(code))
}

/// Asks for the state of one message: no report where the word says nothing new.
pub(crate) fn poll(settings: &Settings, sent: &Sent, turn: &Turn) -> Step<Vec<StatusReport>> {
    let Some(api) = &settings.api else {
        return Step::fail(rest::no_credentials());
    };
    let file = format!("{}.json", sent.external_id);
    rest::read_once(
        turn,
        || api.get(&[&api.account_sid, "Messages", &file], &[]),
        |body| Step::done(report(sent, &Resource(&body)).into_iter().collect()),
    )
}

fn report(sent: &Sent, message: &Resource<'_>) -> Option<StatusReport> {
    let word = message.text("status")?;
    let status = reported(word)?;
    Some(StatusReport {
        external_id: sent.external_id.clone(),
        address: message.text("from").map(String::from),
        reference: Some(sent.id.clone()),
        status,
        code: Some(word.into()),
        detail: message.text("error_message").map(String::from),
        error: failure(status, message.number("error_code")),
        at_ms: message.time("date_updated"),
    })
}
