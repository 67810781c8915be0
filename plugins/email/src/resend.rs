//! Sends by Resend: `POST /emails` (Resend: Send Email).
//!
//! The `Idempotency-Key` makes repeated calls one for 24 hours, so after a restart the call is simply made again.

use serde_json::{Map, Value, json};
use trunkline_plugin_api::{
    AdapterError, Body, ErrorClass, HttpReply, HttpRequest, PieceEncoding, Receipt, Step, Turn,
};

use crate::{
    address::Mailbox,
    compose::{self, Outgoing},
    config::Resend,
    errors,
};

/// Our message's id in the tags of a mail, which webhooks repeat. Tags hold letters, digits, `_` and `-` only.
pub(crate) const TAG: &str = "trunkline_message";

impl Resend {
    /// A call of the API.
    pub(crate) fn request(&self, method: &str, path: &[&str]) -> HttpRequest {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .expect("the base is http or https, which has a path")
            .pop_if_empty()
            .extend(path);
        HttpRequest::new(method, url)
            .sensitive_header("authorization", self.authorization.expose())
            .header("accept", "application/json")
    }
}

/// Sends, or reads the answer to the call.
pub(crate) fn send(
    api: &Resend,
    from: &Mailbox,
    outgoing: &Outgoing<'_>,
    idempotency_key: &str,
    turn: &Turn,
) -> Step<Receipt> {
    let Some(reply) = &turn.reply else {
        let mut request = api
            .request("POST", &["emails"])
            .header("content-type", "application/json")
            .header("idempotency-key", idempotency_key);
        request.body = body(from, outgoing);
        return Step::call(request, Value::from("send"));
    };
    let receipt = reply.http().and_then(|answer| receipt(answer, turn));
    receipt.map_or_else(Step::fail, Step::done)
}

fn body(from: &Mailbox, outgoing: &Outgoing<'_>) -> Body {
    let from = match &from.name {
        Some(name) => format!("{} <{}>", quoted(&compose::one_line(name)), from.address),
        None => from.address.clone(),
    };
    let headers: Map<String, Value> = outgoing
        .all_headers()
        .into_iter()
        .map(|(name, value)| (name.to_owned(), Value::from(value)))
        .collect();
    let tag = outgoing.reference.replace('.', "_");
    let mut mail = json!({
        "from": from,
        "to": [outgoing.to],
        "subject": outgoing.subject,
        "headers": headers,
        "tags": [{"name": TAG, "value": tag}],
    });
    if let Some(html) = &outgoing.html {
        mail["html"] = html.as_str().into();
    }
    // One of both is needed, also beside attachments.
    if outgoing.text.is_some() || outgoing.html.is_none() {
        mail["text"] = outgoing.text.as_deref().unwrap_or(" ").into();
    }
    let json = mail.to_string();
    if outgoing.files.is_empty() {
        let bytes = json.into_bytes();
        return Body::Bytes { bytes };
    }
    let mut body = Body::pieces();
    body.push_bytes(&json.as_bytes()[..json.len() - 1]);
    body.push_bytes(b",\"attachments\":[");
    for (index, file) in outgoing.files.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let name = Value::from(compose::file_name(file));
        let kind = Value::from(compose::content_type(file));
        let head = format!("{comma}{{\"filename\":{name},\"content_type\":{kind},\"content\":\"");
        body.push_bytes(head.as_bytes());
        body.push_media(file.source.clone(), PieceEncoding::Base64);
        body.push_bytes(b"\"}");
    }
    body.push_bytes(b"]}");
    body
}

fn quoted(name: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || c == ' ' || c == '-';
    if name.chars().all(plain) {
        return name.to_owned();
    }
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

fn receipt(answer: &HttpReply, turn: &Turn) -> Result<Receipt, AdapterError> {
    if !(200..300).contains(&answer.status) {
        return Err(errors::of_resend(answer, turn.now_ms));
    }
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let id = body["id"].as_str().filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| {
        AdapterError::new(
            ErrorClass::Ambiguous,
            "unreadable_answer",
            "Resend accepted the mail, but its answer names no id",
        )
    })?;
    Ok(Receipt {
        external_id: id.into(),
        rate_limit_remaining: rate_limit_remaining(answer),
        ..Receipt::default()
    })
}

/// How many more calls Resend allows now.
pub(crate) fn rate_limit_remaining(answer: &HttpReply) -> Option<i64> {
    answer.header("ratelimit-remaining")?.trim().parse().ok()
}
