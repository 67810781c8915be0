//! The rules of `POST /v1/messages` (Vonage's Messages API reference, version 1).

use super::account::{Account, VonageMessage, is_number, random_uuid};
use super::token::Caller;
use crate::behaviour::Fault;
use crate::reply::Reply;
use serde_json::{Map, Value, json};

/// A refusal: HTTP status, the API's code, and its words.
pub(super) type Refusal = (u16, u32, String);

/// Types of attachments of an MMS.
const ATTACHMENTS: [&str; 5] = ["image", "audio", "video", "file", "vcard"];
/// Members of every message.
const COMMON: [&str; 7] = [
    "channel",
    "message_type",
    "to",
    "from",
    "client_ref",
    "webhook_url",
    "webhook_version",
];

fn invalid(words: impl Into<String>) -> Refusal {
    (422, 1150, words.into())
}

fn text<'a>(body: &'a Map<String, Value>, name: &str) -> Result<&'a str, Refusal> {
    let value = body.get(name).and_then(Value::as_str);
    value
        .filter(|value| !value.is_empty())
        .ok_or_else(|| invalid(format!("{name} is missing or no text")))
}

fn no_others(object: &Map<String, Value>, known: &[&str]) -> Result<(), Refusal> {
    match object.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(invalid(format!("unknown member {name}"))),
        None => Ok(()),
    }
}

fn is_web(url: &str) -> bool {
    url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}

/// Checks everything that makes Vonage refuse a message, and gives what it would take.
pub(super) fn draft(account: &Account, body: &Value) -> Result<VonageMessage, Refusal> {
    let body = body
        .as_object()
        .ok_or_else(|| invalid("the body is no object"))?;
    let (channel, kind) = (text(body, "channel")?, text(body, "message_type")?);
    let (to, from) = (text(body, "to")?, text(body, "from")?);
    if !is_number(to) {
        return Err((422, 1170, "to is no number without +".into()));
    }
    if !account.may_send_as(from) {
        return Err((422, 1120, "from is no sender of this account".into()));
    }
    let optional = |name: &str| body.get(name).map(|_| text(body, name)).transpose();
    let (client_ref, callback) = (optional("client_ref")?, optional("webhook_url")?);
    if client_ref.is_some_and(|text| text.chars().count() > 100) {
        return Err(invalid("client_ref is longer than 100 characters"));
    }
    if callback.is_some_and(|url| !is_web(url)) {
        return Err(invalid("webhook_url is no web address"));
    }
    if optional("webhook_version")?.is_some_and(|version| !matches!(version, "v1" | "v0.1")) {
        return Err(invalid("webhook_version is neither v1 nor v0.1"));
    }
    let (words, media) = match (channel, kind) {
        ("sms", "text") => (sms(body)?, Vec::new()),
        ("mms", kind) => mms(body, kind)?,
        _ => return Err(invalid(format!("{channel} has no {kind}"))),
    };
    Ok(VonageMessage {
        ids: vec![random_uuid()],
        channel: Some(channel.to_owned()),
        kind: kind.to_owned(),
        to: to.to_owned(),
        from: from.to_owned(),
        text: words,
        media,
        client_ref: client_ref.map(str::to_owned),
        callback: callback.map(str::to_owned),
    })
}

fn sms(body: &Map<String, Value>) -> Result<String, Refusal> {
    no_others(body, &[&COMMON[..], &["text", "sms", "ttl"]].concat())?;
    let words = text(body, "text")?;
    if words.chars().count() > 1_000 {
        return Err((422, 1090, "text is longer than 1000 characters".into()));
    }
    if let Some(settings) = body.get("sms") {
        let settings = settings
            .as_object()
            .ok_or_else(|| invalid("sms is no object"))?;
        no_others(settings, &["encoding_type", "content_id", "entity_id"])?;
        let encoding = settings.get("encoding_type").and_then(Value::as_str);
        if !matches!(encoding, None | Some("auto" | "text" | "unicode")) {
            return Err(invalid("sms.encoding_type is not known"));
        }
    }
    Ok(words.to_owned())
}

