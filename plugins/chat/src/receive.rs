//! A visitor's frame, as the daemon's chat door hands it on: the visitor is proved, the frame is
//! bounded.
//!
//! ```json
//! {"type": "message", "client": "c1", "text": "hello", "name": "Ada", "email": "ada@example.org",
//!  "media": [{"sha256": "...", "content_type": "image/png", "name": "a.png", "size": 812}]}
//! {"type": "delivered", "messages": ["0198..."]}      {"type": "read", "messages": ["0198..."]}
//! ```
//!
//! `client` is the id that the browser gave the message: it sends an unacknowledged one again under
//! the same id. Every id is made one of this visitor's, so that nobody can name another's messages.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use trunkline_plugin_api::{
    Content, Event, Front, Identity, InboundMessage, Media, MediaRef, Received, ReportedStatus,
    Response, Sender, StatusReport, Verdict, WebhookRequest,
};

use crate::SPACE;

/// The longest id that is taken, in bytes.
const ID_BYTES_MAX: usize = 128;
/// Marks in one frame.
const MARKS_MAX: usize = 200;
/// Attachments of one message.
const MEDIA_MAX: usize = 10;

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Frame {
    Message(Written),
    Delivered { messages: Vec<String> },
    Read { messages: Vec<String> },
}

/// What a visitor wrote.
#[derive(Deserialize)]
struct Written {
    client: String,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    media: Vec<Upload>,
}

/// A file that the door has taken already.
#[derive(Deserialize)]
struct Upload {
    sha256: String,
    #[serde(default)]
    content_type: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    size: Option<u64>,
}

/// Reads one frame. Whatever does not come by the chat door is nobody's.
pub(crate) fn receive(request: &WebhookRequest) -> Received {
    if request.method != Front::Chat.method() {
        let reason = "visitors come by the chat page; there is no webhook";
        return Received::refused(Verdict::NoSecret, 404, reason);
    }
    let visitor = request.header("x-chat-visitor").unwrap_or_default();
    if !is_id(visitor) {
        return Received::refused(Verdict::Unsigned, 401, "the frame names no visitor");
    }
    match read(visitor, &request.body) {
        Ok((answer, events)) => {
            let body = answer.to_string();
            let response = Response::with_body(200, "application/json", body);
            Received::authentic(response, events)
        }
        Err(why) => Received::unparsed(Response::status(200), why),
    }
}

/// The answer, which names a message by the id that it is stored under, and the events.
fn read(visitor: &str, body: &[u8]) -> Result<(Value, Vec<Event>), String> {
    let frame: Frame =
        serde_json::from_slice(body).map_err(|error| format!("the frame is wrong: {error}"))?;
    match frame {
        Frame::Message(written) => {
            let message = message(visitor, written)?;
            Ok((json!({"id": message.id}), vec![Event::Message(message)]))
        }
        Frame::Delivered { messages } => marks(visitor, &messages, ReportedStatus::Delivered),
        Frame::Read { messages } => marks(visitor, &messages, ReportedStatus::Read),
    }
}

fn message(visitor: &str, written: Written) -> Result<InboundMessage, String> {
    if !is_id(&written.client) {
        return Err("the message has no client id".into());
    }
    if written.media.len() > MEDIA_MAX {
        return Err(format!("more than {MEDIA_MAX} attachments"));
    }
    let text = written.text.filter(|text| !text.is_empty());
    let media = written.media.into_iter().map(attachment);
    let content = Content {
        text,
        media: media.collect::<Result<_, _>>()?,
        ..Content::default()
    };
    if content.is_empty() {
        return Err("the message is empty".into());
    }
    // An address that the visitor claims is no identity: nobody has proved that it is theirs.
    let mut metadata = Map::new();
    metadata.insert("client".into(), written.client.clone().into());
    if let Some(email) = written.email.filter(|email| !email.is_empty()) {
        metadata.insert("email".into(), email.into());
    }
    Ok(InboundMessage {
        id: scoped(visitor, &written.client),
        sender: Sender {
            identity: Identity::new(SPACE, visitor),
            name: written.name.filter(|name| !name.trim().is_empty()),
            ..Sender::default()
        },
        content,
        metadata,
        ..InboundMessage::default()
    })
}

fn attachment(upload: Upload) -> Result<Media, String> {
    let is_digest = upload.sha256.len() == 64
        && upload
            .sha256
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    if !is_digest {
        return Err("an attachment is not named by its SHA-256".into());
    }
    Ok(Media {
        source: MediaRef {
            sha256: Some(upload.sha256),
            ..MediaRef::default()
        },
        content_type: upload.content_type,
        name: upload.name,
        size: upload.size,
    })
}

fn marks(
    visitor: &str,
    messages: &[String],
    status: ReportedStatus,
) -> Result<(Value, Vec<Event>), String> {
    if messages.len() > MARKS_MAX {
        return Err(format!("more than {MARKS_MAX} marks"));
    }
    if messages.iter().any(|id| !is_id(id)) {
        return Err("a mark does not name a message".into());
    }
    let report = |id: &String| {
        Event::Status(StatusReport {
            external_id: scoped(visitor, id),
            address: None,
            reference: None,
            status,
            code: None,
            detail: None,
            error: None,
            at_ms: None,
        })
    };
    Ok((json!({}), messages.iter().map(report).collect()))
}

/// An id that is this visitor's alone.
pub(crate) fn scoped(visitor: &str, id: &str) -> String {
    format!("{visitor}:{id}")
}

fn is_id(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_part)
}
