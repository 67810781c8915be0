//! Emoji that people put on messages.

use serde::{Deserialize, Serialize};
use trunkline_plugin_api::Identity;

use super::Millis;

/// People whose reaction is kept on one message; groups can have more.
const REACTIONS_MAX: usize = 100;

/// What one person last put on a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageReaction {
    /// Who.
    pub sender: Identity,
    /// The name that the provider gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The emoji. Empty where it was taken back: that is kept, so that an older reaction that
    /// comes late does not return.
    pub emoji: String,
    /// When, by the provider's clock where it tells.
    pub at_ms: Millis,
}

impl MessageReaction {
    /// True where there is an emoji to be seen.
    pub fn is_shown(&self) -> bool {
        !self.emoji.is_empty()
    }
}

/// Puts a reaction among those of a message: the latest of each person counts, whatever the order they come
/// in. `also` are further identities of the same person. True where something changed.
pub fn react(
    reactions: &mut Vec<MessageReaction>,
    new: MessageReaction,
    also: &[Identity],
) -> bool {
    let is_theirs =
        |known: &MessageReaction| known.sender == new.sender || also.contains(&known.sender);
    match reactions.iter().position(is_theirs) {
        Some(at) if reactions[at].at_ms > new.at_ms => false,
        Some(at) => {
            reactions[at] = new;
            true
        }
        None if reactions.len() < REACTIONS_MAX => {
            reactions.push(new);
            true
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reaction(sender: &str, emoji: &str, at_ms: Millis) -> MessageReaction {
        MessageReaction {
            sender: Identity::new("whatsapp", sender),
            name: None,
            emoji: emoji.into(),
            at_ms,
        }
    }

    fn shown(reactions: &[MessageReaction]) -> Vec<(&str, &str)> {
        let shown = reactions.iter().filter(|reaction| reaction.is_shown());
        shown
            .map(|one| (one.sender.identifier.as_str(), one.emoji.as_str()))
            .collect()
    }

    #[test]
    fn one_person_by_two_addresses_has_one_reaction() {
        let mut reactions = Vec::new();
        assert!(react(&mut reactions, reaction("+1555", "a", 1), &[]));
        let number = [Identity::new("whatsapp", "+1555")];
        assert!(react(&mut reactions, reaction("US.1", "b", 2), &number));
        assert_eq!(shown(&reactions), [("US.1", "b")]);
        assert!(react(&mut reactions, reaction("US.1", "", 3), &number));
        assert!(shown(&reactions).is_empty());
        assert!(!react(&mut reactions, reaction("US.1", "b", 2), &number));
        assert!(shown(&reactions).is_empty());
    }

    #[test]
    fn reactions_are_bounded() {
        let mut reactions = Vec::new();
        for number in 0..REACTIONS_MAX + 5 {
            let changed = react(&mut reactions, reaction(&number.to_string(), "a", 1), &[]);
            assert_eq!(changed, number < REACTIONS_MAX);
        }
        assert!(react(&mut reactions, reaction("7", "b", 2), &[]));
    }

    proptest! {
        /// Whatever the order and however often: the newest of each person is what shows.
        #[test]
        fn order_does_not_matter(
            emoji in prop::collection::vec((0_u8..3, "[ab]?"), 1..12),
            order in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
        ) {
            let all: Vec<MessageReaction> = emoji
                .iter()
                .zip(1..)
                .map(|((person, emoji), at_ms)| reaction(&person.to_string(), emoji, at_ms))
                .collect();
            let mut in_order = Vec::new();
            for one in &all {
                react(&mut in_order, one.clone(), &[]);
            }
            let mut shuffled = Vec::new();
            for at in &order {
                react(&mut shuffled, at.get(&all).clone(), &[]);
            }
            for one in all.iter().rev() {
                react(&mut shuffled, one.clone(), &[]);
            }
            let sorted = |mut all: Vec<MessageReaction>| {
                all.sort_by(|a, b| a.sender.cmp(&b.sender));
                all
            };
            prop_assert_eq!(sorted(shuffled), sorted(in_order));
        }
    }
}
