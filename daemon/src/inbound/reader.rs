//! Reads in a message what concerns the gateway itself: words of consent and commands. Most texts
//! are neither, and are told so by their length.

use trunkline_plugin_api::{Event, InboundMessage};

use crate::{
    channel::Channel,
    config::{CommandThread, Config},
    store::{AUTO_REPLY, ReadCommand, ReadKeyword, Reading, ThreadUpdate},
};

/// What there is to read in a message; `answered` where the provider answers such words by itself.
pub(super) fn read(
    channel: &Channel,
    config: &Config,
    message: &InboundMessage,
    answered: bool,
) -> Option<Box<Reading>> {
    if is_automatic(message) {
        // Nor are its words those of a person: they order nothing.
        return Some(Box::new(Reading {
            automatic: true,
            ..Reading::default()
        }));
    }
    let text = message.content.text.as_deref()?;
    let command = command(channel, config, text);
    let keyword = keyword(channel, config, message, text, answered);
    // "/stop" opts out whatever else it is; other words give way to a command of the same name.
    let keyword = keyword.filter(|keyword| {
        command.is_none() || keyword.change == trunkline_plugin_api::ConsentChange::OptOut
    });
    if keyword.is_none() && command.is_none() {
        return None;
    }
    Some(Box::new(Reading {
        keyword,
        command,
        ..Reading::default()
    }))
}

/// True where the adapter says that a machine wrote it.
fn is_automatic(message: &InboundMessage) -> bool {
    message.metadata.get(AUTO_REPLY) == Some(&true.into())
}

fn keyword(
    channel: &Channel,
    config: &Config,
    message: &InboundMessage,
    text: &str,
    answered: bool,
) -> Option<ReadKeyword> {
    let (keyword, written) = config.keywords.find(text)?;
    let own = channel.config();
    if !own.consent.reads_keywords(channel.medium()) {
        return None;
    }
    let reply = config
        .consent
        .reply(&keyword.language, keyword.change)
        .filter(|_| own.consent.replies && !answered)
        .filter(|text| can_send(channel, text));
    let sender = &message.sender;
    Some(ReadKeyword {
        change: keyword.change,
        written: written.to_owned(),
        identities: std::iter::once(&sender.identity)
            .chain(&sender.also)
            .cloned()
            .collect(),
        sent_at_ms: message.sent_at_ms,
        reply: reply.map(str::to_owned),
    })
}

fn command(channel: &Channel, config: &Config, text: &str) -> Option<ReadCommand> {
    let (name, command) = config.commands.find(text)?;
    let reply = command.reply.as_deref();
    Some(ReadCommand {
        name: name.to_owned(),
        thread: command.thread.map(|thread| match thread {
            CommandThread::NeedsHuman => ThreadUpdate::TakeOver,
            CommandThread::Release => ThreadUpdate::Release,
            CommandThread::Close => ThreadUpdate::Close,
        }),
        reply: reply
            .filter(|text| can_send(channel, text))
            .map(str::to_owned),
    })
}

/// True where one of the events says that the provider has dealt with a word of consent.
pub(super) fn answers_by_itself(events: &[Event]) -> bool {
    events
        .iter()
        .any(|event| matches!(event, Event::Consent(_)))
}

fn can_send(channel: &Channel, text: &str) -> bool {
    let Some(facts) = &channel.facts else {
        return false;
    };
    let fits = |max: u32| text.chars().count() <= max as usize;
    let can = facts.can_send && facts.max_len.is_none_or(fits);
    if !can {
        tracing::warn!(channel = %channel.id, "the channel can't send the answer to a word or command: it has no credentials, or the text is too long");
    }
    can
}