/// The caption and the addresses of the attachments.
fn mms(body: &Map<String, Value>, kind: &str) -> Result<(String, Vec<String>), Refusal> {
    no_others(body, &[&COMMON[..], &[kind, "ttl"]].concat())?;
    let items: Vec<&Map<String, Value>> = if kind == "content" {
        let items = body.get(kind).and_then(Value::as_array);
        items
            .into_iter()
            .flatten()
            .filter_map(Value::as_object)
            .collect()
    } else if ATTACHMENTS.contains(&kind) {
        body.get(kind)
            .and_then(Value::as_object)
            .into_iter()
            .collect()
    } else {
        return Err(invalid(format!("mms has no {kind}")));
    };
    if items.is_empty() {
        return Err(invalid(format!("{kind} is missing")));
    }
    let (mut captions, mut media) = (Vec::new(), Vec::new());
    for item in items {
        let known: &[&str] = if kind == "content" {
            if !ATTACHMENTS.contains(&text(item, "type")?) {
                return Err(invalid("the type of an attachment is not known"));
            }
            &["type", "url", "caption"]
        } else {
            &["url", "caption"]
        };
        no_others(item, known)?;
        let url = text(item, "url")?;
        if !is_web(url) {
            return Err((422, 1380, "url is no web address".into()));
        }
        media.push(url.to_owned());
        if item.contains_key("caption") {
            captions.push(text(item, "caption")?.to_owned());
        }
    }
    if captions
        .iter()
        .any(|caption| caption.chars().count() > 2_000)
    {
        return Err(invalid("a caption is longer than 2000 characters"));
    }
    Ok((captions.join("\n"), media))
}

/// What a careful reader of Vonage's pages would not have sent.
pub(super) fn findings(caller: Caller, body: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if caller == Caller::Login && body.get("webhook_url").is_some() {
        found.push("basic authentication does not support webhooks".into());
    }
    if body.get("webhook_url").is_some() != body.get("webhook_version").is_some() {
        found.push("webhook_url and webhook_version belong together".into());
    }
    found
}

/// The answer for an accepted message.
pub(super) fn accepted(message: &VonageMessage) -> Reply {
    Reply::json(202, &json!({"message_uuid": message.ids[0]}))
}

/// A refusal as a problem document (RFC 7807).
pub(super) fn refused((status, code, words): &Refusal) -> Reply {
    let kind = format!("https://developer.nexmo.com/api-errors/messages#{code}");
    Reply::json(
        *status,
        &json!({"type": kind, "title": "Refused", "detail": words, "instance": random_uuid()}),
    )
}

/// Wrong credentials.
pub(super) fn unauthorized() -> Reply {
    let kind = "https://developer.nexmo.com/api-errors#unauthorized";
    let words = "You did not provide correct credentials.";
    Reply::json(
        401,
        &json!({"type": kind, "title": "Unauthorized", "detail": words, "instance": random_uuid()}),
    )
}

/// A fault in the API's words.
pub(super) fn fault(fault: Fault) -> Reply {
    match fault.code {
        Some(code) => refused(&(fault.status, code, fault.message)),
        None => Reply::text(fault.status, fault.message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(changes: &Value) -> Result<String, u32> {
        let mut body = json!({
            "channel": "sms", "message_type": "text", "to": "447700900001", "from": "15550100",
            "text": "Hi", "sms": {"encoding_type": "auto"},
        });
        for (name, value) in changes.as_object().expect("an object") {
            body[name.as_str()] = value.clone();
        }
        if body["channel"] == "mms" {
            let body = body.as_object_mut().expect("an object");
            body.remove("text");
            body.remove("sms");
        }
        let message = draft(&Account::new(), &body);
        message
            .map(|message| message.kind)
            .map_err(|refusal| refusal.1)
    }

    #[test]
    fn wrong_messages_are_refused_with_their_code() {
        let rows = [
            (json!({"to": "+447700900001"}), 1170),
            (json!({"from": "4912345678"}), 1120),
            (json!({"text": "x".repeat(1_001)}), 1090),
            (json!({"text": ""}), 1150),
            (json!({"sms": {"encoding_type": "loud"}}), 1150),
            (json!({"colour": "red"}), 1150),
            (json!({"webhook_url": "hooks"}), 1150),
            (json!({"channel": "fax"}), 1150),
            (json!({"channel": "mms", "message_type": "image"}), 1150),
            (
                json!({"channel": "mms", "message_type": "image", "image": {"url": "1"}}),
                1380,
            ),
            (
                json!({"channel": "mms", "message_type": "content", "content": []}),
                1150,
            ),
        ];
        for (changes, expected) in rows {
            assert_eq!(code(&changes), Err(expected), "{changes}");
        }
        let image = json!({"url": "https://m.example/1"});
        let picture = json!({"channel": "mms", "message_type": "image", "image": image});
        assert_eq!(code(&json!({})), Ok("text".to_owned()));
        assert_eq!(code(&picture), Ok("image".to_owned()));
    }
}
