//! `[inbound]` and `[commands]`: what is done with messages beside storing them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Longest command, in bytes.
pub(super) const COMMAND_BYTES_MAX: usize = 64;

/// Limits on what comes in. What is over one is stored and acknowledged like everything else, but
/// marked as limited and kept out of turns. A channel may set its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Inbound {
    /// Messages of one person on one channel within a minute; 0 for no limit.
    pub sender_per_minute: u32,
    /// Messages of one channel within a second; 0 for no limit.
    pub channel_per_second: u32,
}

impl Default for Inbound {
    fn default() -> Self {
        Self {
            sender_per_minute: 120,
            channel_per_second: 0,
        }
    }
}

/// What a channel sets of `[inbound]` by itself.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ChannelInbound {
    /// As `sender_per_minute` in `[inbound]`.
    pub sender_per_minute: Option<u32>,
    /// As `channel_per_second` in `[inbound]`.
    pub channel_per_second: Option<u32>,
}

impl ChannelInbound {
    /// With what it leaves out taken from `[inbound]`.
    pub(super) fn resolve(&self, common: &Inbound) -> Inbound {
        Inbound {
            sender_per_minute: self.sender_per_minute.unwrap_or(common.sender_per_minute),
            channel_per_second: self.channel_per_second.unwrap_or(common.channel_per_second),
        }
    }
}

/// What a command does to the conversation that it is written in.
// Comments on the variants would turn the schema's `enum` into a list of alternatives.
#[allow(missing_docs)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CommandThread {
    NeedsHuman,
    Release,
    Close,
}

/// One command: a message that is this text and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Command {
    /// False switches it off.
    pub enabled: bool,
    /// What becomes of the conversation: "needs_human" has people answer it, "release" gives it
    /// back to the agent, "close" ends it. Nothing where it is left out.
    pub thread: Option<CommandThread>,
    /// What is answered. Nothing where it is left out.
    #[schemars(length(min = 1, max = 480))]
    pub reply: Option<String>,
}

impl Default for Command {
    fn default() -> Self {
        Self {
            enabled: true,
            thread: None,
            reply: None,
        }
    }
}

/// The commands in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Commands(BTreeMap<String, Command>);

impl Default for Commands {
    fn default() -> Self {
        Self::new(BTreeMap::new())
    }
}

impl Commands {
    /// Those configured, and ours where they are not: `/human`.
    pub(super) fn new(mut configured: BTreeMap<String, Command>) -> Self {
        let human = "/human";
        if !configured.keys().any(|name| same(name, human)) {
            let command = Command {
                thread: Some(CommandThread::NeedsHuman),
                ..Command::default()
            };
            configured.insert(human.to_owned(), command);
        }
        Self(configured)
    }

    /// All of them by the text that they are.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Command)> {
        self.0
            .iter()
            .map(|(name, command)| (name.as_str(), command))
    }

    /// The command that a text is; blanks around it and upper case do not matter.
    pub fn find(&self, text: &str) -> Option<(&str, &Command)> {
        let text = text.trim();
        if text.is_empty() || text.len() > COMMAND_BYTES_MAX {
            return None;
        }
        self.iter()
            .find(|(name, command)| command.enabled && same(name, text))
    }
}

/// The same but for upper and lower case.
pub(super) fn same(one: &str, other: &str) -> bool {
    fn lower(text: &str) -> impl Iterator<Item = char> {
        text.chars().flat_map(char::to_lowercase)
    }
    one.eq_ignore_ascii_case(other) || (!one.is_ascii() && lower(one).eq(lower(other)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn human_is_there_unless_it_is_switched_off() {
        let commands = Commands::default();
        let (name, command) = commands.find(" /Human\n").unwrap();
        assert_eq!(
            (name, command.thread),
            ("/human", Some(CommandThread::NeedsHuman))
        );
        for text in [
            "",
            "human",
            "/human please",
            "/humans",
            &"/human".repeat(50),
        ] {
            assert_eq!(commands.find(text), None, "{text}");
        }
        let off = Command {
            enabled: false,
            ..Command::default()
        };
        let commands = Commands::new(BTreeMap::from([("/HUMAN".into(), off)]));
        assert_eq!(commands.find("/human"), None);
    }

    #[test]
    fn others_stand_beside_it() {
        let close = Command {
            thread: Some(CommandThread::Close),
            ..Command::default()
        };
        let commands = Commands::new(BTreeMap::from([("/ÜBER".into(), close)]));
        assert_eq!(commands.find("/über").map(|(name, _)| name), Some("/ÜBER"));
        assert!(commands.find("/human").is_some());
    }
}
