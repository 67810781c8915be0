//! Posts one message to the configured URL as a Standard Webhooks payload.
//!
//! ```text
//! {"type": "message.outbound", "timestamp": ..., "data": {"id", "to", "text", ...}}
//!   + webhook-id (the same at every attempt), webhook-timestamp, webhook-signature
//! ```
//!
//! The receiver drops an id it has seen, so a post of unknown outcome is simply made again: after
//! a restart at once, after a broken connection as for any fault that passes.

use jiff::Timestamp as Time;
use serde::Serialize;
use serde_json::{Map, Value};
use trunkline_plugin_api::{
    AdapterError, Content, ErrorClass, HttpReply, HttpRequest, OutboundMessage, Part, Receipt,
    Reply, Step, Turn,
};
use url::Url;

use crate::{fields::short_text, standard::SigningKey};

/// Where messages go. Not printable: it holds secrets.
pub(crate) struct Target {
    /// The receiver's address.
    pub(crate) url: Url,
    signers: Vec<SigningKey>,
}

impl Target {
    pub(crate) fn new(url: Url, signers: Vec<SigningKey>) -> Self {
        Self { url, signers }
    }
}

/// What is posted. It is the same at every attempt, as its id is, so its time is the message's own.
#[derive(Serialize)]
struct Payload<'a> {
    r#type: &'static str,
    timestamp: String,
    data: Data<'a>,
}

/// The message: members without content are left out.
#[derive(Serialize)]
struct Data<'a> {
    id: &'a str,
    to: &'a str,
    #[serde(flatten)]
    content: &'a Content,
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<Part>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<&'a str>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    metadata: &'a Map<String, Value>,
}

/// Posts, or reads the answer to the post.
pub(crate) fn send(
    target: Option<&Target>,
    message: &OutboundMessage,
    turn: &Turn,
) -> Step<Receipt> {
    let Some(target) = target else {
        return Step::fail(AdapterError::new(
            ErrorClass::Credentials,
            "no_credentials",
            "No credentials configured: set url",
        ));
    };
    let outcome = match &turn.reply {
        None => match post(target, message, turn) {
            Ok(request) => return Step::call(request, Value::from("posted")),
            Err(error) => Err(error),
        },
        Some(reply) => answer(reply).and_then(|answer| receipt(answer, message, turn)),
    };
    outcome.map_or_else(Step::fail, Step::done)
}

fn post(
    target: &Target,
    message: &OutboundMessage,
    turn: &Turn,
) -> Result<HttpRequest, AdapterError> {
    let body = payload(message)?;
    let id = webhook_id(message);
    let time_s = turn.now_ms.div_euclid(1_000).to_string();
    let request = HttpRequest::new("POST", target.url.as_str())
        .header("content-type", "application/json")
        .header("webhook-id", &id)
        .header("webhook-timestamp", &time_s);
    let signatures: Vec<_> = target
        .signers
        .iter()
        .map(|key| key.sign(&id, &time_s, &body))
        .collect();
    let request = if signatures.is_empty() {
        request
    } else {
        request.header("webhook-signature", signatures.join(" "))
    };
    Ok(request.body(body))
}

/// The idempotency key without dots, which separate the signed parts.
fn webhook_id(message: &OutboundMessage) -> String {
    message.idempotency_key.replace('.', "_")
}

fn payload(message: &OutboundMessage) -> Result<Vec<u8>, AdapterError> {
    let content = &message.content;
    if content.is_empty() {
        return Err(refused("empty", "the message has no content"));
    }
    if content.media.iter().any(|media| media.source.url.is_none()) {
        return Err(refused(
            "media_not_public",
            "the receiver fetches attachments by URL, and one has none",
        ));
    }
    let payload = Payload {
        r#type: "message.outbound",
        timestamp: Time::from_millisecond(message.accepted_at_ms)
            .unwrap_or(Time::UNIX_EPOCH)
            .to_string(),
        data: Data {
            id: &message.id,
            to: &message.to.identifier,
            content,
            part: message.part,
            reply_to: message.reply_to.as_deref(),
            metadata: &message.metadata,
        },
    };
    serde_json::to_vec(&payload)
        .map_err(|_| refused("unwritable", "the message can't be written as JSON"))
}

fn refused(code: &str, message: &str) -> AdapterError {
    AdapterError::new(ErrorClass::Content, code, message)
}

/// The HTTP answer, or the error that having none means. The id makes a second post harmless, so
/// an unknown outcome is a fault that passes.
pub(crate) fn answer(reply: &Reply) -> Result<&HttpReply, AdapterError> {
    reply.http().map_err(|mut error| {
        if error.class == ErrorClass::Ambiguous {
            error.class = ErrorClass::Transient;
        }
        error
    })
}

/// The receiver's own id, where its answer is JSON with an `id`, else the one that we posted.
fn receipt(
    answer: &HttpReply,
    message: &OutboundMessage,
    turn: &Turn,
) -> Result<Receipt, AdapterError> {
    if !(200..300).contains(&answer.status) {
        return Err(refusal(answer, turn));
    }
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let own_id = short_text(&body, "id").ok().flatten();
    Ok(Receipt {
        external_id: own_id.unwrap_or_else(|| webhook_id(message)),
        ..Receipt::default()
    })
}

/// What an answer other than 2xx means (the Standard Webhooks specification and Svix's page on
/// retries).
fn refusal(answer: &HttpReply, turn: &Turn) -> AdapterError {
    let status = answer.status;
    let aborted = answer.header("webhook-delivery").map(str::trim) == Some("abort-message");
    let (class, words) = match status {
        _ if aborted => (
            ErrorClass::Content,
            "asks never to send this message again (webhook-delivery: abort-message)",
        ),
        300..=399 => (
            ErrorClass::Config,
            "redirects, which is not followed: set url to where it leads",
        ),
        410 => (ErrorClass::Config, "is gone for good: change url"),
        429 => (ErrorClass::Throttled, "asks to slow down"),
        408 | 425 | 500..=599 => (ErrorClass::Transient, "can't take messages now"),
        400..=499 => (ErrorClass::Content, "refuses the message"),
        _ => (
            ErrorClass::Bug,
            "gave an answer that HTTP has no meaning for",
        ),
    };
    let message = format!("the receiver {words} (HTTP {status})");
    let mut error = AdapterError::new(class, format!("http_{status}"), message);
    if class.is_retried() {
        error.retry_after_ms = answer.retry_after_ms(turn.now_ms);
    }
    error
}
