//! What Telegram's refusals mean (Bot API, making requests: `ok`, `error_code`, `description`, `parameters`).
//!
//! There are no codes but HTTP's, so the words decide where one code stands for several causes.

use serde_json::Value;
use trunkline_plugin_api::{AdapterError, ErrorClass, HttpReply, Timestamp};

use crate::api;

/// The longest wait that is believed, in milliseconds: a day.
const WAIT_MS_MAX: u64 = 24 * 60 * 60 * 1_000;
/// Characters of Telegram's words that are passed on.
const WORDS_CHARS_MAX: usize = 200;

/// Refusals by HTTP status and a piece of their description in lower case; the first that fits. The words say
/// what to do.
const TABLE: &[(u16, &str, ErrorClass, &str, &str)] = {
    use ErrorClass::{Content, Credentials, OptedOut, Recipient};
    &[
        (
            401,
            "",
            Credentials,
            "unauthorized",
            "Telegram refuses bot_token: it is wrong or was revoked; get a new one from @BotFather",
        ),
        (
            404,
            "",
            Credentials,
            "not_found",
            "Telegram knows no such bot: check bot_token and api_base",
        ),
        (
            403,
            "blocked by the user",
            OptedOut,
            "blocked",
            "the person has blocked the bot",
        ),
        (
            403,
            "deactivated",
            Recipient,
            "deactivated",
            "the person's account is gone",
        ),
        (
            403,
            "initiate conversation",
            Recipient,
            "not_started",
            "the person has not started the bot: a bot can't write first",
        ),
        (
            403,
            "",
            Recipient,
            "forbidden",
            "the bot may not write to this chat",
        ),
        (
            400,
            "chat not found",
            Recipient,
            "chat_not_found",
            "Telegram knows no such chat, or the bot was never in it",
        ),
        (
            400,
            "peer_id_invalid",
            Recipient,
            "chat_not_found",
            "Telegram knows no such chat",
        ),
        (
            400,
            "user not found",
            Recipient,
            "chat_not_found",
            "Telegram knows no such user",
        ),
        (
            400,
            "chat_id",
            Recipient,
            "invalid_recipient",
            "this is not a chat's id",
        ),
        (
            400,
            "upgraded to a supergroup",
            Recipient,
            "migrated",
            "the group has become another chat",
        ),
        (
            400,
            "rights",
            Recipient,
            "no_rights",
            "the bot lacks the right to do this in the chat",
        ),
        (
            400,
            "chat_write_forbidden",
            Recipient,
            "no_rights",
            "the bot may not write to this chat",
        ),
        (
            400,
            "too long",
            Content,
            "too_long",
            "Telegram finds the text too long",
        ),
        (
            400,
            "too big",
            Content,
            "media_too_large",
            "the file is too large for Telegram",
        ),
        (
            400,
            "http url",
            Content,
            "media_unavailable",
            "Telegram could not get the attachment",
        ),
        (400, "", Content, "refused", "Telegram refuses the message"),
        (
            413,
            "",
            Content,
            "media_too_large",
            "the file is too large for Telegram",
        ),
    ]
};

/// What an answer that is no success means for a send.
pub(crate) fn of_answer(answer: &HttpReply, now_ms: Timestamp) -> AdapterError {
    let body = api::body(answer);
    let code = body["error_code"].as_u64();
    let status = code.and_then(|code| u16::try_from(code).ok());
    let status = status.unwrap_or(answer.status);
    let said = body["description"].as_str().unwrap_or_default();
    let error = match status {
        429 => throttled(&body, answer, now_ms),
        300..400 => AdapterError::new(
            ErrorClass::Config,
            "redirected",
            "Telegram's API does not redirect: check api_base",
        ),
        500.. => AdapterError::new(
            ErrorClass::Ambiguous,
            format!("http_{status}"),
            "Telegram has trouble: whether it took the message is not known",
        ),
        _ => by_table(status, &said.to_ascii_lowercase()),
    };
    let error = quoting(error, said);
    match code {
        Some(code) => error.with_provider_code(code.to_string()),
        None => error,
    }
}

fn by_table(status: u16, said: &str) -> AdapterError {
    let mut rows = TABLE.iter();
    let row = rows.find(|(code, piece, ..)| *code == status && said.contains(piece));
    match row {
        Some((_, _, class, code, words)) => AdapterError::new(*class, *code, *words),
        None => AdapterError::new(
            ErrorClass::Bug,
            format!("http_{status}"),
            format!("Telegram answered with HTTP status {status}"),
        ),
    }
}

/// Seconds in `parameters.retry_after`, and in a header as well.
fn throttled(body: &Value, answer: &HttpReply, now_ms: Timestamp) -> AdapterError {
    let error = AdapterError::new(
        ErrorClass::Throttled,
        "too_many_requests",
        "Telegram asks to slow down",
    );
    let seconds = body["parameters"]["retry_after"].as_u64();
    let wait_ms = seconds.map(|seconds| seconds.saturating_mul(1_000).clamp(1_000, WAIT_MS_MAX));
    match wait_ms.or_else(|| answer.retry_after_ms(now_ms)) {
        Some(wait_ms) => error.with_retry_after_ms(wait_ms),
        None => error,
    }
}

fn quoting(error: AdapterError, said: &str) -> AdapterError {
    if said.is_empty() {
        return error;
    }
    let message = format!("{} ({})", error.message, bounded(said));
    AdapterError { message, ..error }
}

/// Words of Telegram's as far as they are passed on.
pub(crate) fn bounded(said: &str) -> String {
    let plain = said.chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.take(WORDS_CHARS_MAX).collect()
}

/// Where to send to from now on: the group has become a supergroup, and the message was not taken.
pub(crate) fn migrated_to(answer: &HttpReply) -> Option<i64> {
    let body = api::body(answer);
    let refused = body["ok"] == false && !(200..300).contains(&answer.status);
    body["parameters"]["migrate_to_chat_id"]
        .as_i64()
        .filter(|_| refused)
}

/// The picture is too wide, too high or too narrow for a photo; the message was not taken.
pub(crate) fn has_odd_dimensions(answer: &HttpReply) -> bool {
    let body = api::body(answer);
    let said = body["description"].as_str().unwrap_or_default();
    answer.status == 400 && body["ok"] == false && said.contains("PHOTO_INVALID_DIMENSIONS")
}

/// Reading twice harms nobody: what would be ambiguous for a send passes.
pub(crate) fn for_reading(error: AdapterError) -> AdapterError {
    match error.class {
        ErrorClass::Ambiguous => AdapterError {
            class: ErrorClass::Transient,
            ..error
        },
        _ => error,
    }
}
