//! The kinds of messages and what each says.

use serde_json::{Map, Value, json};
use trunkline_plugin_api::{Content, Interactive, Location, Media, MediaRef};

use crate::fields;

/// Contact cards of one message that are kept.
const CONTACTS_MAX: usize = 100;

/// What a message says.
#[derive(Default)]
pub(crate) struct Said {
    pub(crate) content: Content,
    /// The message that this kind is about, where that is not its context.
    pub(crate) answers: Option<String>,
    /// Fields of the kind that have no place in the content.
    pub(crate) extra: Map<String, Value>,
    /// For people, where the content does not speak for itself.
    pub(crate) note: Option<&'static str>,
    /// True where content and `extra` hold everything of the member that is named like the kind.
    pub(crate) is_read: bool,
}

impl Said {
    fn read(content: Content) -> Self {
        Self {
            content,
            is_read: true,
            ..Self::default()
        }
    }

    fn noted(text: Option<&str>, note: &'static str) -> Self {
        Self {
            content: Content {
                text: text.map(String::from),
                ..Content::default()
            },
            note: Some(note),
            ..Self::default()
        }
    }
}

/// Reads the member named like the kind. A kind that is not known, or one without that member, is
/// kept with a note and its fields.
pub(crate) fn read(kind: &str, message: &Value) -> Said {
    let member = message.get(kind).filter(|member| !member.is_null());
    let said = member.and_then(|member| match kind {
        "text" => text(member),
        "image" | "video" | "audio" | "voice" | "document" | "sticker" => media(member),
        "location" => location(member),
        "contacts" => contacts(member),
        "button" => button(member),
        "interactive" => interactive(member),
        "order" => Some(Said::noted(
            fields::text(member, "text"),
            "The person ordered from the catalogue: see order.",
        )),
        "system" => Some(Said::noted(
            fields::text(member, "body"),
            "WhatsApp tells of a change of the person's account.",
        )),
        "edit" => Some(edit(member)),
        "revoke" => Some(revoke(member)),
        _ => None,
    });
    said.unwrap_or_else(|| unreadable(kind))
}

fn unreadable(kind: &str) -> Said {
    Said::noted(
        None,
        match kind {
            "unsupported" => {
                "WhatsApp does not hand this kind of message to businesses: the person's phone shows it."
            }
            _ => "This kind of message is not known: its fields are kept as they came.",
        },
    )
}

fn text(member: &Value) -> Option<Said> {
    // An empty text is one.
    let body = member.get("body")?.as_str()?;
    Some(Said {
        extra: fields::rest(member, &["body"]),
        ..Said::read(Content::text(body))
    })
}

/// The bytes are fetched by id. An URL that some webhooks carry lives for minutes only.
fn media(member: &Value) -> Option<Said> {
    let media = Media {
        source: MediaRef {
            provider_id: Some(fields::id(member, "id")?),
            ..MediaRef::default()
        },
        content_type: fields::text(member, "mime_type").map(String::from),
        name: fields::text(member, "filename").map(String::from),
        size: member.get("file_size").and_then(Value::as_u64),
    };
    let read = ["caption", "file_size", "filename", "id", "mime_type", "url"];
    Some(Said {
        extra: fields::rest(member, &read),
        ..Said::read(Content {
            text: fields::text(member, "caption").map(String::from),
            media: vec![media],
            ..Content::default()
        })
    })
}

fn location(member: &Value) -> Option<Said> {
    let degrees = |field, max: f64| {
        fields::number(member, field).filter(|degrees| (-max..=max).contains(degrees))
    };
    let location = Location {
        latitude: degrees("latitude", 90.0)?,
        longitude: degrees("longitude", 180.0)?,
        label: fields::text(member, "name").map(String::from),
        address: fields::text(member, "address").map(String::from),
    };
    let read = ["address", "latitude", "longitude", "name"];
    Some(Said {
        extra: fields::rest(member, &read),
        ..Said::read(Content {
            location: Some(location),
            ..Content::default()
        })
    })
}

fn contacts(member: &Value) -> Option<Said> {
    let cards = member.as_array()?;
    Some(Said::read(Content {
        contacts: cards.iter().take(CONTACTS_MAX).cloned().collect(),
        ..Content::default()
    }))
}

/// A quick reply of a template. Its text is what the person said.
fn button(member: &Value) -> Option<Said> {
    let [title, id] = ["text", "payload"].map(|field| fields::text(member, field));
    title.or(id)?;
    Some(chosen("button", id, title, Value::Null))
}

fn interactive(member: &Value) -> Option<Said> {
    let kind = fields::text(member, "type")?;
    let reply = member.get(kind)?;
    let of_reply = |field| fields::text(reply, field);
    Some(match kind {
        "button_reply" => chosen("button", of_reply("id"), of_reply("title"), Value::Null),
        "list_reply" => {
            let description = of_reply("description");
            let data = description.map_or(Value::Null, |text| json!({"description": text}));
            chosen("list", of_reply("id"), of_reply("title"), data)
        }
        // The answers of a flow are JSON in a string.
        "nfm_reply" => {
            let answers = of_reply("response_json")
                .map(|text| serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)));
            let answers = answers.unwrap_or_default();
            chosen("flow", of_reply("name"), of_reply("body"), answers)
        }
        other => chosen(other, None, None, reply.clone()),
    })
}

/// A choice. What the person saw is also the text, so that words of consent on buttons count.
fn chosen(kind: &str, id: Option<&str>, title: Option<&str>, data: Value) -> Said {
    Said::read(Content {
        text: title.map(String::from),
        interactive: Some(Interactive {
            kind: kind.into(),
            id: id.map(String::from),
            title: title.map(String::from),
            data,
        }),
        ..Content::default()
    })
}

/// A changed message comes whole, inside the member.
fn edit(member: &Value) -> Said {
    let new = member.get("message").unwrap_or(member);
    let kind = fields::text(new, "type").unwrap_or("text");
    // An edit of an edit does not exist; anything else is as it would be by itself.
    let said = match kind {
        "edit" | "revoke" => unreadable(kind),
        kind => read(kind, new),
    };
    Said {
        answers: fields::text(member, "original_message_id").map(String::from),
        note: Some("The person changed an earlier message: this is its new content."),
        ..said
    }
}

fn revoke(member: &Value) -> Said {
    Said {
        answers: fields::text(member, "original_message_id").map(String::from),
        is_read: true,
        ..Said::noted(None, "The person deleted an earlier message for everybody.")
    }
}
