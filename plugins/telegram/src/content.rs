//! Which method carries a message, and with which parameters (Bot API, available methods).

use serde_json::{Map, Value, json};
use trunkline_plugin_api::{
    AdapterError, Content, ErrorClass, Interactive, Location, Media, OutboundMessage, ReactionCall,
};

use crate::{MEDIA_BYTES_MAX, ids};

/// Characters of a text (Bot API, sendMessage).
pub(crate) const TEXT_CHARS_MAX: u32 = 4_096;
/// Characters of a text beside an attachment (Bot API, sendPhoto and its like).
const CAPTION_CHARS_MAX: usize = 1_024;
/// The largest photo that is uploaded; a larger picture goes as a document (Bot API, sending files).
const PHOTO_BYTES_MAX: u64 = 10 * 1024 * 1024;
/// The same where Telegram gets it by a link.
const PHOTO_BY_LINK_BYTES_MAX: u64 = 5 * 1024 * 1024;
/// The largest file that Telegram gets by a link (Bot API, sending files).
const FILE_BY_LINK_BYTES_MAX: u64 = 20 * 1024 * 1024;

/// A call to be made.
pub(crate) struct Call<'a> {
    pub(crate) method: &'static str,
    pub(crate) parameters: Map<String, Value>,
    /// The parameter that holds the file to be uploaded, and the file.
    pub(crate) file: Option<(&'static str, &'a Media)>,
}

/// Whether a message goes as a photo.
pub(crate) fn is_photo(message: &OutboundMessage) -> bool {
    let media = message.content.media.first();
    media.is_some_and(|media| kind(media) == PHOTO)
}

/// The call for a message to `chat`. With `as_document`, what would be a photo is a document.
pub(crate) fn call<'a>(
    message: &'a OutboundMessage,
    chat: &Value,
    as_document: bool,
) -> Result<Call<'a>, AdapterError> {
    let content = &message.content;
    check_one_kind(content)?;
    if let Some(reaction) = &content.reaction {
        return react(reaction, chat);
    }
    let text = content.text.as_deref().filter(|text| !text.is_empty());
    let (method, mut parameters, file) = if let Some(media) = content.media.first() {
        let kind = if as_document { DOCUMENT } else { kind(media) };
        attachment(media, kind, text)?
    } else if let Some(place) = &content.location {
        let (method, parameters) = location(place);
        (method, parameters, None)
    } else if let Some(card) = content.contacts.first() {
        ("sendContact", contact(card)?, None)
    } else {
        let parameters = plain(text, content.interactive.as_ref())?;
        ("sendMessage", parameters, None)
    };
    parameters.insert("chat_id".into(), chat.clone());
    if let Some(answered) = answered(message, chat) {
        parameters.insert("reply_parameters".into(), answered);
    }
    Ok(Call {
        method,
        parameters,
        file,
    })
}

fn check_one_kind(content: &Content) -> Result<(), AdapterError> {
    if content.template.is_some() {
        return Err(refused("unsupported_content", "Telegram has no templates"));
    }
    if content.media.len() > 1 || content.contacts.len() > 1 {
        let words = "Telegram takes one attachment or contact in a message: send each by itself";
        return Err(refused("too_many_media", words));
    }
    let kinds = [
        ("a reaction", content.reaction.is_some()),
        ("buttons", content.interactive.is_some()),
        ("an attachment", !content.media.is_empty()),
        ("a place", content.location.is_some()),
        ("a contact", !content.contacts.is_empty()),
    ];
    let mut present = kinds.iter().filter(|(_, is_there)| *is_there);
    let (first, second) = (present.next(), present.next());
    if let (Some((first, _)), Some((second, _))) = (first, second) {
        let words = format!("Telegram can't send {first} and {second} in one message");
        return Err(refused("unsupported_content", words));
    }
    let has_text = content.text.as_deref().is_some_and(|text| !text.is_empty());
    let textless =
        content.reaction.is_some() || content.location.is_some() || !content.contacts.is_empty();
    match first {
        Some((kind, _)) if has_text && textless => {
            let words = format!("Telegram can't send a text beside {kind}");
            Err(refused("unsupported_content", words))
        }
        _ => Ok(()),
    }
}

/// The message that is answered, where it is in the same chat. One that is gone is no reason to fail.
fn answered(message: &OutboundMessage, chat: &Value) -> Option<Value> {
    let (of_chat, id) = ids::split(message.reply_to.as_deref()?)?;
    (chat.as_i64() == Some(of_chat))
        .then(|| json!({"message_id": id, "allow_sending_without_reply": true}))
}

/// A text, with the keyboard that the caller gives in Telegram's own form.
fn plain(
    text: Option<&str>,
    offer: Option<&Interactive>,
) -> Result<Map<String, Value>, AdapterError> {
    let words = "the message has no text, attachment or anything else that Telegram carries";
    let text = text.ok_or_else(|| refused("empty", words))?;
    check_length(text, TEXT_CHARS_MAX as usize, "text_too_long", "a text")?;
    let mut parameters = Map::from_iter([("text".to_owned(), Value::from(text))]);
    if let Some(offer) = offer {
        if !offer.data.is_object() {
            let words = "interactive.data must be Telegram's reply_markup, such as inline_keyboard";
            return Err(refused("invalid_interactive", words));
        }
        parameters.insert("reply_markup".into(), offer.data.clone());
    }
    Ok(parameters)
}

fn check_length(text: &str, max: usize, code: &str, what: &str) -> Result<(), AdapterError> {
    if text.chars().count() <= max {
        return Ok(());
    }
    let words = format!("Telegram takes at most {max} characters in {what}");
    Err(refused(code, words))
}

