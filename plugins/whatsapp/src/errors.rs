//! What Meta's errors mean: by its own code (Meta: Error codes), else by HTTP status.

use serde_json::Value;
use trunkline_plugin_api::{
    AdapterError,
    ErrorClass::{
        self, Ambiguous, Bug, Config, Content, Credentials, OptedOut, Recipient, Throttled,
        Transient, WindowClosed,
    },
    HttpReply, Timestamp,
};

use crate::{config::Settings, fields};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// One meaning, shared by some codes.
pub(crate) struct Row {
    pub(crate) codes: &'static [u64],
    pub(crate) class: ErrorClass,
    name: &'static str,
    /// How long to wait at least before another try, in seconds; 0 leaves it to the daemon.
    wait_s: u64,
    /// What happened and what to do.
    words: &'static str,
}

const fn row(
    codes: &'static [u64],
    class: ErrorClass,
    name: &'static str,
    wait_s: u64,
    words: &'static str,
) -> Row {
    Row {
        codes,
        class,
        name,
        wait_s,
        words,
    }
}

/// The codes that messages, media, templates and numbers meet.
#[rustfmt::skip]
pub(crate) const TABLE: &[Row] = &[
    // Token, permissions, account.
    row(&[0, 190], Credentials, "authentication", 0, "the access token is refused: make a system-user token"),
    row(&[3, 10, 131_005], Credentials, "permission", 0, "the access token lacks a permission: it needs whatsapp_business_messaging and whatsapp_business_management, and the account assigned to its system user"),
    row(&[368, 131_031], Credentials, "account_locked", 0, "Meta has locked or restricted the business account: see its account quality page"),
    row(&[131_042], Credentials, "payment", 0, "there is a problem with the business account's payment method: see its billing settings"),
    row(&[134_011], Credentials, "payment_terms", 0, "the payment terms are not accepted yet: see the business account"),
    row(&[33], Credentials, "number_deleted", 0, "the business phone number is deleted: check phone_number_id"),
    row(&[131_037], Credentials, "display_name", 0, "the number's display name is not approved yet: see WhatsApp Manager"),
    row(&[131_045, 133_000, 133_005, 133_006, 133_010], Credentials, "number_not_registered", 0, "the business phone number is not registered with the Cloud API or not verified: register it with its PIN"),
    // Pace and quota.
    row(&[4], Throttled, "app_limit", MINUTE, "the app is over its call limit"),
    row(&[80_007], Throttled, "account_limit", MINUTE, "the business account is over its rate limit"),
    row(&[130_429], Throttled, "number_limit", 0, "the number is over its throughput"),
    row(&[131_056], Throttled, "pair_limit", 6, "too many messages to one person at once"),
    row(&[131_048], Throttled, "spam_limit", HOUR, "Meta holds the number back since people block or report it: see its quality rating"),
    row(&[131_064], Throttled, "template_limit", HOUR, "Meta holds back templates of this account while it classifies them"),
    row(&[133_008, 133_009], Throttled, "pin_guesses", 15 * MINUTE, "the number's PIN was entered too often"),
    row(&[133_016], Throttled, "registration_limit", HOUR, "the number was registered too often: wait three days"),
    // Faults that pass.
    row(&[1, 2, 131_000, 131_016, 133_004], Transient, "provider_fault", 0, "Meta has an internal error or is overloaded"),
    row(&[131_057], Transient, "maintenance", MINUTE, "the business account is in maintenance, which takes about a minute"),
    row(&[133_015], Transient, "recently_deleted", 5 * MINUTE, "the number was deleted a moment ago: wait five minutes"),
    row(&[134_101], Transient, "marketing_setup", 10 * MINUTE, "the account is being prepared for marketing messages"),
    // The person.
    row(&[130_403], Recipient, "blocked", 0, "this business has blocked the person"),
    row(&[130_472], Recipient, "experiment", 0, "Meta withholds marketing messages from this person for an experiment"),
    row(&[130_497], Recipient, "country", 0, "the business may not write to people in this country"),
    row(&[131_021], Recipient, "same_number", 0, "sender and recipient are the same number"),
    row(&[131_026], Recipient, "undeliverable", 0, "the message can't be delivered: not on WhatsApp, an old app, or terms not accepted"),
    row(&[131_049], Recipient, "engagement_limit", 0, "Meta holds marketing messages to this person back for now: wait a day at least"),
    row(&[137_000], Recipient, "identity_changed", 0, "the person's identity key has changed"),
    row(&[131_047], WindowClosed, "window_closed", 0, "more than 24 hours have passed since the person's last message: send a template"),
    row(&[131_050], OptedOut, "marketing_stopped", 0, "the person has stopped marketing messages from this business"),
    // What was to be sent.
    row(&[100, 131_008, 131_009, 135_000], Content, "invalid_parameter", 0, "Meta refuses a part of the message, or phone_number_id is not one of this token's numbers"),
    row(&[131_051], Content, "unsupported_type", 0, "Meta does not take this kind of message"),
    row(&[131_052], Content, "media_download", 0, "Meta could not fetch the person's attachment"),
    row(&[131_053], Content, "media_upload", 0, "Meta does not take the attachment: check its type, its size, and that its link is public"),
    row(&[131_055, 131_063, 134_100, 134_102], Content, "marketing_only", 0, "this message can't go by this API: see the number's marketing settings"),
    row(&[132_000], Content, "template_parameters", 0, "the number of variables is not the template's"),
    row(&[132_001], Content, "template_unknown", 0, "there is no approved template of this name in this language"),
    row(&[132_005], Content, "template_too_long", 0, "the template with its variables is too long"),
    row(&[132_007], Content, "template_policy", 0, "the template's content breaks a policy"),
    row(&[132_012, 132_018], Content, "template_format", 0, "the variables do not fit the template's format"),
    row(&[132_015], Content, "template_paused", 0, "the template is paused for low quality"),
    row(&[132_016], Content, "template_disabled", 0, "the template is disabled for low quality"),
    row(&[132_068, 132_069], Content, "flow_blocked", 0, "the template's flow is blocked or throttled"),
];

