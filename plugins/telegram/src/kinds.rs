//! The kinds of messages and what each says (Bot API, Message and the types of its members).

use serde_json::{Map, Value, json};
use trunkline_plugin_api::{Content, Location, Media, MediaRef};

use crate::fields;

/// What a message says.
#[derive(Default)]
pub(crate) struct Said {
    pub(crate) content: Content,
    /// Members that the content holds everything of.
    pub(crate) read: &'static [&'static str],
    /// What has no place in the content.
    pub(crate) extra: Map<String, Value>,
}

/// Members that only a service message has: Telegram's word about the chat, nothing that a person said.
const SERVICE: &[&str] = &[
    "boost_added",
    "channel_chat_created",
    "chat_background_set",
    "chat_shared",
    "checklist_tasks_added",
    "checklist_tasks_done",
    "connected_website",
    "delete_chat_photo",
    "direct_message_price_changed",
    "gift",
    "giveaway_completed",
    "giveaway_created",
    "group_chat_created",
    "left_chat_member",
    "message_auto_delete_timer_changed",
    "migrate_from_chat_id",
    "migrate_to_chat_id",
    "new_chat_members",
    "new_chat_photo",
    "new_chat_title",
    "paid_message_price_changed",
    "passport_data",
    "pinned_message",
    "proximity_alert_triggered",
    "refunded_payment",
    "successful_payment",
    "suggested_post_approval_failed",
    "suggested_post_approved",
    "suggested_post_declined",
    "suggested_post_paid",
    "suggested_post_refunded",
    "supergroup_chat_created",
    "unique_gift",
    "users_shared",
    "write_access_allowed",
];

/// How the names of further ones begin.
const SERVICE_PREFIXES: &[&str] = &["forum_topic_", "general_forum_topic_", "video_chat_"];

/// Where the files of a message are, and the type of those that have no field for it. An animation comes as a
/// document too, so it is looked for first.
const FILES: &[(&str, &[&str], &str)] = &[
    (
        "animation",
        &["animation", "document", "caption"],
        "video/mp4",
    ),
    ("document", &["document", "caption"], ""),
    ("audio", &["audio", "caption"], ""),
    ("voice", &["voice", "caption"], "audio/ogg"),
    ("video", &["video", "caption"], "video/mp4"),
    ("video_note", &["video_note"], "video/mp4"),
    ("sticker", &["sticker"], "image/webp"),
];

/// True for a message that nobody wrote.
pub(crate) fn is_service(message: &Value) -> bool {
    let mut names = message
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| name);
    names.any(|name| {
        let begins = |prefix: &&str| name.starts_with(*prefix);
        SERVICE.contains(&name.as_str()) || SERVICE_PREFIXES.iter().any(begins)
    })
}

/// What a message says. What is not known is kept with a note and its fields.
pub(crate) fn read(message: &Value) -> Said {
    text(message)
        .or_else(|| photo(message))
        .or_else(|| file(message))
        .or_else(|| place(message))
        .or_else(|| contact(message))
        .unwrap_or_else(unknown)
}

fn unknown() -> Said {
    let words = "This kind of message is not known: its fields are kept as they came.";
    Said {
        extra: Map::from_iter([("note".to_owned(), Value::from(words))]),
        ..Said::default()
    }
}

fn text(message: &Value) -> Option<Said> {
    Some(Said {
        content: Content::text(message.get("text")?.as_str()?),
        read: &["text"],
        ..Said::default()
    })
}

/// A photo comes in several sizes and is always a JPEG: the largest is the one that was sent.
fn photo(message: &Value) -> Option<Said> {
    let sizes = message.get("photo")?.as_array()?;
    let pixels = |size: &&Value| {
        let side = |field: &str| size.get(field).and_then(Value::as_u64).unwrap_or(0);
        side("width").saturating_mul(side("height"))
    };
    let largest = sizes.iter().max_by_key(pixels)?;
    Some(Said {
        content: attached(message, media(largest, "image/jpeg")?),
        read: &["photo", "caption"],
        ..Said::default()
    })
}

fn file(message: &Value) -> Option<Said> {
    let found = |(name, read, usual): &(&str, &'static [&'static str], &'static str)| {
        let member = message.get(*name)?;
        let media = media(member, usual_type(member, usual))?;
        Some(Said {
            content: attached(message, media),
            read,
            extra: extra(name, member),
        })
    };
    FILES.iter().find_map(found)
}

/// Stickers that move are of another type.
fn usual_type<'a>(member: &Value, usual: &'a str) -> &'a str {
    let is = |field: &str| member.get(field) == Some(&Value::Bool(true));
    match usual {
        "image/webp" if is("is_animated") => "application/x-tgsticker",
        "image/webp" if is("is_video") => "video/webm",
        usual => usual,
    }
}

/// What a file says beside its bytes.
fn extra(name: &str, member: &Value) -> Map<String, Value> {
    let told = ["duration", "emoji", "performer", "set_name", "title"];
    let said: Map<String, Value> = told
        .into_iter()
        .filter_map(|field| Some((field.to_owned(), member.get(field)?.clone())))
        .collect();
    Map::from_iter([(name.to_owned(), Value::Object(said))])
}

fn media(member: &Value, usual: &str) -> Option<Media> {
    let usual = (!usual.is_empty()).then(|| usual.to_owned());
    Some(Media {
        source: MediaRef {
            provider_id: Some(fields::owned(member, "file_id")?),
            ..MediaRef::default()
        },
        content_type: fields::owned(member, "mime_type").or(usual),
        name: fields::owned(member, "file_name"),
        size: member.get("file_size").and_then(Value::as_u64),
    })
}

fn attached(message: &Value, media: Media) -> Content {
    Content {
        text: fields::owned(message, "caption"),
        media: vec![media],
        ..Content::default()
    }
}

/// A venue comes as a place too.
fn place(message: &Value) -> Option<Said> {
    let venue = message.get("venue");
    let point = venue
        .and_then(|venue| venue.get("location"))
        .or_else(|| message.get("location"))?;
    let degrees = |field, max: f64| {
        let degrees = point.get(field).and_then(Value::as_f64);
        degrees.filter(|degrees| (-max..=max).contains(degrees))
    };
    let of_venue = |field| fields::owned(venue?, field);
    let location = Location {
        latitude: degrees("latitude", 90.0)?,
        longitude: degrees("longitude", 180.0)?,
        label: of_venue("title"),
        address: of_venue("address"),
    };
    let details = fields::rest(point, &["latitude", "longitude"]);
    let mut extra = Map::new();
    if !details.is_empty() {
        extra.insert("location".into(), json!(details));
    }
    Some(Said {
        content: Content {
            location: Some(location),
            ..Content::default()
        },
        read: &["location", "venue"],
        extra,
    })
}

fn contact(message: &Value) -> Option<Said> {
    let card = message.get("contact").filter(|card| card.is_object())?;
    Some(Said {
        content: Content {
            contacts: vec![card.clone()],
            ..Content::default()
        },
        read: &["contact"],
        ..Said::default()
    })
}
