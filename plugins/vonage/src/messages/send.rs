//! Sends one message: `POST /v1/messages`, as SMS, or as MMS where there are attachments.

use serde_json::{Map, Value, json};
use trunkline_plugin_api::{
    AdapterError, Content,
    ErrorClass::{self, Ambiguous},
    HttpReply, Media, OutboundMessage, Receipt, Step, Turn,
};

use crate::{address, config::Settings, errors, json::Object, rest};

/// Sends, or reads the answer to the call.
pub(crate) fn send(settings: &Settings, message: &OutboundMessage, turn: &Turn) -> Step<Receipt> {
    let outcome = match (&turn.reply, &turn.cursor) {
        (None, Value::Null) => return create(settings, message, turn),
        // The call can't be looked up, so it is not repeated.
        (None, _) => Err(rest::interrupted()),
        (Some(reply), _) => reply.http().and_then(|answer| receipt(answer, turn)),
    };
    outcome.map_or_else(Step::fail, Step::done)
}

fn create(settings: &Settings, message: &OutboundMessage, turn: &Turn) -> Step<Receipt> {
    let Some(from) = &settings.from else {
        return Step::fail(rest::no_sender());
    };
    let mut body = match says(&message.content) {
        Ok(body) => body,
        Err(error) => return Step::fail(error),
    };
    body.insert("from".into(), from.as_str().into());
    body.insert("to".into(), address::wire(&message.to.identifier).into());
    body.insert("client_ref".into(), rest::reference(message).into());
    // Basic authentication does not support webhooks (Vonage's page on authentication).
    let callback = rest::callback_base(message).filter(|_| settings.api.application.is_some());
    if let Some(callback) = callback {
        body.insert("webhook_url".into(), callback.into());
        body.insert("webhook_version".into(), "v1".into());
    }
    match settings.api.post_message(&Value::Object(body), turn) {
        Some(request) => Step::call(request, Value::from("create")),
        None => Step::fail(rest::no_credentials()),
    }
}

/// Channel, type and content.
fn says(content: &Content) -> Result<Map<String, Value>, AdapterError> {
    let more = content.template.is_some()
        || content.location.is_some()
        || content.interactive.is_some()
        || !content.contacts.is_empty()
        || content.reaction.is_some();
    if more {
        return Err(refused(
            "unsupported_content",
            "this adapter sends text and attachments by SMS and MMS, nothing else",
        ));
    }
    let text = content.text.as_deref().filter(|text| !text.is_empty());
    let body = match (content.media.as_slice(), text) {
        ([], None) => {
            return Err(refused(
                "empty",
                "the message has neither text nor attachment",
            ));
        }
        ([], Some(text)) => json!({
            "channel": "sms",
            "message_type": "text",
            "text": text,
            // Vonage chooses between text and unicode.
            "sms": {"encoding_type": "auto"},
        }),
        ([only], text) => {
            let kind = kind(only);
            json!({"channel": "mms", "message_type": kind, kind: item(only, text)?})
        }
        (several, text) => json!({
            "channel": "mms",
            "message_type": "content",
            "content": items(several, text)?,
        }),
    };
    match body {
        Value::Object(body) => Ok(body),
        _ => unreachable!("each arm is an object"),
    }
}

/// Several attachments (Vonage's SDKs, `MmsContentRequest`); the text goes with the first.
fn items(several: &[Media], text: Option<&str>) -> Result<Vec<Value>, AdapterError> {
    let captions = std::iter::once(text).chain(std::iter::repeat(None));
    several
        .iter()
        .zip(captions)
        .map(|(media, caption)| {
            let mut item = item(media, caption)?;
            item.insert("type".into(), kind(media).into());
            Ok(Value::Object(item))
        })
        .collect()
}

/// One attachment, which Vonage fetches itself.
fn item(media: &Media, caption: Option<&str>) -> Result<Map<String, Value>, AdapterError> {
    let Some(url) = &media.source.url else {
        return Err(refused(
            "media_not_public",
            "Vonage fetches attachments by URL, and this one has none",
        ));
    };
    let mut item = Map::new();
    item.insert("url".into(), url.as_str().into());
    if let Some(caption) = caption {
        item.insert("caption".into(), caption.into());
    }
    Ok(item)
}

/// Vonage's type for an attachment: by its MIME type, else by the end of its name or URL.
fn kind(media: &Media) -> &'static str {
    let mime = media.content_type.as_deref().unwrap_or_default();
    let mime = mime.split(';').next().unwrap_or_default().trim();
    match mime.split('/').next() {
        _ if matches!(mime, "text/vcard" | "text/x-vcard") => return "vcard",
        Some("image") => return "image",
        Some("audio") => return "audio",
        Some("video") => return "video",
        _ if !mime.is_empty() => return "file",
        _ => {}
    }
    let url = media.source.url.as_deref().unwrap_or_default();
    let name = media.name.as_deref().unwrap_or(url);
    let name = name.split(['?', '#']).next().unwrap_or_default();
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    match ending.to_ascii_lowercase().as_str() {
        "jpg" | "jpeg" | "png" | "gif" | "webp" => "image",
        "mp3" | "m4a" | "aac" | "amr" | "ogg" | "wav" => "audio",
        "mp4" | "3gp" | "3gpp" | "mov" | "webm" => "video",
        "vcf" => "vcard",
        _ => "file",
    }
}

fn refused(code: &str, words: &str) -> AdapterError {
    AdapterError::new(ErrorClass::Content, code, words)
}

/// What Vonage's answer says.
fn receipt(answer: &HttpReply, turn: &Turn) -> Result<Receipt, AdapterError> {
    if !(200..300).contains(&answer.status) {
        return Err(errors::of_answer(answer, turn.now_ms));
    }
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let Some(id) = Object(&body).text("message_uuid") else {
        return Err(AdapterError::new(
            Ambiguous,
            "unreadable_answer",
            "Vonage accepted the message, but its answer names no message_uuid",
        ));
    };
    Ok(Receipt {
        external_id: id.into(),
        ..Receipt::default()
    })
}
