//! What the gateway itself reads in a message beside its content: a limit passed, a word of
//! consent, a command. Its effects are part of the commit that stores the message.

use serde_json::Map;
use trunkline_plugin_api::{ConsentChange, Content, Identity};

use super::{
    Accepted, ChannelRef, Charge, NewMessage, NewOutbound, Store, ThreadUpdate, codec, consent,
    engine::{StoreError, Transaction},
    keys,
    records::{ClosedPolicy, load},
    windows::ReadWindow,
};
use crate::model::{
    Author, AuthorKind, ChannelId, ConsentProof, ConsentSource, EventId, Message, Millis, Priority,
    Thread, ThreadState,
};

/// In the metadata of a message that a machine wrote, in or out.
pub const AUTO_REPLY: &str = "auto_reply";

/// What was read in one message. Most messages have none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// True where the message is over a limit.
    pub limited: bool,
    /// True where a machine wrote it: it belongs to no turn, and nothing answers it.
    pub automatic: bool,
    /// What marks a message of our own that came back: it belongs to no turn.
    pub canary: Option<String>,
    /// The word of consent that it is.
    pub keyword: Option<ReadKeyword>,
    /// The command that it is.
    pub command: Option<ReadCommand>,
    /// Whose reply window it opens, on channels that have one.
    pub window: Option<ReadWindow>,
}

/// A word of consent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadKeyword {
    /// What the person wants.
    pub change: ConsentChange,
    /// The word as it was written.
    pub written: String,
    /// Who wrote it, by every identity that the provider vouches for; the first is the sender's.
    pub identities: Vec<Identity>,
    /// When, as the provider says.
    pub sent_at_ms: Option<Millis>,
    /// What is answered, once.
    pub reply: Option<String>,
}

/// A command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadCommand {
    /// As configured.
    pub name: String,
    /// What becomes of the conversation.
    pub thread: Option<ThreadUpdate>,
    /// What is answered.
    pub reply: Option<String>,
}

/// Where a reading's effects belong.
pub(super) struct Reader<'a> {
    pub(super) channel: &'a ChannelRef,
    pub(super) event: EventId,
    pub(super) policy: ClosedPolicy,
    /// Whether a provider vouched for the sender's address.
    pub(super) verified: bool,
    pub(super) at_ms: Millis,
}

impl Reading {
    /// Marks a message, and its conversation, before they are stored.
    pub(super) fn mark(&self, message: &mut Message, thread: &mut Thread) {
        if self.limited {
            message.metadata.insert("limited".into(), true.into());
        }
        if let Some(token) = &self.canary {
            message
                .metadata
                .insert("canary".into(), token.clone().into());
        }
        let Some(command) = &self.command else {
            return;
        };
        let name = command.name.as_str();
        message.metadata.insert("command".into(), name.into());
        // What ends the conversation does so after the answer.
        if let Some(update) = command.thread.filter(|update| !update.ends()) {
            update.apply(thread);
        }
    }
}

impl ThreadUpdate {
    fn ends(self) -> bool {
        self == Self::Close
    }

    /// Does it.
    pub(super) fn apply(self, thread: &mut Thread) {
        match self {
            Self::TakeOver => thread.needs_human = true,
            Self::Release => thread.needs_human = false,
            Self::Close => thread.state = ThreadState::Closed,
        }
    }
}

impl Store {
    /// What follows from a new message's reading. Gives the channel that an answer was queued on.
    pub(super) fn follow_reading(
        &self,
        tx: &mut Transaction<'_>,
        reader: &Reader<'_>,
        new: &NewMessage,
        to: &Identity,
        reading: Reading,
    ) -> Result<Option<ChannelId>, StoreError> {
        let org = reader.channel.org;
        let limited = reading.limited;
        let (mut reply, mut answers_keyword) = (None, false);
        if let Some(keyword) = reading.keyword
            && Self::take_keyword(tx, reader, new, &keyword)?
        {
            // Who wrote before a restore was answered by the store that was there then.
            let is_new = !self.came_before_restore(keyword.sent_at_ms);
            reply = keyword.reply.filter(|_| is_new);
            answers_keyword = reply.is_some();
        }
        let released = match &reading.window {
            Some(window) => self.hear_window(tx, org, window, reader.at_ms)?,
            None => false,
        };
        let mut end = None;
        if let Some(command) = reading.command {
            end = command.thread.filter(|update| update.ends());
            reply = reply.or(command.reply);
        }
        let queued = match reply.filter(|_| !limited) {
            Some(text) => self.answer(tx, reader, to.clone(), text, answers_keyword)?,
            None => None,
        };
        if let Some(end) = end {
            let key = keys::thread(org, new.thread);
            if let Some(mut thread) = load::<Thread>(tx, &key)? {
                end.apply(&mut thread);
                tx.replace(&key, codec::encode(&thread));
            }
        }
        // What was released goes by the same channel, whose outbox is told once.
        Ok(queued.or_else(|| released.then(|| reader.channel.id.clone())))
    }

    /// Records a word of consent. True where it is to be answered: it changed something, or asked
    /// for help. A word that opts in is one only where the person has opted out.
    fn take_keyword(
        tx: &mut Transaction<'_>,
        reader: &Reader<'_>,
        new: &NewMessage,
        keyword: &ReadKeyword,
    ) -> Result<bool, StoreError> {
        let org = reader.channel.org;
        let scope = consent::scope_of(tx, org, &reader.channel.id)?;
        let mut answered = false;
        for identity in &keyword.identities {
            let was_out = consent::forbidden_for(tx, org, &scope, identity)?.is_some();
            if keyword.change == ConsentChange::OptIn && !was_out {
                continue;
            }
            let proof = ConsentProof {
                provider_at_ms: keyword.sent_at_ms,
                channel: Some(reader.channel.id.clone()),
                message: Some(new.id),
                event: Some(reader.event),
                keyword: Some(keyword.written.clone()),
                ..ConsentProof::new(reader.at_ms, keyword.change, ConsentSource::Keyword)
            };
            consent::record(tx, org, identity, &scope, proof)?;
            let is_out = consent::forbidden_for(tx, org, &scope, identity)?.is_some();
            answered |= keyword.change == ConsentChange::Help || was_out != is_out;
        }
        Ok(answered)
    }

    fn answer(
        &self,
        tx: &mut Transaction<'_>,
        reader: &Reader<'_>,
        to: Identity,
        text: String,
        answers_keyword: bool,
    ) -> Result<Option<ChannelId>, StoreError> {
        let new = NewOutbound {
            channel: reader.channel.clone(),
            to,
            content: Content::text(text),
            parts: Vec::new(),
            author: Author {
                kind: AuthorKind::System,
                name: None,
            },
            reply_to: None,
            priority: Priority::Reply,
            send_at_ms: None,
            metadata: Map::from_iter([(AUTO_REPLY.to_owned(), true.into())]),
            request: Some(reader.event.to_string()),
            idempotency: None,
            policy: reader.policy,
            charge: Charge::default(),
        };
        let accepted = self.plan_accept(tx, new, reader.at_ms, answers_keyword)?;
        let queued = matches!(accepted, Accepted::New { .. });
        Ok(queued.then(|| reader.channel.id.clone()))
    }
}
