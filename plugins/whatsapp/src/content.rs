//! What a message says, as Meta writes it: a type and the object of that name (Meta: Send messages).
//!
//! A message is of one kind. What would get lost on the way (a second attachment, a text beside a place) is
//! refused in words instead.

use serde_json::{Value, json};
use trunkline_plugin_api::{
    AdapterError, Content, ErrorClass, Interactive, Location, Media, OutboundMessage, ReactionCall,
};

use crate::{config::TEXT_CHARS_MAX, template};

/// Characters of a caption (Meta: Image messages).
const CAPTION_CHARS_MAX: usize = 1_024;

/// The type and its object; `uploaded` is the id of the message's file once Meta has it.
pub(crate) fn object(
    message: &OutboundMessage,
    uploaded: Option<&str>,
) -> Result<(&'static str, Value), AdapterError> {
    let content = &message.content;
    check_one_kind(content)?;
    if let Some(reaction) = &content.reaction {
        return Ok(("reaction", react(reaction)?));
    }
    if let Some(call) = &content.template {
        return Ok(("template", template::object(call)?));
    }
    let text = content.text.as_deref().filter(|text| !text.is_empty());
    if let Some(choice) = &content.interactive {
        return Ok(("interactive", offer(choice, text)?));
    }
    if let Some(media) = content.media.first() {
        return attachment(media, text, uploaded);
    }
    if let Some(place) = &content.location {
        return Ok(("location", location(place)));
    }
    if !content.contacts.is_empty() {
        return Ok(("contacts", Value::from(content.contacts.clone())));
    }
    let text = text.ok_or_else(|| {
        refused(
            "empty",
            "the message has no text, attachment, template or anything else that WhatsApp carries",
        )
    })?;
    Ok(("text", plain(message, text)?))
}

/// The attachment, where it is a file of the daemon, which has to be uploaded first.
pub(crate) fn file(content: &Content) -> Option<&Media> {
    let is_media =
        content.reaction.is_none() && content.template.is_none() && content.interactive.is_none();
    content
        .media
        .first()
        .filter(|media| is_media && media.source.sha256.is_some())
}

fn check_one_kind(content: &Content) -> Result<(), AdapterError> {
    if content.media.len() > 1 {
        return Err(refused(
            "too_many_media",
            "WhatsApp takes one attachment in a message: send each by itself",
        ));
    }
    let kinds = [
        ("a reaction", content.reaction.is_some()),
        ("a template", content.template.is_some()),
        ("buttons or lists", content.interactive.is_some()),
        ("an attachment", !content.media.is_empty()),
        ("a place", content.location.is_some()),
        ("contact cards", !content.contacts.is_empty()),
    ];
    let present: Vec<&str> = kinds
        .iter()
        .filter(|(_, is_there)| *is_there)
        .map(|(name, _)| *name)
        .collect();
    if let [first, second, ..] = present.as_slice() {
        let words = format!("WhatsApp can't send {first} and {second} in one message");
        return Err(refused("unsupported_content", words));
    }
    let has_text = content.text.as_deref().is_some_and(|text| !text.is_empty());
    let textless =
        content.reaction.is_some() || content.location.is_some() || !content.contacts.is_empty();
    if has_text && textless {
        let words = format!("WhatsApp can't send a text beside {}", present[0]);
        return Err(refused("unsupported_content", words));
    }
    Ok(())
}

fn plain(message: &OutboundMessage, text: &str) -> Result<Value, AdapterError> {
    if text.chars().count() > TEXT_CHARS_MAX as usize {
        let words = format!("WhatsApp takes at most {TEXT_CHARS_MAX} characters in a text");
        return Err(refused("text_too_long", words));
    }
    let wanted = message.metadata.get("preview_url").and_then(Value::as_bool);
    let has_link = text.contains("https://") || text.contains("http://");
    Ok(json!({"body": text, "preview_url": wanted.unwrap_or(has_link)}))
}

