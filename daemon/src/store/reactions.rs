//! Reactions: put on the message that they are about, in the transaction of their webhook.
//!
//! A reaction whose message is not known here (sent by another system with the same number, or so old that its
//! mark has ended) is kept as a message of its own in the person's thread. Either way its id is marked, as a
//! message's is, so that a repeated webhook changes nothing.

use trunkline_plugin_api::{Content, InboundMessage, Reaction, ReactionCall};

use super::{
    changes::Change,
    engine::{StoreError, Transaction},
    inbound::ChannelRef,
    keys, records,
};
use crate::model::{Message, MessageReaction, Millis, OrgId, react};

/// What became of a reaction.
pub(super) enum Reacted {
    /// It was here already.
    Repeated,
    /// It is on its message.
    Applied,
    /// Nobody knows its message.
    Unknown(Box<Reaction>),
}

/// Applies a reaction to its message.
pub(super) fn apply(
    tx: &mut Transaction<'_>,
    channel: &ChannelRef,
    reaction: Reaction,
    at_ms: Millis,
) -> Result<Reacted, StoreError> {
    let org = channel.org;
    if records::find_external(tx, org, &channel.id, &reaction.id)?.is_some() {
        return Ok(Reacted::Repeated);
    }
    let Some(id) = records::find_external(tx, org, &channel.id, &reaction.target)? else {
        return Ok(Reacted::Unknown(Box::new(reaction)));
    };
    let Some(mut message) = records::find_message(tx, org, id)? else {
        return Ok(Reacted::Unknown(Box::new(reaction)));
    };
    let new = MessageReaction {
        sender: reaction.sender.identity,
        name: reaction.sender.name,
        emoji: reaction.emoji,
        at_ms: reaction.sent_at_ms.unwrap_or(at_ms),
    };
    if react(&mut message.reactions, new, &reaction.sender.also) {
        records::save_message(tx, org, &message)?;
        note(tx, org, &message);
    }
    // The mark is a locator too: of the message that the reaction is on.
    let mark = keys::external(org, &channel.id, &reaction.id);
    tx.insert(mark, id.as_bytes());
    Ok(Reacted::Applied)
}

/// The message that stands for a reaction to something unknown.
pub(super) fn as_message(reaction: Reaction) -> InboundMessage {
    InboundMessage {
        id: reaction.id,
        address: reaction.address,
        sender: reaction.sender,
        content: Content {
            reaction: Some(ReactionCall {
                target: reaction.target,
                emoji: reaction.emoji,
            }),
            ..Content::default()
        },
        sent_at_ms: reaction.sent_at_ms,
        ..InboundMessage::default()
    }
}

/// Notes for the followers that a message has other reactions, or is one itself.
pub(super) fn note(tx: &mut Transaction<'_>, org: OrgId, message: &Message) {
    let change = Change::Reaction {
        org,
        channel: message.channel.clone(),
        thread: message.thread,
        message: message.id,
    };
    records::note(tx, &change);
}
