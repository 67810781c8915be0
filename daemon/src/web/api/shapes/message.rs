//! A message, its states and its attachments.

use serde_json::{Value, json};
use trunkline_plugin_api::Media;

use super::{maybe_time, time};
use crate::{
    media,
    model::{
        Direction, Failure, HistoryEntry, MediaHash, MediaRecord, Message, MessageId, MessagePart,
        MessageReaction,
    },
    store::Page,
};

pub(super) fn failure(error: &Failure) -> Value {
    json!({
        "class": error.class,
        "code": error.code,
        "message": error.message,
        "provider_code": error.provider_code,
    })
}

fn history_entry(entry: &HistoryEntry) -> Value {
    json!({
        "status": entry.status,
        "at": time(entry.at_ms),
        "source": entry.source,
        "code": entry.code,
        "detail": entry.detail,
        "part": entry.part,
        "count": entry.count,
    })
}

/// What the provider was given in place of the text; a message that goes as it is has no parts.
fn message_part(part: &MessagePart) -> Value {
    json!({
        "text": part.text,
        "status": part.status,
        "external_id": part.external_id,
        "error": part.error.as_ref().map(failure),
    })
}

fn reaction(reaction: &MessageReaction) -> Value {
    json!({
        "emoji": reaction.emoji,
        "sender": reaction.sender,
        "name": reaction.name,
        "at": time(reaction.at_ms),
    })
}

pub(in crate::web::api) fn message(organization: &str, message: &Message) -> Value {
    let content = &message.content;
    let mut shown = json!({
        "text": content.text,
        "html": content.html,
        "subject": content.subject,
        "media": attachments(message),
    });
    let rest = json!(content);
    for key in [
        "template",
        "location",
        "interactive",
        "contacts",
        "reaction",
    ] {
        if let Some(value) = rest.get(key) {
            shown[key] = value.clone();
        }
    }
    json!({
        "id": message.id.to_string(),
        "organization": organization,
        "thread": message.thread.to_string(),
        "channel": message.channel,
        "medium": message.medium,
        "direction": message.direction,
        "contact": message.contact.to_string(),
        "peer": message.peer,
        "author": message.author,
        "content": shown,
        "parts": message.parts.iter().map(message_part).collect::<Vec<_>>(),
        "external_id": message.external_id,
        "reply_to": message.reply_to,
        "reactions": message.reactions.iter().filter(|one| one.is_shown()).map(reaction).collect::<Vec<_>>(),
        "status": message.status,
        "history": message.history.iter().map(history_entry).collect::<Vec<_>>(),
        "error": message.error.as_ref().map(failure),
        "metadata": message.metadata,
        "webhook_event": message.event.map(|id| id.to_string()),
        "request": message.request,
        "created_at": time(message.created_at_ms),
        "provider_at": maybe_time(message.provider_at_ms),
    })
}

/// Attachments as they are listed. Those that came in are `pending` until they are `stored` or
/// `failed`; a URL that goes out has no state, since nothing is fetched from it here.
fn attachments(message: &Message) -> Vec<Value> {
    let incoming = message.direction == Direction::Inbound;
    let shown = |(index, media): (u32, &Media)| {
        let (source, error) = (&media.source, message.media_failure(index));
        let state = match (&source.sha256, error) {
            (Some(_), _) => Some("stored"),
            (None, Some(_)) => Some("failed"),
            (None, None) => incoming.then_some("pending"),
        };
        let mut shown = json!({
            "state": state,
            "content_type": media.content_type,
            "name": media.name,
            "size": media.size,
            "sha256": source.sha256,
            "href": source.sha256.as_deref().map(media::href),
            "error": error.map(failure),
        });
        if let Some(url) = &source.url {
            shown["url"] = json!(url);
        }
        if let Some(id) = &source.provider_id {
            shown["provider_id"] = json!(id);
        }
        shown
    };
    (0..).zip(&message.content.media).map(shown).collect()
}

/// What is known of a file.
pub(in crate::web::api) fn media_file(hash: &MediaHash, record: &MediaRecord) -> Value {
    let sha256 = hash.to_string();
    json!({
        "size": record.size,
        "content_type": record.content_type,
        "name": record.name,
        "href": media::href(&sha256),
        "sha256": sha256,
    })
}

/// A page of messages of one organization, in the form of every list.
pub(in crate::web::api) fn messages(organization: &str, page: &Page<Message, MessageId>) -> Value {
    let items = page.items.iter().map(|shown| message(organization, shown));
    super::super::paging::list(items.collect(), page.next.map(|id| id.to_string()))
}