fn react(reaction: &ReactionCall) -> Result<Value, AdapterError> {
    if reaction.target.is_empty() {
        return Err(refused("no_target", "the reaction names no message"));
    }
    Ok(json!({"message_id": reaction.target, "emoji": reaction.emoji}))
}

/// The caller gives Meta's own object; a text fills in the body that it lacks.
fn offer(choice: &Interactive, text: Option<&str>) -> Result<Value, AdapterError> {
    let Some(given) = choice.data.as_object() else {
        return Err(refused(
            "invalid_interactive",
            "interactive.data must be Meta's interactive object: type, body and action",
        ));
    };
    let mut object = given.clone();
    if !object.contains_key("type") {
        object.insert("type".into(), choice.kind.as_str().into());
    }
    match (text, object.contains_key("body")) {
        (Some(text), false) => {
            object.insert("body".into(), json!({ "text": text }));
        }
        (Some(_), true) => {
            return Err(refused(
                "unsupported_content",
                "the interactive object has a body already: leave out the text",
            ));
        }
        (None, _) => {}
    }
    Ok(Value::Object(object))
}

fn location(place: &Location) -> Value {
    let mut object = json!({"latitude": place.latitude, "longitude": place.longitude});
    for (name, text) in [("name", &place.label), ("address", &place.address)] {
        if let Some(text) = text.as_deref().filter(|text| !text.is_empty()) {
            object[name] = text.into();
        }
    }
    object
}

/// An attachment: by the id of its upload, by an id that Meta gave, or by a public link.
fn attachment(
    media: &Media,
    text: Option<&str>,
    uploaded: Option<&str>,
) -> Result<(&'static str, Value), AdapterError> {
    let kind = kind(media);
    let source = &media.source;
    let mut object = match (uploaded, &source.provider_id, &source.url) {
        (Some(id), _, _) => json!({ "id": id }),
        (None, Some(id), _) => json!({ "id": id }),
        (None, None, Some(link)) => json!({ "link": link }),
        (None, None, None) => {
            return Err(refused(
                "media_missing",
                "the attachment is neither a file nor a link",
            ));
        }
    };
    if let Some(text) = text {
        if matches!(kind, "audio" | "sticker") {
            let words = format!("WhatsApp can't send a text beside a {kind}: send it by itself");
            return Err(refused("caption_unsupported", words));
        }
        if text.chars().count() > CAPTION_CHARS_MAX {
            let words = format!(
                "WhatsApp takes at most {CAPTION_CHARS_MAX} characters beside an attachment"
            );
            return Err(refused("caption_too_long", words));
        }
        object["caption"] = text.into();
    }
    if let (Some(name), "document") = (&media.name, kind) {
        object["filename"] = name.as_str().into();
    }
    Ok((kind, object))
}

/// The kind of an attachment by its type, else by the ending of its name or link. What Meta takes as
/// nothing else goes as a document (Meta: Media, supported types).
pub(crate) fn kind(media: &Media) -> &'static str {
    let content_type = media.content_type.as_deref().unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    match essence.to_ascii_lowercase().as_str() {
        "image/jpeg" | "image/png" => "image",
        "image/webp" => "sticker",
        "video/mp4" | "video/3gpp" => "video",
        "audio/aac" | "audio/amr" | "audio/mpeg" | "audio/mp4" | "audio/ogg" => "audio",
        "" | "application/octet-stream" => by_ending(media),
        _ => "document",
    }
}

fn by_ending(media: &Media) -> &'static str {
    let link = media.source.url.as_deref().unwrap_or_default();
    let path = link.split(['?', '#']).next().unwrap_or_default();
    let name = media.name.as_deref().unwrap_or(path);
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    match ending.to_ascii_lowercase().as_str() {
        "jpg" | "jpeg" | "png" => "image",
        "webp" => "sticker",
        "mp4" | "3gp" => "video",
        "aac" | "amr" | "mp3" | "m4a" | "ogg" | "opus" => "audio",
        _ => "document",
    }
}

pub(crate) fn refused(code: &str, message: impl Into<String>) -> AdapterError {
    AdapterError::new(ErrorClass::Content, code, message)
}
