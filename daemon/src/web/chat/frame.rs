//! Frames between the page and the daemon: parsed and bounded at the border, built in one place.
//!
//! ```text
//! page ──> hello, message, delivered, read, typing, beat
//! page <── ready, message, accepted, read, typing, caught_up, refused, beat
//! ```

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::refusal::Refusal;
use crate::model::{Direction, Message, PartRef};

/// Bytes of a frame.
pub(super) const FRAME_BYTES_MAX: usize = 64 * 1024;
/// Bytes of what a visitor writes at once.
pub(super) const TEXT_BYTES_MAX: usize = 16 * 1024;
/// Characters of a name.
const NAME_CHARS_MAX: usize = 100;
/// Characters of an e-mail address.
const EMAIL_CHARS_MAX: usize = 254;
/// Bytes of the id that the page gives a message.
const CLIENT_BYTES_MAX: usize = 64;
/// Marks in one frame.
const MARKS_MAX: usize = 200;
/// Attachments of one message.
const MEDIA_MAX: usize = 10;

/// What a page says.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ClientFrame {
    /// Who it is, and the last message that it has; the first frame of a WebSocket.
    Hello {
        /// The visitor's token.
        token: String,
        /// The id of the last message that the page has.
        #[serde(default)]
        after: Option<String>,
    },
    /// The visitor wrote.
    Message(Written),
    /// These messages of ours reached the page.
    Delivered {
        /// Their ids.
        messages: Vec<String>,
    },
    /// These were seen.
    Read {
        /// Their ids.
        messages: Vec<String>,
    },
    /// The visitor writes, or has stopped.
    Typing {
        /// Which of the two.
        on: bool,
    },
    /// The page lives.
    Beat,
}

/// What a visitor wrote.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
pub(super) struct Written {
    /// The page's id of the message.
    pub(super) client: String,
    /// The text, byte for byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<String>,
    /// The name that the visitor gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    /// The address that the visitor gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) email: Option<String>,
    /// Files that were uploaded before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) media: Vec<Attached>,
}

/// A file that was uploaded before.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(super) struct Attached {
    /// SHA-256 of its bytes, lower-case hex.
    pub(super) sha256: String,
    /// The door's word that this visitor uploaded it; the adapter needs none.
    #[serde(default, skip_serializing)]
    pub(super) proof: String,
    /// MIME type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) content_type: Option<String>,
    /// Name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    /// Bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) size: Option<u64>,
}

impl ClientFrame {
    /// Reads a frame.
    pub(super) fn parse(text: &[u8]) -> Result<Self, Refusal> {
        if text.len() > FRAME_BYTES_MAX {
            return Err(Refusal::invalid("the frame is too large"));
        }
        let frame: Self =
            serde_json::from_slice(text).map_err(|_| Refusal::invalid("the frame is not one"))?;
        match &frame {
            Self::Delivered { messages } | Self::Read { messages }
                if messages.len() > MARKS_MAX =>
            {
                Err(Refusal::invalid("too many marks at once"))
            }
            _ => Ok(frame),
        }
    }
}

impl Written {
    /// Checks what does not depend on who writes, and leaves out what says nothing.
    pub(super) fn check(&mut self) -> Result<(), Refusal> {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let client = self.client.as_bytes();
        if !(1..=CLIENT_BYTES_MAX).contains(&client.len()) || !client.iter().copied().all(is_part) {
            return Err(Refusal::invalid("the message has no id of its own"));
        }
        let text = self.text.as_deref().unwrap_or_default();
        if text.trim().is_empty() && self.media.is_empty() {
            return Err(Refusal::invalid("the message is empty"));
        }
        if text.len() > TEXT_BYTES_MAX {
            return Err(Refusal::invalid("the message is too long"));
        }
        if self.media.len() > MEDIA_MAX {
            return Err(Refusal::invalid("too many attachments"));
        }
        tidy(&mut self.name, NAME_CHARS_MAX)
            .map_err(|()| Refusal::invalid("the name is too long"))?;
        tidy(&mut self.email, EMAIL_CHARS_MAX)
            .map_err(|()| Refusal::invalid("the e-mail address is too long"))?;
        match &self.email {
            Some(email) if !email.contains('@') => {
                Err(Refusal::invalid("that is not an e-mail address"))
            }
            _ => Ok(()),
        }
    }
}

/// One line without blanks around it; nothing where nothing is left.
fn tidy(field: &mut Option<String>, chars_max: usize) -> Result<(), ()> {
    let Some(text) = field.take() else {
        return Ok(());
    };
    if text.chars().count() > chars_max {
        return Err(());
    }
    let line: String = text.chars().filter(|c| !c.is_control()).collect();
    let line = line.trim();
    *field = (!line.is_empty()).then(|| line.to_owned());
    Ok(())
}

/// What the page shows of a stored message; several frames where it was split, none where it has
/// nothing that has gone out yet. `link` gives the address of a file of ours.
pub(super) fn of_message(
    message: &Message,
    is_read: bool,
    link: impl Fn(&str) -> Option<String>,
) -> Vec<Value> {
    match message.direction {
        Direction::Inbound => vec![inbound(message, is_read, link)],
        Direction::Outbound => outbound(message, link),
    }
}

