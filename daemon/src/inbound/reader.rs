//! Reads in a message what concerns the gateway itself: words of consent and commands. Most texts
//! are neither, and are told so by their length.

use trunkline_plugin_api::{Event, Identity, InboundMessage};

use crate::{
    channel::Channel,
    config::{CommandThread, Config},
    store::{AUTO_REPLY, ReadCommand, ReadKeyword, ReadWindow, Reading, ThreadUpdate},
};

/// What there is to read in a message; `answered` where the provider answers such words by itself.
pub(super) fn read(
    channel: &Channel,
    config: &Config,
    message: &InboundMessage,
    answered: bool,
) -> Option<Box<Reading>> {
    let window = window(channel, message);
    if is_automatic(message) {
        // Nor are its words those of a person: they order nothing.
        return Some(Box::new(Reading {
            automatic: true,
            window,
            ..Reading::default()
        }));
    }
    let Some(text) = message.content.text.as_deref() else {
        return window.map(|window| Box::new(only(window)));
    };
    let command = command(channel, config, text);
    let keyword = keyword(channel, config, message, text, answered);
    // "/stop" opts out whatever else it is; other words give way to a command of the same name.
    let keyword = keyword.filter(|keyword| {
        command.is_none() || keyword.change == trunkline_plugin_api::ConsentChange::OptOut
    });
    if keyword.is_none() && command.is_none() && window.is_none() {
        return None;
    }
    Some(Box::new(Reading {
        keyword,
        command,
        window,
        ..Reading::default()
    }))
}

fn only(window: ReadWindow) -> Reading {
    Reading {
        window: Some(window),
        ..Reading::default()
    }
}

/// Whose reply window a message opens; none on channels without one, which is nearly all.
fn window(channel: &Channel, message: &InboundMessage) -> Option<ReadWindow> {
    let rule = channel.window()?;
    Some(ReadWindow {
        scope: rule.scope,
        identities: identities(message),
        sent_at_ms: message.sent_at_ms,
    })
}

/// Every identity of the sender that the provider vouches for, the sender's own first.
fn identities(message: &InboundMessage) -> Vec<Identity> {
    let sender = &message.sender;
    std::iter::once(&sender.identity)
        .chain(&sender.also)
        .cloned()
        .collect()
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
    Some(ReadKeyword {
        change: keyword.change,
        written: written.to_owned(),
        identities: identities(message),
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
        tracing::warn!(event = "answer_not_sendable", channel = %channel.id, "the channel can't send the answer to a word or command: it has no credentials, or the text is too long");
    }
    can
}
