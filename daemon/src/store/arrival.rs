//! What becomes of one thing that came in: its record, what the followers are told, how much of it is
//! kept.

use trunkline_plugin_api::InboundMessage;

use super::{
    Reading,
    changes::Change,
    codec,
    engine::{StoreError, Transaction},
    keys, reactions,
    reading::Reader,
    records::{self, Conversation},
};
use crate::model::{Author, AuthorKind, Direction, Message, OrgId, Outcome, Status, WebhookEvent};

/// Bytes of a message's record; the engine takes a little more.
const MESSAGE_BYTES_MAX: usize = 100 * 1024;
/// Bytes of text kept of a message that is larger.
const TEXT_BYTES_KEPT: usize = 32 * 1024;
/// Attachments kept of a message that is larger.
const MEDIA_KEPT: usize = 10;

/// A message that came in, without its place yet.
pub(super) fn received(
    reader: &Reader<'_>,
    conversation: &Conversation,
    inbound: InboundMessage,
) -> Message {
    Message {
        id: records::UNPLACED,
        thread: conversation.thread.id,
        seq: 0,
        channel: reader.channel.id.clone(),
        medium: reader.channel.medium,
        direction: Direction::Inbound,
        contact: conversation.contact,
        peer: inbound.sender.identity,
        author: Author {
            kind: AuthorKind::Contact,
            name: inbound.sender.name,
        },
        content: inbound.content,
        media_failures: Vec::new(),
        external_id: Some(inbound.id),
        parts: Vec::new(),
        reactions: Vec::new(),
        reply_to: inbound.reply_to,
        status: Status::Received,
        history: Vec::new(),
        error: None,
        metadata: inbound.metadata,
        created_at_ms: reader.at_ms,
        provider_at_ms: inbound.sent_at_ms,
    }
}

/// Tells the followers. What is over a limit belongs to no turn, nor does a canary, a reaction, or what a
/// machine wrote.
pub(super) fn note_new(
    tx: &mut Transaction<'_>,
    org: OrgId,
    message: &Message,
    reading: Option<&Reading>,
) {
    let channel = message.channel.clone();
    let (thread, id) = (message.thread, message.id);
    if message.content.reaction.is_some() {
        reactions::note(tx, org, message);
        return;
    }
    let change = if reading.is_some_and(|reading| reading.canary.is_some()) {
        Change::Canary {
            org,
            channel,
            thread,
            message: id,
        }
    } else if reading.is_some_and(|reading| reading.automatic) {
        Change::Automatic {
            org,
            channel,
            thread,
            message: id,
        }
    } else if reading.is_some_and(|reading| reading.limited) {
        Change::Limited {
            org,
            channel,
            thread,
            message: id,
        }
    } else {
        Change::Received {
            org,
            channel,
            thread,
            seq: message.seq,
            message: id,
            at_ms: message.created_at_ms,
        }
    };
    records::note(tx, &change);
}

/// Cuts a message that is too large for one record: its text keeps its beginning, the whole stays
/// with the webhook event's raw body.
pub(super) fn fit(message: &mut Message) {
    let len = codec::encode(message).len();
    if len <= MESSAGE_BYTES_MAX {
        return;
    }
    let content = &mut message.content;
    content.html = None;
    content.contacts.clear();
    content.media.truncate(MEDIA_KEPT);
    for text in [&mut content.text, &mut content.subject]
        .into_iter()
        .flatten()
    {
        let mut ends = (0..=TEXT_BYTES_KEPT.min(text.len())).rev();
        let kept = ends.find(|at| text.is_char_boundary(*at));
        text.truncate(kept.unwrap_or(0));
    }
    message.metadata.clear();
    message.metadata.insert("cut_from_bytes".into(), len.into());
}

/// Lists the webhook; one that waits for a replay is marked, one that was replayed no longer is.
pub(super) fn write_event(
    tx: &mut Transaction<'_>,
    org: OrgId,
    record: &WebhookEvent,
    is_replay: bool,
) -> Result<(), StoreError> {
    let key = keys::event(org, &record.channel, record.id);
    let mark = keys::pending(org, &record.channel, record.id);
    if is_replay {
        tx.replace(&key, codec::encode(record));
        tx.delete(&mark)?;
        return Ok(());
    }
    tx.insert(&key, codec::encode(record));
    if record.outcome == Outcome::Pending {
        tx.insert(&mark, []);
        records::note(
            tx,
            &Change::Pending {
                org,
                channel: record.channel.clone(),
                event: record.id,
            },
        );
    }
    Ok(())
}
