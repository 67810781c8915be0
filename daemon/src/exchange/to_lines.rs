//! From what is kept to lines.

use super::lines::{
    ApartLine, ConsentLine, ContactLine, HistoryLine, IdentityLine, MediaLine, MergedLine,
    MessageLine, PartLine, ProofLine, ReactionLine, ThreadLine, Time,
};
use crate::model::{
    ConsentEntry, ConsentProof, Contact, ContactId, ContactIdentity, HistoryEntry, MediaHash,
    MediaRecord, Message, MessagePart, MessageReaction, Thread,
};

/// A contact. `home_of` knows the contact that an address came with, where that is another.
pub(super) fn contact(
    organization: &str,
    contact: Contact,
    home_of: impl Fn(&ContactIdentity) -> Option<ContactId>,
) -> ContactLine {
    let identity = |known: ContactIdentity| IdentityLine {
        home: home_of(&known),
        space: known.identity.space,
        identifier: known.identity.identifier,
        primary: known.primary,
        verified_at: known.verified_at_ms.map(Time),
    };
    let merged = contact.merged.into_iter().map(|merged| MergedLine {
        contact: merged.contact,
        at: Time(merged.at_ms),
        from: merged.from,
        by: merged.by,
        closed_thread: merged.closed_thread,
    });
    let apart = contact.apart.into_iter().map(|apart| ApartLine {
        other: apart.other,
        from: apart.from,
        to: apart.to,
        identities: apart.identities,
        went: apart.went,
    });
    ContactLine {
        organization: organization.to_owned(),
        id: contact.id,
        name: contact.name,
        identities: contact.identities.into_iter().map(identity).collect(),
        thread: contact.thread,
        created_at: Time(contact.created_at_ms),
        merged_into: contact.merged_into,
        merged: merged.collect(),
        apart: apart.collect(),
    }
}

/// A conversation.
pub(super) fn thread(organization: &str, thread: Thread) -> ThreadLine {
    ThreadLine {
        organization: organization.to_owned(),
        id: thread.id,
        contact: thread.contact,
        state: thread.state,
        needs_human: thread.needs_human,
        last_channel: thread.last_channel,
        created_at: Time(thread.created_at_ms),
        updated_at: Time(thread.updated_at_ms),
    }
}

/// A file.
pub(super) fn media(organization: &str, hash: &MediaHash, record: MediaRecord) -> MediaLine {
    MediaLine {
        organization: organization.to_owned(),
        sha256: hash.to_string(),
        size: record.size,
        content_type: record.content_type,
        name: record.name,
        stored_at: Time(record.stored_at_ms),
        references: record.references,
    }
}

/// A message.
pub(super) fn message(organization: &str, message: Message) -> MessageLine {
    let part = |part: MessagePart| PartLine {
        text: part.text,
        status: part.status,
        external_id: part.external_id,
        error: part.error,
    };
    let reaction = |reaction: MessageReaction| ReactionLine {
        sender: reaction.sender,
        name: reaction.name,
        emoji: reaction.emoji,
        at: Time(reaction.at_ms),
    };
    let entry = |entry: HistoryEntry| HistoryLine {
        status: entry.status,
        at: Time(entry.at_ms),
        source: entry.source,
        code: entry.code,
        detail: entry.detail,
        part: entry.part,
        count: entry.count,
    };
    MessageLine {
        organization: organization.to_owned(),
        id: message.id,
        thread: message.thread,
        channel: message.channel,
        medium: message.medium,
        direction: message.direction,
        contact: message.contact,
        peer: message.peer,
        author: message.author,
        content: message.content,
        media_failures: message.media_failures,
        parts: message.parts.into_iter().map(part).collect(),
        external_id: message.external_id,
        reply_to: message.reply_to,
        reactions: message.reactions.into_iter().map(reaction).collect(),
        status: message.status,
        history: message.history.into_iter().map(entry).collect(),
        error: message.error,
        metadata: message.metadata,
        created_at: Time(message.created_at_ms),
        provider_at: message.provider_at_ms.map(Time),
    }
}

/// An entry of the ledger of consent.
pub(super) fn consent(organization: &str, entry: ConsentEntry) -> ConsentLine {
    let proof = |proof: ConsentProof| ProofLine {
        at: Time(proof.at_ms),
        provider_at: proof.provider_at_ms.map(Time),
        change: proof.change,
        source: proof.source,
        channel: proof.channel,
        message: proof.message,
        event: proof.event,
        reference: proof.reference,
        keyword: proof.keyword,
        by: proof.by,
        reason: proof.reason,
    };
    ConsentLine {
        organization: organization.to_owned(),
        space: entry.identity.space,
        identifier: entry.identity.identifier,
        scope: entry.scope,
        state: entry.state,
        since: Time(entry.since_ms),
        history: entry.history.into_iter().map(proof).collect(),
        dropped: entry.dropped,
    }
}
