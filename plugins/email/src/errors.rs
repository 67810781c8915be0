//! What refusals mean: SMTP replies and enhanced codes (RFC 5321, 3463), Resend's and SES's errors.

use serde_json::Value;
use trunkline_plugin_api::{
    AdapterError,
    ErrorClass::{
        self, Ambiguous, Bug, Config, Content, Credentials, Recipient, Throttled, Transient,
    },
    HttpReply, SmtpReply, Timestamp,
};

/// Why an SMTP server refused. Its words are left out: they may repeat what was sent.
pub(crate) fn of_smtp(reply: &SmtpReply) -> AdapterError {
    let enhanced = reply.enhanced.as_deref().unwrap_or_default();
    let code = match enhanced {
        "" => reply.code.to_string(),
        enhanced => format!("{} {enhanced}", reply.code),
    };
    let mut error = of_enhanced(enhanced, reply.code);
    error.message = format!("the mail server answered {code}: {}", error.message);
    error.with_provider_code(code)
}

/// The meaning of an enhanced code, and of the three-digit one where that says nothing.
pub(crate) fn of_enhanced(enhanced: &str, code: u16) -> AdapterError {
    let mut numbers = enhanced.split('.');
    let class = numbers.next().unwrap_or_default();
    let rest: Vec<&str> = numbers.collect();
    let is_passing = class == "4" || (class.is_empty() && (400..500).contains(&code));
    let (kind, name, words) = match (rest.as_slice(), code) {
        // Gmail's code for a rate limit (its page on SMTP errors).
        (["7", "28"], _) => (Throttled, "rate_limited", "too many mails at once"),
        _ if is_passing => (Transient, "refused_for_now", "it asks to try again later"),
        (["7", "0" | "8" | "9" | "11" | "14"], 500..=599) if code != 550 && code != 554 => login(),
        (["7", "8" | "9" | "11" | "14"], _) | (_, 530 | 534 | 535 | 538) => login(),
        (["1", "7" | "8"], _) => (
            Config,
            "invalid_sender",
            "it does not take our address: check from",
        ),
        (["1" | "4", _] | ["2", "0" | "1" | "2" | "4"], _) => unreachable_address(),
        (["2" | "3", "3" | "4"], _) | ([], 552) => too_large(),
        (["6", _], _) => (Content, "content_refused", "it can't carry this content"),
        (["7", _], _) => (Content, "policy", "its policy refuses this mail"),
        (["5", "3"], _) => (Recipient, "too_many_recipients", "too many recipients"),
        (_, 550 | 551 | 553) => unreachable_address(),
        (_, 554) => (Content, "refused", "it refuses this mail"),
        _ => (Bug, "unexpected_reply", "an unexpected answer"),
    };
    AdapterError::new(kind, name, words)
}

type Meaning = (ErrorClass, &'static str, &'static str);

fn login() -> Meaning {
    (
        Credentials,
        "authentication",
        "it refuses the login: check username and password",
    )
}

fn unreachable_address() -> Meaning {
    (
        Recipient,
        "invalid_recipient",
        "it does not take mail for this address",
    )
}

fn too_large() -> Meaning {
    (Content, "too_large", "the mail is larger than it takes")
}

/// Why Resend refused (its page on errors). Its words are left out: they may repeat what was sent.
pub(crate) fn of_resend(reply: &HttpReply, now_ms: Timestamp) -> AdapterError {
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let name = body["name"].as_str().unwrap_or_default();
    let meaning = match name {
        "missing_api_key" | "restricted_api_key" | "invalid_permission" | "suspended_api_key"
        | "invalid_api_key" | "invalid_access" => Some((
            Credentials,
            "authentication",
            "the API key is refused: renew api_key",
        )),
        "invalid_from_address" => Some((
            Config,
            "invalid_sender",
            "it does not take our address: check from",
        )),
        "rate_limit_exceeded" => Some((Throttled, "rate_limited", "too many calls at once")),
        "daily_quota_exceeded" | "monthly_quota_exceeded" => Some((
            Throttled,
            "quota_exceeded",
            "the quota of the account is used up",
        )),
        "concurrent_idempotent_requests" | "resource_locked" => {
            Some((Transient, "under_way", "the same call is still under way"))
        }
        "application_error" | "internal_server_error" | "service_unavailable" => {
            Some((Transient, "provider_fault", "a fault at Resend"))
        }
        // Answered with 403 where a test key writes to others, and where the domain is not verified.
        "validation_error" if reply.status == 403 => Some((
            Config,
            "sender_not_verified",
            "the domain of from is not verified at Resend",
        )),
        _ => None,
    };
    finish("Resend", reply, now_ms, name, meaning)
}

