//! What becomes of a message that came in: its record, and what the followers are told.

use trunkline_plugin_api::InboundMessage;

use super::{
    Reading,
    changes::Change,
    engine::Transaction,
    reactions,
    reading::Reader,
    records::{self, Conversation},
};
use crate::model::{Author, AuthorKind, Direction, Message, OrgId, Status};

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
        event: Some(reader.event),
        request: None,
        created_at_ms: reader.at_ms,
        provider_at_ms: inbound.sent_at_ms,
        previous: None,
        leap: None,
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
