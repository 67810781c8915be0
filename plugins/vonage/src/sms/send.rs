//! Sends one message: `POST /sms/json`.
//!
//! Vonage answers 200 also where it refuses, with a status for each part of the message. It is sent
//! only if every part is accepted. Where some are and some are not, the message fails for good: to
//! repeat it would send the accepted parts twice.

use serde_json::Value;
use trunkline_plugin_api::{
    AdapterError, Content,
    ErrorClass::{self, Ambiguous, Bug},
    HttpReply, OutboundMessage, Receipt, Step, Turn,
};

use super::{STATUSES, gsm};
use crate::{address, config::Settings, errors, json::Object, rest};

/// The longest callback URL that Vonage takes, in characters.
const CALLBACK_CHARS_MAX: usize = 100;
/// The longest wait that is believed, in milliseconds.
const WAIT_MS_MAX: u64 = 60 * 60 * 1_000;

/// Sends, or reads the answer to the call.
pub(crate) fn send(settings: &Settings, message: &OutboundMessage, turn: &Turn) -> Step<Receipt> {
    let outcome = match (&turn.reply, &turn.cursor) {
        (None, Value::Null) => return create(settings, message),
        // The call can't be looked up, so it is not repeated.
        (None, _) => Err(rest::interrupted()),
        (Some(reply), _) => reply.http().and_then(|answer| receipt(answer, turn)),
    };
    outcome.map_or_else(Step::fail, Step::done)
}

fn create(settings: &Settings, message: &OutboundMessage) -> Step<Receipt> {
    let Some(from) = &settings.from else {
        return Step::fail(rest::no_sender());
    };
    let form = match form(from, message) {
        Ok(form) => form,
        Err(error) => return Step::fail(error),
    };
    match settings.api.post_sms(&form) {
        Some(request) => Step::call(request, Value::from("create")),
        None => Step::fail(rest::no_credentials()),
    }
}

fn form(
    from: &str,
    message: &OutboundMessage,
) -> Result<Vec<(&'static str, String)>, AdapterError> {
    let text = text(&message.content)?;
    let kind = if gsm::fits(text) { "text" } else { "unicode" };
    let mut form = vec![
        ("from", from.to_owned()),
        ("to", address::wire(&message.to.identifier).to_owned()),
        ("text", text.to_owned()),
        ("type", kind.to_owned()),
        ("client-ref", rest::reference(message)),
    ];
    if let Some(callback) = rest::callback_base(message) {
        form.push(("status-report-req", "1".to_owned()));
        // A longer one would be refused; then reports go where the account's settings say.
        if callback.chars().count() <= CALLBACK_CHARS_MAX {
            form.push(("callback", callback.to_owned()));
        }
    }
    Ok(form)
}

/// The text, which is all that the SMS API sends.
fn text(content: &Content) -> Result<&str, AdapterError> {
    let refused = |code: &str, words: &str| AdapterError::new(ErrorClass::Content, code, words);
    if !content.media.is_empty() {
        return Err(refused(
            "media_unsupported",
            "the SMS API sends no attachments: use a channel with api = \"messages\"",
        ));
    }
    let more = content.template.is_some()
        || content.location.is_some()
        || content.interactive.is_some()
        || !content.contacts.is_empty()
        || content.reaction.is_some();
    if more {
        return Err(refused(
            "unsupported_content",
            "Vonage sends SMS with text alone",
        ));
    }
    content
        .text
        .as_deref()
        .filter(|text| !text.is_empty())
        .ok_or_else(|| refused("empty", "the message has no text"))
}

/// What the answer says of the parts.
fn receipt(answer: &HttpReply, turn: &Turn) -> Result<Receipt, AdapterError> {
    if answer.status != 200 {
        return Err(errors::of_answer(answer, turn.now_ms));
    }
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let unreadable = || {
        AdapterError::new(
            Ambiguous,
            "unreadable_answer",
            "Vonage answered 200, but not with the status of any message",
        )
    };
    let parts: Vec<_> = Object(&body).list("messages").collect();
    let mut accepted = Vec::new();
    let mut refused = None;
    for part in &parts {
        match part.number("status").ok_or_else(unreadable)? {
            0 => accepted.push(part.text("message-id").ok_or_else(unreadable)?),
            code => {
                refused.get_or_insert_with(|| refusal(code, part.text("error-text")));
            }
        }
    }
    match (accepted.first(), refused) {
        (Some(id), None) => Ok(Receipt {
            external_id: (*id).into(),
            code: Some("0".into()),
            segments: u32::try_from(accepted.len()).ok(),
            rate_limit_remaining: None,
        }),
        (None, Some(error)) => Err(error),
        (Some(_), Some(error)) => Err(partial(accepted.len(), parts.len(), error)),
        (None, None) => Err(unreadable()),
    }
}

/// The error behind a part's status. Vonage's words are only read for a wait.
fn refusal(code: u32, words: Option<&str>) -> AdapterError {
    let error = errors::by_code(STATUSES, code);
    match words.and_then(wait_ms) {
        Some(wait_ms) if error.class == ErrorClass::Throttled => error.with_retry_after_ms(wait_ms),
        _ => error,
    }
}

/// The wait in milliseconds that `... please wait [ 250 ] and retry` names.
fn wait_ms(words: &str) -> Option<u64> {
    let (_, rest) = words.split_once('[')?;
    let (number, _) = rest.split_once(']')?;
    let wait_ms: u64 = number.trim().parse().ok()?;
    Some(wait_ms.clamp(1, WAIT_MS_MAX))
}

/// The error of a message that only some parts of were accepted: of a class that is never repeated,
/// since the person already gets those.
fn partial(accepted: usize, count: usize, mut error: AdapterError) -> AdapterError {
    if error.class.is_retried() || error.class == ErrorClass::Credentials {
        error.class = Bug;
    }
    error.retry_after_ms = None;
    error.code = "partly_refused".into();
    error.message = format!(
        "Vonage took {accepted} of {count} parts of the message, so it is not repeated; {}",
        error.message
    );
    error
}