/// Why SES refused (SES API v2 reference, SendEmail). The name stands in `x-amzn-ErrorType` (before a colon) or in
/// the body's `__type` (behind a `#`).
pub(crate) fn of_ses(reply: &HttpReply, now_ms: Timestamp) -> AdapterError {
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let in_body = ["__type", "code"]
        .into_iter()
        .find_map(|key| body[key].as_str());
    let name = reply
        .header("x-amzn-errortype")
        .or(in_body)
        .unwrap_or_default();
    let name = name.split(':').next().unwrap_or_default();
    let name = name.rsplit('#').next().unwrap_or_default();
    let meaning = match name {
        "TooManyRequestsException" | "LimitExceededException" | "ThrottlingException" => Some((
            Throttled,
            "rate_limited",
            "too many mails at once, or the quota is used up",
        )),
        "SendingPausedException" | "AccountSuspendedException" => Some((
            Credentials,
            "sending_paused",
            "sending is paused for this account: see the SES console",
        )),
        "MailFromDomainNotVerifiedException" => Some((
            Credentials,
            "sender_not_verified",
            "the domain of from is not verified in this region",
        )),
        "MessageRejected" => Some((Content, "refused", "it refuses this mail")),
        "BadRequestException" | "NotFoundException" | "ValidationException" => {
            Some((Content, "invalid_request", "it can't read this mail"))
        }
        "InternalServiceErrorException" | "InternalFailure" | "ServiceUnavailable" => {
            Some((Transient, "provider_fault", "a fault at SES"))
        }
        "SignatureDoesNotMatch"
        | "InvalidSignatureException"
        | "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "AccessDeniedException"
        | "ExpiredTokenException"
        | "IncompleteSignatureException"
        | "MissingAuthenticationTokenException" => Some((
            Credentials,
            "authentication",
            "the access key is refused: check access_key_id, secret_access_key, region and the clock",
        )),
        _ => None,
    };
    finish("SES", reply, now_ms, name, meaning)
}

/// A gateway's own answers leave open whether the provider took the mail, whatever they say.
fn finish(
    provider: &str,
    reply: &HttpReply,
    now_ms: Timestamp,
    name: &str,
    meaning: Option<Meaning>,
) -> AdapterError {
    let status = reply.status;
    let meaning = meaning.filter(|_| !matches!(status, 502 | 504));
    let (class, code, words) = meaning.map_or_else(
        || {
            let (class, words) = by_status(status, !name.is_empty());
            (class, format!("http_{status}"), words)
        },
        |(class, code, words)| (class, code.to_owned(), words),
    );
    let mut error = AdapterError::new(
        class,
        code,
        format!("{provider} answered HTTP {status}: {words}"),
    );
    if is_name(name) {
        error = error.with_provider_code(name);
    }
    match reply.retry_after_ms(now_ms) {
        Some(wait_ms) => error.with_retry_after_ms(wait_ms),
        None => error,
    }
}

fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=60).contains(&name.len()) && name.bytes().all(plain)
}

fn by_status(status: u16, own_words: bool) -> (ErrorClass, &'static str) {
    match status {
        300..400 => (Config, "a redirect instead of an answer: check api_base"),
        401 | 403 => (Credentials, "the credentials are refused"),
        404 | 405 => (Config, "there is no such call: check api_base"),
        408 | 425 => (Transient, "the request came too slowly or too early"),
        400 | 409 | 413 | 415 | 422 => (Content, "the request was refused"),
        429 => (Throttled, "too many requests at once"),
        503 => (Transient, "not available"),
        502 | 504 => (Ambiguous, "a fault on the way, the outcome is not known"),
        500.. if own_words => (Transient, "an internal error"),
        500.. => (Ambiguous, "a fault on the way, the outcome is not known"),
        _ => (Bug, "an unexpected answer"),
    }
}

/// The same error for a call that only reads: nothing can have been accepted.
pub(crate) fn for_reading(mut error: AdapterError) -> AdapterError {
    if error.class == Ambiguous {
        error.class = Transient;
    }
    error
}

/// The error of a call on a channel that has no credentials.
pub(crate) fn no_credentials() -> AdapterError {
    AdapterError::new(
        Credentials,
        "no_credentials",
        "No credentials configured: set provider, from, and what the provider needs",
    )
}

/// A message that can't be sent as it is.
pub(crate) fn content(code: &str, message: impl Into<String>) -> AdapterError {
    AdapterError::new(Content, code, message)
}

/// A send that was cut short by a restart.
pub(crate) fn interrupted() -> AdapterError {
    AdapterError::new(
        Ambiguous,
        "interrupted",
        "the daemon stopped before the answer came",
    )
}
