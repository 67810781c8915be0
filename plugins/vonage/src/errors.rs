//! What Vonage's errors mean: tables of codes, each beside the API that gives them, and HTTP statuses.

use serde_json::Value;
use trunkline_plugin_api::{
    AdapterError,
    ErrorClass::{self, Ambiguous, Bug, Config, Content, Credentials, Throttled, Transient},
    HttpReply, Timestamp,
};

use crate::{
    config::{Settings, Which},
    json::Object,
    messages,
};

/// One meaning, shared by some codes.
pub(crate) struct Row {
    pub(crate) codes: &'static [u32],
    pub(crate) class: ErrorClass,
    pub(crate) name: &'static str,
    /// What happened and what to do.
    pub(crate) words: &'static str,
}

pub(crate) const fn row(
    codes: &'static [u32],
    class: ErrorClass,
    name: &'static str,
    words: &'static str,
) -> Row {
    Row {
        codes,
        class,
        name,
        words,
    }
}

/// The error for a code of a table, none where the table does not know it.
pub(crate) fn known(table: &[Row], code: u32) -> Option<AdapterError> {
    let row = table.iter().find(|row| row.codes.contains(&code))?;
    let words = format!("Vonage {code}: {}", row.words);
    Some(AdapterError::new(row.class, row.name, words).with_provider_code(code.to_string()))
}

/// The error for a code of a table. One that the table does not know is of class `bug`.
pub(crate) fn by_code(table: &[Row], code: u32) -> AdapterError {
    known(table, code).unwrap_or_else(|| {
        let words = format!("Vonage gives code {code}: see its page on API errors");
        AdapterError::new(Bug, "unknown_code", words).with_provider_code(code.to_string())
    })
}

/// The error in an answer that is not the documented one, of either API.
///
/// A gateway's 502 or 504, and any 5xx but 503 in words that are not Vonage's own, leaves open
/// whether Vonage took the request: ambiguous. Else a code decides, and the status where there is
/// none. Vonage's words are left out: they may repeat what was sent.
pub(crate) fn of_answer(reply: &HttpReply, now_ms: Timestamp) -> AdapterError {
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let problem = Object(&body);
    let own_words = problem.text("title").is_some() || problem.text("error_title").is_some();
    let error = match (reply.status, code(problem)) {
        (502 | 504, _) => by_status(reply.status, false),
        (status, Some(code)) => known(messages::CODES, code)
            .unwrap_or_else(|| by_status(status, true).with_provider_code(code.to_string())),
        (status, None) => by_status(status, own_words),
    };
    match reply.retry_after_ms(now_ms) {
        Some(wait_ms) => error.with_retry_after_ms(wait_ms),
        None => error,
    }
}

/// The number of an error: `code` in version 0.1, `title` or the end of `type`
/// (`.../api-errors/messages#1150`) in version 1 (Vonage's API errors page and its Java SDK).
pub(crate) fn code(error: Object<'_>) -> Option<u32> {
    let behind_hash = || error.text("type")?.rsplit_once('#')?.1.parse().ok();
    error
        .number("code")
        .or_else(|| error.number("title"))
        .or_else(behind_hash)
}

fn by_status(status: u16, own_words: bool) -> AdapterError {
    let (class, words) = match status {
        300..400 => (Config, "a redirect instead of an answer: check api_base"),
        401 | 403 => (Credentials, "credentials refused"),
        402 => (Credentials, "the account has no credit left: top it up"),
        404 => (Config, "no such resource: check api_base"),
        408 | 425 => (Transient, "the request came too slowly or too early"),
        400 | 409 | 413 | 415 | 422 => (Content, "the request was refused"),
        // 420 is how the SMS API's servers once said 429.
        420 | 429 => (Throttled, "too many requests at once"),
        503 => (Transient, "not available"),
        500.. if own_words => (Transient, "an internal error"),
        500.. => (Ambiguous, "a fault on the way, the outcome is not known"),
        _ => (Bug, "an unexpected answer"),
    };
    AdapterError::new(
        class,
        format!("http_{status}"),
        format!("Vonage answered HTTP {status}: {words}"),
    )
}

/// Adds which secret of which channel to renew, where Vonage refused it.
pub(crate) fn name_secret(mut error: AdapterError, settings: &Settings) -> AdapterError {
    let is_refused = matches!(
        error.code.as_str(),
        "authentication" | "http_401" | "http_403"
    );
    if is_refused {
        let with_token = settings.which == Which::Messages && settings.api.application.is_some();
        let secret = if with_token {
            "application_id and private_key"
        } else {
            "api_key and api_secret"
        };
        let channel = &settings.channel;
        error.message = format!(
            "{}; check {secret} in [channel.{channel}.config] and reload",
            error.message
        );
    }
    error
}

/// The same error for a call that only reads: nothing can have been accepted, so an unknown
/// outcome is a fault that passes.
pub(crate) fn for_reading(mut error: AdapterError) -> AdapterError {
    if error.class == Ambiguous {
        error.class = Transient;
    }
    error
}