fn inbound(message: &Message, is_read: bool, link: impl Fn(&str) -> Option<String>) -> Value {
    let client = message.metadata.get("client").cloned();
    let state = if is_read { "read" } else { "sent" };
    let mut frame = begin(&message.id.to_string(), "in", message);
    frame.insert("client".into(), client.unwrap_or_default());
    frame.insert("state".into(), state.into());
    content(&mut frame, message.content.text.as_deref(), message, link);
    Value::Object(frame)
}

fn outbound(message: &Message, link: impl Fn(&str) -> Option<String>) -> Vec<Value> {
    let split = message.parts.len() > 1;
    if !split {
        if !message.status.is_with_provider() {
            return Vec::new();
        }
        let mut frame = begin(&message.id.to_string(), "out", message);
        let part = message.parts.first().map(|part| part.text.as_str());
        let text = part.or(message.content.text.as_deref());
        content(&mut frame, text, message, link);
        frame.insert("state".into(), message.status.as_str().into());
        return vec![Value::Object(frame)];
    }
    let parts = message.parts.iter().enumerate();
    let sent = parts.filter(|(_, part)| part.status.is_with_provider());
    sent.map(|(index, part)| {
        let reference = PartRef {
            message: message.id,
            part: index,
            split,
        };
        let mut frame = begin(&reference.to_string(), "out", message);
        frame.insert("text".into(), part.text.as_str().into());
        frame.insert("state".into(), part.status.as_str().into());
        Value::Object(frame)
    })
    .collect()
}

fn begin(id: &str, direction: &str, message: &Message) -> Map<String, Value> {
    let mut frame = Map::new();
    frame.insert("type".into(), "message".into());
    frame.insert("id".into(), id.into());
    frame.insert("direction".into(), direction.into());
    frame.insert("at".into(), message.created_at_ms.into());
    frame
}

fn content(
    frame: &mut Map<String, Value>,
    text: Option<&str>,
    message: &Message,
    link: impl Fn(&str) -> Option<String>,
) {
    if let Some(text) = text {
        frame.insert("text".into(), text.into());
    }
    let media = message.content.media.iter().map(|media| {
        let file = media.source.sha256.as_deref().and_then(&link);
        // What a provider or a visitor calls an address is not one to be followed.
        let public = media.source.url.clone();
        let url = file.or(public.filter(|_| message.direction == Direction::Outbound));
        json!({
            "url": url,
            "name": media.name,
            "content_type": media.content_type,
            "size": media.size,
        })
    });
    let media: Vec<Value> = media.collect();
    if !media.is_empty() {
        frame.insert("media".into(), media.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(json: Value) -> Result<Written, Refusal> {
        let mut written: Written = serde_json::from_value(json).unwrap();
        written.check().map(|()| written)
    }

    #[test]
    fn what_a_visitor_writes_is_kept_and_what_they_say_of_themselves_is_tidied() {
        let taken = written(
            json!({"client": "a-1_B", "text": " hi \n", "name": " Ada\r\n ", "email": " a@b "}),
        )
        .unwrap();
        assert_eq!(taken.text.as_deref(), Some(" hi \n"));
        assert_eq!(taken.name.as_deref(), Some("Ada"));
        assert_eq!(taken.email.as_deref(), Some("a@b"));
        let blank = written(json!({"client": "c", "text": "x", "name": " ", "email": ""})).unwrap();
        assert_eq!((blank.name, blank.email), (None, None));
    }

    #[test]
    fn everything_is_bounded() {
        for (frame, words) in [
            (json!({"client": "", "text": "x"}), "no id"),
            (json!({"client": "a b", "text": "x"}), "no id"),
            (json!({"client": "a:b", "text": "x"}), "no id"),
            (json!({"client": "c".repeat(65), "text": "x"}), "no id"),
            (json!({"client": "c", "text": " \n"}), "empty"),
            (json!({"client": "c"}), "empty"),
            (
                json!({"client": "c", "text": "x".repeat(TEXT_BYTES_MAX + 1)}),
                "too long",
            ),
            (
                json!({"client": "c", "text": "x", "name": "n".repeat(101)}),
                "name is too long",
            ),
            (
                json!({"client": "c", "text": "x", "email": "nobody"}),
                "not an e-mail",
            ),
            (
                json!({"client": "c", "media": vec![json!({"sha256": "a"}); 11]}),
                "attachments",
            ),
        ] {
            let refusal = written(frame.clone()).unwrap_err();
            assert!(refusal.words.contains(words), "{frame}: {}", refusal.words);
        }
        let many = json!({"type": "read", "messages": vec!["m"; 201]}).to_string();
        assert!(ClientFrame::parse(many.as_bytes()).is_err());
        assert!(ClientFrame::parse(b"{}").is_err());
        assert!(ClientFrame::parse(&[0xff, 0xfe]).is_err());
        assert!(ClientFrame::parse(" ".repeat(FRAME_BYTES_MAX + 1).as_bytes()).is_err());
    }
}