/// The error for one of Meta's codes. A code that the table does not know is of class `bug`.
fn by_code(code: u64) -> AdapterError {
    known(code).unwrap_or_else(|| {
        let words = format!("Meta gives code {code}: see its page on WhatsApp error codes");
        AdapterError::new(Bug, "unknown_code", words).with_provider_code(code.to_string())
    })
}

fn known(code: u64) -> Option<AdapterError> {
    // Codes of permissions (Graph API: Handle errors).
    let code_of_row = if (200..=299).contains(&code) {
        10
    } else {
        code
    };
    let row = TABLE.iter().find(|row| row.codes.contains(&code_of_row))?;
    let error = AdapterError::new(row.class, row.name, format!("Meta {code}: {}", row.words))
        .with_provider_code(code.to_string());
    Some(if row.wait_s == 0 {
        error
    } else {
        error.with_retry_after_ms(row.wait_s * 1_000)
    })
}

/// The error in one of Meta's error objects: that of an answer, or of a webhook's `errors`.
/// Meta's words are left out: they may repeat what was sent.
pub(crate) fn of_object(object: &Value) -> Option<AdapterError> {
    let code = code(object)?;
    let mut error = by_code(code);
    if code == 190 && says_expired(object) {
        error.code = "token_expired".into();
        error.message = "Meta 190: access token expired: make a system-user token".into();
    }
    Some(error)
}

fn code(object: &Value) -> Option<u64> {
    match object.get("code")? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// Meta has no code of its own for this any more: subcode 463 went with v16 of the Graph API.
fn says_expired(object: &Value) -> bool {
    let subcode = object.get("error_subcode").and_then(Value::as_u64);
    let words = fields::text(object, "message").unwrap_or_default();
    subcode == Some(463) || words.to_ascii_lowercase().contains("expired")
}

/// The error in an answer that is not 2xx.
///
/// A gateway's 502 or 504, and any 5xx but 503 without Meta's error object, leaves open whether Meta took
/// the request: ambiguous. Else Meta's code decides, and the status where the code is unknown.
pub(crate) fn of_answer(reply: &HttpReply, now_ms: Timestamp) -> AdapterError {
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let object = body.get("error").filter(|object| object.is_object());
    let error = match (
        reply.status,
        object.and_then(|object| Some((object, code(object)?))),
    ) {
        (502 | 504, _) => by_status(reply.status, false),
        (status, Some((object, code))) if known(code).is_none() => {
            let passes = object.get("is_transient").and_then(Value::as_bool) == Some(true);
            let mut error = by_status(status, true).with_provider_code(code.to_string());
            if passes {
                error.class = Transient;
            }
            error.message = format!("{}; Meta's code is {code}", error.message);
            error
        }
        (status, Some((object, _))) => of_object(object).unwrap_or_else(|| by_status(status, true)),
        (status, None) => by_status(status, object.is_some()),
    };
    match reply.retry_after_ms(now_ms) {
        Some(wait_ms) => error.with_retry_after_ms(wait_ms),
        None => error,
    }
}

/// Adds which secret of which channel to renew, where Meta refused it.
pub(crate) fn name_token(mut error: AdapterError, settings: &Settings) -> AdapterError {
    let is_refused = matches!(
        error.code.as_str(),
        "authentication" | "token_expired" | "permission" | "http_401" | "http_403"
    );
    if is_refused && settings.api.is_some() {
        let channel = &settings.channel;
        let app = match &settings.app_id {
            Some(app) => format!(" for app {app}"),
            None => String::new(),
        };
        error.message = format!(
            "{}{app}, set it as access_token in [channel.{channel}.config] and reload",
            error.message
        );
    }
    error
}

fn by_status(status: u16, own_words: bool) -> AdapterError {
    let (class, words) = match status {
        300..400 => (Config, "a redirect instead of an answer: check api_base"),
        401 | 403 => (
            Credentials,
            "the access token is refused: make a system-user token",
        ),
        404 => (
            Config,
            "no such resource: check phone_number_id, graph_version and api_base",
        ),
        408 | 425 => (Transient, "the request came too slowly or too early"),
        400 | 409 | 413 | 415 | 422 => (Content, "the request was refused"),
        429 => (Throttled, "too many requests at once"),
        503 => (Transient, "not available"),
        500.. if own_words => (Transient, "an internal error"),
        500.. => (Ambiguous, "a fault on the way, the outcome is not known"),
        _ => (Bug, "an unexpected answer"),
    };
    AdapterError::new(
        class,
        format!("http_{status}"),
        format!("Meta answered HTTP {status}: {words}"),
    )
}

/// The same error for a call that only reads, or whose repetition harms nobody: an unknown outcome
/// is a fault that passes.
pub(crate) fn for_reading(mut error: AdapterError) -> AdapterError {
    if error.class == Ambiguous {
        error.class = Transient;
    }
    error
}
