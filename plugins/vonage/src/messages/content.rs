//! What an inbound message says, by its type. Members as in Vonage's Messages API specification and
//! its Java SDK (`InboundMessage`, `Location`, `mms.Content`).

use serde_json::Value;
use trunkline_plugin_api::{Content, Interactive, Location, Media, MediaRef};

use crate::json::Object;

/// Types whose member is an attachment.
const MEDIA: &[&str] = &["image", "audio", "video", "file", "vcard", "sticker"];
/// Attachments of one message that are read.
const MEDIA_COUNT_MAX: usize = 32;

/// Reads the content. `kind` names the member that holds the type. An empty text beside something
/// else is no text; a type that is not known leaves the content empty and is kept in the metadata.
pub(super) fn read(message: Object<'_>, kind: &str) -> Content {
    let kind = message.text(kind).unwrap_or("text");
    let mut captions = Vec::new();
    let mut media = Vec::new();
    if MEDIA.contains(&kind)
        && let Some(item) = message.object(kind)
    {
        attach(item, &mut media, &mut captions);
    }
    for item in message.list("content").take(MEDIA_COUNT_MAX) {
        attach(item, &mut media, &mut captions);
    }
    let mut content = Content {
        media,
        location: message.object("location").and_then(location),
        interactive: interactive(message, kind),
        contacts: contacts(message),
        ..Content::default()
    };
    content.text = match message.any_text("text") {
        Some(text) if !text.is_empty() || (content.is_empty() && captions.is_empty()) => {
            Some(text.into())
        }
        _ if captions.is_empty() => None,
        _ => Some(captions.join("\n")),
    };
    content
}

fn attach(item: Object<'_>, media: &mut Vec<Media>, captions: &mut Vec<String>) {
    if let Some(url) = item.text("url") {
        media.push(Media {
            source: MediaRef {
                url: Some(url.into()),
                ..MediaRef::default()
            },
            name: item.text("name").map(String::from),
            ..Media::default()
        });
    }
    captions.extend(item.text("caption").map(String::from));
}

fn location(place: Object<'_>) -> Option<Location> {
    let degrees = |names: [&str; 2], max: f64| {
        let degrees = names.into_iter().find_map(|name| place.decimal(name))?;
        (-max..=max).contains(&degrees).then_some(degrees)
    };
    Some(Location {
        latitude: degrees(["lat", "latitude"], 90.0)?,
        longitude: degrees(["long", "longitude"], 180.0)?,
        label: place.text("name").map(String::from),
        address: place.text("address").map(String::from),
    })
}

/// A chosen reply or button. Everything of it stays in the metadata too.
fn interactive(message: Object<'_>, kind: &str) -> Option<Interactive> {
    let choice = message
        .object(kind)
        .filter(|_| matches!(kind, "reply" | "button"))?;
    let either = |names: [&str; 2]| {
        let found = names.into_iter().find_map(|name| choice.text(name));
        found.map(String::from)
    };
    Some(Interactive {
        kind: kind.into(),
        id: either(["id", "payload"]),
        title: either(["title", "text"]),
        data: Value::Null,
    })
}

fn contacts(message: Object<'_>) -> Vec<Value> {
    match message.0.get("contact") {
        Some(Value::Array(cards)) => cards.clone(),
        Some(card @ Value::Object(_)) => vec![card.clone()],
        _ => Vec::new(),
    }
}
