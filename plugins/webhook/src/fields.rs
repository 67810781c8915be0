//! Where a webhook's JSON holds a message, and reading it from there.

mod pointer;

use std::fmt::Display;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use trunkline_plugin_api::{Content, Identity, InboundMessage, Media, MediaRef, Sender, Timestamp};
use url::Url;

use crate::{ID_BYTES_MAX, SPACE};
use pointer::Pointer;

/// Attachments of one message that are taken.
const MEDIA_COUNT_MAX: usize = 100;

/// The id that the request's headers give a message.
pub(crate) enum GivenId<'a> {
    /// The request is this one message: it counts before the message's own.
    Header(&'a str),
    /// The same, but nothing proves it: the message's own counts first.
    Unsigned(&'a str),
    /// The request holds several, this is the number of one: its own counts first.
    Numbered(&'a str, usize),
    /// There is none.
    None,
}

/// JSON pointers (RFC 6901) from a message's object to its parts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Fields {
    /// The message's id, a string or a whole number, where the request has no `webhook-id` header.
    /// Default: `/id`.
    id: Pointer,
    /// Who wrote, a string or a whole number. Default: `/from`.
    from: Pointer,
    /// The text, a string. Default: `/text`.
    text: Pointer,
    /// The writer's name, a string. Default: `/name`.
    name: Pointer,
    /// Attachments, an array of URLs or of objects with `url`, `content_type` and `name`. Default:
    /// `/media`.
    media: Pointer,
}

impl Default for Fields {
    fn default() -> Self {
        Self {
            id: "/id".into(),
            from: "/from".into(),
            text: "/text".into(),
            name: "/name".into(),
            media: "/media".into(),
        }
    }
}

impl Fields {
    /// Checks that each one is a pointer that can lead somewhere.
    pub(crate) fn check(&self) -> Result<(), String> {
        let pointers = [
            ("id", &self.id),
            ("from", &self.from),
            ("text", &self.text),
            ("name", &self.name),
            ("media", &self.media),
        ];
        for (key, pointer) in pointers {
            if !pointer.is_valid() {
                let pointer = pointer.as_str();
                return Err(format!(
                    "fields.{key} is not a JSON pointer such as /data/{key}: {pointer:?}"
                ));
            }
        }
        Ok(())
    }

    /// Reads one message. The error says in words what is wrong where.
    pub(crate) fn message(
        &self,
        object: &Value,
        given: &GivenId<'_>,
    ) -> Result<InboundMessage, String> {
        if !object.is_object() {
            return Err("not a JSON object".into());
        }
        let body = self.body_of(object);
        let own_id = || self.id.short_text(body);
        let id = match given {
            GivenId::Header(id) => Some((*id).into()),
            GivenId::Unsigned(id) => own_id()?.or_else(|| Some((*id).into())),
            GivenId::Numbered(id, index) => own_id()?.or_else(|| Some(format!("{id}#{index}"))),
            GivenId::None => own_id()?,
        };
        let id = id.ok_or_else(|| format!("no webhook-id header and no id at {}", self.id))?;
        let from = self.from.short_text(body)?;
        let from = from.ok_or_else(|| format!("no sender at {}", self.from))?;
        let text = match self.text.find(body) {
            None => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(_) => return Err(format!("{} is not a string", self.text)),
        };
        let content = Content {
            text,
            media: self.media(body)?,
            ..Content::default()
        };
        if content.is_empty() {
            let (text, media) = (&self.text, &self.media);
            return Err(format!(
                "neither a text at {text} nor attachments at {media}"
            ));
        }
        let name = self.name.find(body).and_then(Value::as_str);
        Ok(InboundMessage {
            id,
            sender: Sender {
                identity: Identity::new(SPACE, from),
                name: name.map(String::from),
                ..Sender::default()
            },
            content,
            sent_at_ms: event_time(object),
            ..InboundMessage::default()
        })
    }

    /// The object itself, or what a Standard Webhooks payload (`type`, `timestamp`, `data`) wraps.
    fn body_of<'v>(&self, object: &'v Value) -> &'v Value {
        match object.get("data") {
            Some(data) if data.is_object() && self.from.find(object).is_none() => data,
            _ => object,
        }
    }

    fn media(&self, body: &Value) -> Result<Vec<Media>, String> {
        let pointer = &self.media;
        let Some(value) = pointer.find(body) else {
            return Ok(Vec::new());
        };
        let items = value
            .as_array()
            .filter(|items| items.len() <= MEDIA_COUNT_MAX)
            .ok_or_else(|| {
                format!("{pointer} is not an array of at most {MEDIA_COUNT_MAX} attachments")
            })?;
        let read = |item| attachment(item).ok_or_else(|| format!("no http URL in {pointer}"));
        items.iter().map(read).collect()
    }
}

/// A string or whole number that can serve as an id. Other numbers lose digits when they are read,
/// so two ids could become one. None where there is nothing, an error where it can't be an id.
fn usable_id(found: Option<&Value>, place: impl Display) -> Result<Option<String>, String> {
    let text = match found {
        None => return Ok(None),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) if !number.is_f64() => number.to_string(),
        Some(_) => return Err(format!("{place} is neither a string nor a whole number")),
    };
    let usable =
        !text.is_empty() && text.len() <= ID_BYTES_MAX && !text.chars().any(char::is_control);
    if usable {
        Ok(Some(text))
    } else {
        Err(format!(
            "{place} is empty, longer than {ID_BYTES_MAX} bytes, or has control characters"
        ))
    }
}

/// The member of an object that can serve as an id, by [`usable_id`].
pub(crate) fn short_text(object: &Value, member: &str) -> Result<Option<String>, String> {
    let found = object.get(member).filter(|found| !found.is_null());
    usable_id(found, format_args!("/{member}"))
}

/// The `timestamp` of a Standard Webhooks payload: when it happened.
pub(crate) fn event_time(object: &Value) -> Option<Timestamp> {
    let time: jiff::Timestamp = object.get("timestamp")?.as_str()?.parse().ok()?;
    Some(time.as_millisecond())
}

fn attachment(item: &Value) -> Option<Media> {
    let text = |member: &str| item.get(member).and_then(Value::as_str).map(String::from);
    let url = item.as_str().map(String::from).or_else(|| text("url"))?;
    let scheme = Url::parse(&url).ok()?;
    matches!(scheme.scheme(), "http" | "https").then(|| Media {
        source: MediaRef {
            url: Some(url),
            ..MediaRef::default()
        },
        content_type: text("content_type"),
        name: text("name"),
        size: None,
    })
}
