//! Bytes at their place in a case's JSON: text where they are text, base64 where they are not.

use data_encoding::BASE64;
use serde_json::{Map, Value};

use super::{CaseError, strict};
use crate::{Body, Received, Reply, Request, WebhookRequest};

/// Reads a webhook: its bytes are `body` or `body_base64`.
pub(super) fn webhook(mut value: Value, place: &str) -> Result<WebhookRequest, CaseError> {
    let body = take(&mut value, "body", place)?;
    let mut request: WebhookRequest = strict::read(&value, place)?;
    request.body = body.unwrap_or_default().into();
    Ok(request)
}

/// Writes a webhook.
pub(super) fn webhook_form(request: &WebhookRequest) -> Value {
    let mut value = to_value(request);
    if !request.body.is_empty() {
        put(&mut value, "body", &request.body);
    }
    value
}

/// Reads a result: the bytes of its `response` are `body` or `body_base64` there.
pub(super) fn received(mut value: Value, place: &str) -> Result<Received, CaseError> {
    let body = match value.get_mut("response") {
        Some(response) => take(response, "body", &format!("{place}.response"))?,
        None => None,
    };
    let mut received: Received = strict::read(&value, place)?;
    received.response.body = body.unwrap_or_default();
    Ok(received)
}

/// Writes a result.
pub(super) fn received_form(received: &Received) -> Value {
    let mut value = to_value(received);
    if !received.response.body.is_empty() {
        put(&mut value["response"], "body", &received.response.body);
    }
    value
}

/// Reads a reply: the bytes of an HTTP reply are `body` or `body_base64`.
pub(super) fn reply(mut value: Value, place: &str) -> Result<Reply, CaseError> {
    let body = match value["transport"].as_str() {
        Some("http") => take(&mut value, "body", place)?,
        _ => None,
    };
    let mut reply: Reply = strict::read(&value, place)?;
    if let (Reply::Http(http), Some(body)) = (&mut reply, body) {
        http.body = body;
    }
    Ok(reply)
}

/// Writes a reply.
pub(super) fn reply_form(reply: &Reply) -> Value {
    let mut value = to_value(reply);
    if let Reply::Http(http) = reply
        && !http.body.is_empty()
    {
        put(&mut value, "body", &http.body);
    }
    value
}

/// Reads a request: bytes that are all of its body stand in the body's place, those of pieces
/// beside them.
pub(super) fn request(mut value: Value, place: &str) -> Result<Request, CaseError> {
    let member = body_member(value["transport"].as_str());
    let mut bytes = None;
    if let Some(member) = member {
        bytes = take(&mut value, member, place)?;
        if bytes.is_some() {
            value[member] = serde_json::json!({"from": "bytes"});
        } else if let Some(body) = value.get_mut(member) {
            bytes = take(body, "bytes", &format!("{place}.{member}"))?;
        } else {
            value[member] = serde_json::json!({"from": "empty"});
        }
    }
    let mut request: Request = strict::read(&value, place)?;
    let Some(bytes) = bytes else {
        return Ok(request);
    };
    match body(&mut request) {
        Some(Body::Bytes { bytes: slot } | Body::Pieces { bytes: slot, .. }) => *slot = bytes,
        _ => {
            return Err(CaseError(format!(
                "{place}: this kind of body has no bytes of its own"
            )));
        }
    }
    Ok(request)
}

/// Writes a request.
pub(super) fn request_form(request: &Request) -> Value {
    let mut value = to_value(request);
    let Some(member) = body_member(value["transport"].as_str()) else {
        return value;
    };
    match body(&mut request.clone()) {
        Some(Body::Empty) => {
            remove(&mut value, member);
        }
        Some(Body::Bytes { bytes }) => {
            remove(&mut value, member);
            put(&mut value, member, bytes);
        }
        Some(Body::Pieces { bytes, .. }) => put(&mut value[member], "bytes", bytes),
        Some(Body::Media { .. }) | None => {}
    }
    value
}

fn body_member(transport: Option<&str>) -> Option<&'static str> {
    match transport? {
        "http" | "digest" => Some("body"),
        "smtp" => Some("data"),
        _ => None,
    }
}

fn body(request: &mut Request) -> Option<&mut Body> {
    match request {
        Request::Http(http) => Some(&mut http.body),
        Request::Smtp(smtp) => Some(&mut smtp.data),
        Request::Digest(digest) => Some(&mut digest.body),
        Request::Push(_) => None,
    }
}

/// Takes `name` where it is text, or `name_base64`, out of an object.
fn take(value: &mut Value, name: &str, place: &str) -> Result<Option<Vec<u8>>, CaseError> {
    let Value::Object(members) = value else {
        return Ok(None);
    };
    let encoded_name = format!("{name}_base64");
    let Some(encoded) = members.remove(&encoded_name) else {
        return Ok(take_text(members, name));
    };
    if members.contains_key(name) {
        return Err(CaseError(format!(
            "{place}: has both `{name}` and `{encoded_name}`: write one of them"
        )));
    }
    let bytes = encoded
        .as_str()
        .and_then(|text| BASE64.decode(text.as_bytes()).ok())
        .ok_or_else(|| CaseError(format!("{place}.{encoded_name}: is not base64 in a string")))?;
    Ok(Some(bytes))
}

fn take_text(members: &mut Map<String, Value>, name: &str) -> Option<Vec<u8>> {
    if !members.get(name)?.is_string() {
        return None;
    }
    match members.remove(name)? {
        Value::String(text) => Some(text.into_bytes()),
        _ => None,
    }
}

fn put(value: &mut Value, name: &str, bytes: &[u8]) {
    let readable = |text: &&str| {
        let odd = |letter: char| letter.is_control() && !matches!(letter, '\n' | '\r' | '\t');
        !text.contains(odd)
    };
    match std::str::from_utf8(bytes).ok().filter(readable) {
        Some(text) => value[name] = text.into(),
        None => value[format!("{name}_base64")] = BASE64.encode(bytes).into(),
    }
}

fn remove(value: &mut Value, name: &str) {
    if let Value::Object(members) = value {
        members.remove(name);
    }
}

fn to_value(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}
