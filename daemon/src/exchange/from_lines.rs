//! From lines to what is kept.

use trunkline_plugin_api::Identity;

use super::lines::{
    ApartLine, ConsentLine, ContactLine, HistoryLine, IdentityLine, MediaLine, MergedLine,
    MessageLine, PartLine, ProofLine, ReactionLine, ThreadLine,
};
use crate::{
    model::{
        Apart, ConsentEntry, ConsentProof, Contact, ContactIdentity, HistoryEntry, MediaRecord,
        Merged, Message, MessagePart, MessageReaction, Thread,
    },
    store::ImportedContact,
};

/// A contact.
pub(super) fn contact(line: ContactLine) -> ImportedContact {
    let homes = line.identities.iter().map(|known| known.home).collect();
    let identity = |known: IdentityLine| ContactIdentity {
        identity: Identity::new(known.space, known.identifier),
        primary: known.primary,
        verified_at_ms: known.verified_at.map(|at| at.0),
    };
    let merged = |merged: MergedLine| Merged {
        contact: merged.contact,
        at_ms: merged.at.0,
        from: merged.from,
        by: merged.by,
        closed_thread: merged.closed_thread,
    };
    let apart = |apart: ApartLine| Apart {
        other: apart.other,
        from: apart.from,
        to: apart.to,
        identities: apart.identities,
        went: apart.went,
    };
    let contact = Contact {
        id: line.id,
        name: line.name,
        identities: line.identities.into_iter().map(identity).collect(),
        thread: line.thread,
        created_at_ms: line.created_at.0,
        merged_into: line.merged_into,
        merged: line.merged.into_iter().map(merged).collect(),
        apart: line.apart.into_iter().map(apart).collect(),
    };
    ImportedContact { contact, homes }
}

/// A conversation without messages: they come one by one.
pub(super) fn thread(line: ThreadLine) -> Thread {
    Thread {
        id: line.id,
        contact: line.contact,
        state: line.state,
        needs_human: line.needs_human,
        last_seq: 0,
        last: None,
        leap: None,
        stragglers: Vec::new(),
        last_channel: line.last_channel,
        created_at_ms: line.created_at.0,
        updated_at_ms: line.updated_at.0,
    }
}

/// A file.
pub(super) fn media(line: MediaLine) -> MediaRecord {
    MediaRecord {
        size: line.size,
        content_type: line.content_type,
        name: line.name,
        stored_at_ms: line.stored_at.0,
        references: line.references,
    }
}

/// A message.
pub(super) fn message(line: MessageLine) -> Message {
    let part = |part: PartLine| MessagePart {
        text: part.text,
        status: part.status,
        external_id: part.external_id,
        error: part.error,
    };
    let reaction = |reaction: ReactionLine| MessageReaction {
        sender: reaction.sender,
        name: reaction.name,
        emoji: reaction.emoji,
        at_ms: reaction.at.0,
    };
    let entry = |entry: HistoryLine| HistoryEntry {
        status: entry.status,
        at_ms: entry.at.0,
        source: entry.source,
        code: entry.code,
        detail: entry.detail,
        part: entry.part,
        count: entry.count,
    };
    Message {
        id: line.id,
        thread: line.thread,
        seq: line.id.place().seq,
        channel: line.channel,
        medium: line.medium,
        direction: line.direction,
        contact: line.contact,
        peer: line.peer,
        author: line.author,
        content: line.content,
        media_failures: line.media_failures,
        external_id: line.external_id,
        parts: line.parts.into_iter().map(part).collect(),
        reply_to: line.reply_to,
        reactions: line.reactions.into_iter().map(reaction).collect(),
        status: line.status,
        history: line.history.into_iter().map(entry).collect(),
        error: line.error,
        metadata: line.metadata,
        event: None,
        request: None,
        created_at_ms: line.created_at.0,
        provider_at_ms: line.provider_at.map(|at| at.0),
        previous: None,
        leap: None,
    }
}

/// An entry of the ledger of consent.
pub(super) fn consent(line: ConsentLine) -> ConsentEntry {
    let proof = |proof: ProofLine| ConsentProof {
        at_ms: proof.at.0,
        provider_at_ms: proof.provider_at.map(|at| at.0),
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
    ConsentEntry {
        identity: Identity::new(line.space, line.identifier),
        scope: line.scope,
        state: line.state,
        since_ms: line.since.0,
        history: line.history.into_iter().map(proof).collect(),
        dropped: line.dropped,
    }
}