type Attached<'a> = (
    &'static str,
    Map<String, Value>,
    Option<(&'static str, &'a Media)>,
);

/// A file of the daemon is uploaded; of others Telegram is given an id that it gave, or a link.
fn attachment<'a>(
    media: &'a Media,
    (method, parameter): Kind,
    text: Option<&str>,
) -> Result<Attached<'a>, AdapterError> {
    check_size(media)?;
    let mut parameters = Map::new();
    if let Some(text) = text {
        check_length(
            text,
            CAPTION_CHARS_MAX,
            "caption_too_long",
            "a text beside an attachment",
        )?;
        parameters.insert("caption".into(), text.into());
    }
    let source = &media.source;
    if source.sha256.is_some() {
        return Ok((method, parameters, Some((parameter, media))));
    }
    let given = source.provider_id.as_deref().or(source.url.as_deref());
    let words = "the attachment is neither a file nor a link";
    let given = given.ok_or_else(|| refused("media_missing", words))?;
    parameters.insert(parameter.into(), given.into());
    Ok((method, parameters, None))
}

/// A file that Telegram has already is of no size that matters.
fn check_size(media: &Media) -> Result<(), AdapterError> {
    let size = media.size.unwrap_or_default();
    if media.source.sha256.is_some() && size > MEDIA_BYTES_MAX {
        let words = "Telegram takes at most 50 MB in a file";
        return Err(refused("media_too_large", words));
    }
    if is_by_link(media) && size > FILE_BY_LINK_BYTES_MAX {
        let words =
            "Telegram takes at most 20 MB by a link: have the gateway keep the file and upload it";
        return Err(refused("media_too_large", words));
    }
    Ok(())
}

fn is_by_link(media: &Media) -> bool {
    media.source.sha256.is_none() && media.source.provider_id.is_none()
}

/// A method and the parameter that holds the file.
type Kind = (&'static str, &'static str);

const PHOTO: Kind = ("sendPhoto", "photo");
const DOCUMENT: Kind = ("sendDocument", "document");

/// The method by the type of a file, else by the ending of its name or link.
fn kind(media: &Media) -> Kind {
    let content_type = media.content_type.as_deref().unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let photo_bytes_max = if is_by_link(media) {
        PHOTO_BY_LINK_BYTES_MAX
    } else {
        PHOTO_BYTES_MAX
    };
    let is_photo = media.size.is_none_or(|size| size <= photo_bytes_max);
    match essence.to_ascii_lowercase().as_str() {
        "image/jpeg" | "image/png" | "image/webp" if is_photo => PHOTO,
        "image/gif" => ("sendAnimation", "animation"),
        "video/mp4" => ("sendVideo", "video"),
        "audio/mpeg" | "audio/mp4" | "audio/x-m4a" => ("sendAudio", "audio"),
        "audio/ogg" => ("sendVoice", "voice"),
        "" => by_ending(media, is_photo),
        _ => DOCUMENT,
    }
}

fn by_ending(media: &Media, is_photo: bool) -> Kind {
    let link = media.source.url.as_deref().unwrap_or_default();
    let path = link.split(['?', '#']).next().unwrap_or_default();
    let name = media.name.as_deref().unwrap_or(path);
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    match ending.to_ascii_lowercase().as_str() {
        "jpg" | "jpeg" | "png" | "webp" if is_photo => PHOTO,
        "gif" => ("sendAnimation", "animation"),
        "mp4" => ("sendVideo", "video"),
        "mp3" | "m4a" => ("sendAudio", "audio"),
        "ogg" | "oga" => ("sendVoice", "voice"),
        _ => DOCUMENT,
    }
}

/// A venue needs a title and an address; a place that lacks one of them is its point alone.
fn location(place: &Location) -> (&'static str, Map<String, Value>) {
    let mut parameters = Map::from_iter([
        ("latitude".to_owned(), json!(place.latitude)),
        ("longitude".to_owned(), json!(place.longitude)),
    ]);
    let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    match (filled(&place.label), filled(&place.address)) {
        (Some(title), Some(address)) => {
            parameters.insert("title".into(), title.into());
            parameters.insert("address".into(), address.into());
            ("sendVenue", parameters)
        }
        _ => ("sendLocation", parameters),
    }
}

/// A card in Telegram's form.
fn contact(card: &Value) -> Result<Map<String, Value>, AdapterError> {
    let known = ["phone_number", "first_name", "last_name", "vcard"];
    let given = card.as_object().into_iter().flatten();
    let parameters: Map<String, Value> = given
        .filter(|(name, value)| known.contains(&name.as_str()) && value.is_string())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if parameters.contains_key("phone_number") && parameters.contains_key("first_name") {
        return Ok(parameters);
    }
    let words = "a contact for Telegram has phone_number and first_name";
    Err(refused("invalid_contact", words))
}

/// An emoji on a message; an empty list takes it back.
fn react<'a>(reaction: &ReactionCall, chat: &Value) -> Result<Call<'a>, AdapterError> {
    let words = "the reaction names no message of this chat";
    let target = ids::split(&reaction.target).filter(|(of, _)| chat.as_i64() == Some(*of));
    let (_, message) = target.ok_or_else(|| refused("no_target", words))?;
    let list = match reaction.emoji.as_str() {
        "" => json!([]),
        emoji => json!([{"type": "emoji", "emoji": emoji}]),
    };
    let parameters = Map::from_iter([
        ("chat_id".to_owned(), chat.clone()),
        ("message_id".to_owned(), message.into()),
        ("reaction".to_owned(), list),
    ]);
    Ok(Call {
        method: "setMessageReaction",
        parameters,
        file: None,
    })
}

fn refused(code: &str, message: impl Into<String>) -> AdapterError {
    AdapterError::new(ErrorClass::Content, code, message)
}
