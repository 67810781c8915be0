//! Consent: who may be written to from which of our addresses, and what proves it.
//!
//! One entry stands for one identity and one scope: an address of ours (a number, an address, or a
//! channel's id where it names none), or `*` for the whole organization.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use trunkline_plugin_api::{ConsentChange, Identity};

use super::{ChannelId, EventId, MessageId, Millis};

/// The scope that stands for every sender of an organization.
pub const EVERY_SENDER: &str = "*";

/// Proofs of one entry that are kept for ever, from its beginning.
const FIRST_KEPT: usize = 8;
/// Proofs kept in all; those between the first and the newest are dropped, and counted.
const HISTORY_MAX: usize = 32;
/// An opt-out counts although something newer is known, where it is older by no more than this:
/// the provider's clock and ours differ.
const CLOCKS_DIFFER_MS: Millis = 60_000;

/// What a person wants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConsentState {
    /// They never said.
    #[default]
    Unknown,
    /// Messages are welcome.
    OptedIn,
    /// No more messages.
    OptedOut,
}

impl ConsentState {
    /// The state as it is written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::OptedIn => "opted_in",
            Self::OptedOut => "opted_out",
        }
    }
}

/// How the gateway learned of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConsentSource {
    /// The person wrote one of the words.
    Keyword,
    /// The provider says that it recorded it.
    ProviderSignal,
    /// The provider refused a message for it.
    ProviderError,
    /// One of our people.
    Operator,
    /// A list from another system.
    Import,
    /// The person was erased; that they had opted out was kept as a hash.
    Erased,
}

impl ConsentSource {
    /// In words, for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Keyword => "a message of theirs",
            Self::ProviderSignal => "word from the provider",
            Self::ProviderError => "a refusal of the provider",
            Self::Operator => "an operator",
            Self::Import => "an import",
            Self::Erased => "what was known before the person was erased",
        }
    }
}

/// What proves one change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentProof {
    /// When it reached the gateway.
    pub at_ms: Millis,
    /// When it happened, where the provider says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_at_ms: Option<Millis>,
    /// Which way.
    pub change: ConsentChange,
    /// How it was learned.
    pub source: ConsentSource,
    /// The channel that it came by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<ChannelId>,
    /// The message that says so, or that was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<MessageId>,
    /// The webhook that brought it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<EventId>,
    /// The provider's id or code for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The word as the person wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyword: Option<String>,
    /// Who recorded it, where it was one of our people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why, in their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl ConsentProof {
    /// A proof of a change with nothing but its time and source.
    pub fn new(at_ms: Millis, change: ConsentChange, source: ConsentSource) -> Self {
        Self {
            at_ms,
            provider_at_ms: None,
            change,
            source,
            channel: None,
            message: None,
            event: None,
            reference: None,
            keyword: None,
            by: None,
            reason: None,
        }
    }

    /// When it happened, as far as is known.
    fn happened_ms(&self) -> Millis {
        self.provider_at_ms.unwrap_or(self.at_ms)
    }

    /// True for the same proof come again: a webhook repeated, a report repeated.
    fn repeats(&self, other: &Self) -> bool {
        let named = self.message.is_some() || self.reference.is_some();
        let same = self.change == other.change && self.source == other.source;
        named && same && self.message == other.message && self.reference == other.reference
    }
}

/// Consent of one identity for one scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentEntry {
    /// Whose.
    pub identity: Identity,
    /// For messages from where.
    pub scope: String,
    /// What they want.
    pub state: ConsentState,
    /// Since when; of a state that was never set, when the entry began.
    pub since_ms: Millis,
    /// The proofs, oldest first: the first and the newest ones.
    pub history: Vec<ConsentProof>,
    /// Proofs between the first and the newest ones that are no longer kept.
    #[serde(default)]
    pub dropped: u64,
}

impl ConsentEntry {
    /// An entry that nothing is known for.
    pub fn new(identity: Identity, scope: &str, now_ms: Millis) -> Self {
        Self {
            identity,
            scope: scope.to_owned(),
            state: ConsentState::Unknown,
            since_ms: now_ms,
            history: Vec::new(),
            dropped: 0,
        }
    }

    /// Takes a proof in. False where it was there already.
    ///
    /// What comes late (a webhook replayed, a message fetched after a downtime) does not undo what
    /// the person said after it.
    pub fn apply(&mut self, proof: ConsentProof) -> bool {
        if self.history.iter().any(|known| known.repeats(&proof)) {
            return false;
        }
        let at_ms = proof.happened_ms();
        let known = self.state != ConsentState::Unknown;
        let state = match proof.change {
            ConsentChange::Help => None,
            ConsentChange::OptOut if known && at_ms + CLOCKS_DIFFER_MS < self.since_ms => None,
            ConsentChange::OptIn if known && at_ms < self.since_ms => None,
            ConsentChange::OptOut => Some(ConsentState::OptedOut),
            ConsentChange::OptIn => Some(ConsentState::OptedIn),
        };
        if let Some(state) = state.filter(|state| *state != self.state) {
            self.state = state;
            self.since_ms = at_ms;
        }
        self.history.push(proof);
        if self.history.len() > HISTORY_MAX {
            self.history.remove(FIRST_KEPT);
            self.dropped += 1;
        }
        true
    }

    /// True where messages are not wanted.
    pub fn is_out(&self) -> bool {
        self.state == ConsentState::OptedOut
    }

    /// Since when and by what the person has opted out, in words that name nobody.
    pub fn words(&self) -> String {
        let since = jiff::Timestamp::from_millisecond(self.since_ms)
            .map_or_else(|_| "an unknown time".into(), |at| format!("{at:.0}"));
        let by = self.cause().map_or("", |proof| proof.source.words());
        let from = match self.scope.as_str() {
            EVERY_SENDER => "all messages",
            _ => "messages from this sender",
        };
        format!("the recipient has opted out of {from} since {since}, by {by}")
    }

    /// The newest proof of the opt-out.
    pub fn cause(&self) -> Option<&ConsentProof> {
        let mut newest = self.history.iter().rev();
        newest.find(|proof| proof.change == ConsentChange::OptOut)
    }
}

/// Which of two entries forbids a message: that of its sender, or that of the whole organization,
/// which an opt-in to the sender lifts where it is newer.
pub fn forbidding(own: Option<ConsentEntry>, every: Option<ConsentEntry>) -> Option<ConsentEntry> {
    let lifted_ms = own
        .as_ref()
        .filter(|entry| entry.state == ConsentState::OptedIn)
        .map(|entry| entry.since_ms);
    own.filter(ConsentEntry::is_out).or_else(|| {
        every.filter(|every| {
            every.is_out() && lifted_ms.is_none_or(|lifted| lifted <= every.since_ms)
        })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn proof(at_ms: Millis, change: ConsentChange) -> ConsentProof {
        ConsentProof::new(at_ms, change, ConsentSource::Keyword)
    }

    fn entry(scope: &str) -> ConsentEntry {
        ConsentEntry::new(Identity::new("phone", "+15550100"), scope, 0)
    }

    fn set(scope: &str, at_ms: Millis, change: ConsentChange) -> ConsentEntry {
        let mut entry = entry(scope);
        entry.apply(proof(at_ms, change));
        entry
    }

    #[test]
    fn the_newest_word_counts_and_help_changes_nothing() {
        let mut entry = entry("a");
        entry.apply(proof(1, ConsentChange::Help));
        assert_eq!(entry.state, ConsentState::Unknown);
        entry.apply(proof(2, ConsentChange::OptOut));
        assert_eq!((entry.state, entry.since_ms), (ConsentState::OptedOut, 2));
        entry.apply(proof(3, ConsentChange::OptOut));
        assert_eq!(
            entry.since_ms, 2,
            "said twice, it holds since the first time"
        );
        entry.apply(proof(4, ConsentChange::Help));
        entry.apply(proof(5, ConsentChange::OptIn));
        assert_eq!((entry.state, entry.since_ms), (ConsentState::OptedIn, 5));
        assert_eq!(entry.history.len(), 5);
    }

    #[test]
    fn what_comes_late_does_not_undo_what_was_said_after_it() {
        let hour = 3_600_000;
        let mut entry = entry("a");
        entry.apply(proof(2 * hour, ConsentChange::OptIn));
        let late = ConsentProof {
            provider_at_ms: Some(hour),
            ..proof(3 * hour, ConsentChange::OptOut)
        };
        assert!(entry.apply(late), "it is kept as a proof");
        assert_eq!(entry.state, ConsentState::OptedIn);
        let skewed = ConsentProof {
            provider_at_ms: Some(2 * hour - 1000),
            ..proof(3 * hour, ConsentChange::OptOut)
        };
        entry.apply(skewed);
        assert_eq!(
            entry.state,
            ConsentState::OptedOut,
            "clocks differ a little"
        );
    }

    #[test]
    fn a_proof_come_again_changes_nothing() {
        let mut entry = entry("a");
        let stop = ConsentProof {
            reference: Some("SM1".into()),
            ..proof(1, ConsentChange::OptOut)
        };
        assert!(entry.apply(stop.clone()));
        assert!(entry.apply(proof(2, ConsentChange::OptIn)));
        assert!(!entry.apply(ConsentProof { at_ms: 3, ..stop }));
        assert_eq!(entry.state, ConsentState::OptedIn);
    }

    #[test]
    fn an_opt_in_to_one_sender_lifts_an_older_opt_out_of_all() {
        use ConsentChange::{OptIn, OptOut};
        let scope = |own, every| forbidding(own, every).map(|entry| entry.scope);
        let own = |at, change| Some(set("a", at, change));
        let every = |at| Some(set(EVERY_SENDER, at, OptOut));
        assert_eq!(scope(None, None), None);
        assert_eq!(scope(own(1, OptIn), None), None);
        assert_eq!(scope(own(1, OptOut), None).as_deref(), Some("a"));
        assert_eq!(scope(None, every(1)).as_deref(), Some("*"));
        assert_eq!(scope(own(1, OptIn), every(2)).as_deref(), Some("*"));
        assert_eq!(scope(own(3, OptIn), every(2)), None);
        assert_eq!(scope(own(3, OptOut), every(2)).as_deref(), Some("a"));
    }

    proptest! {
        #[test]
        fn the_history_keeps_its_ends(count in 0_i64..200) {
            let mut entry = entry("a");
            for at_ms in 0..count {
                let change = if at_ms % 2 == 0 { ConsentChange::OptOut } else { ConsentChange::OptIn };
                entry.apply(proof(at_ms, change));
            }
            let kept = i64::try_from(entry.history.len()).unwrap();
            prop_assert_eq!(kept + i64::try_from(entry.dropped).unwrap(), count);
            prop_assert!(entry.history.len() <= HISTORY_MAX);
            let first: Vec<_> = entry.history.iter().take(FIRST_KEPT).map(|p| p.at_ms).collect();
            let expected: Vec<_> = (0..count).take(FIRST_KEPT).collect();
            prop_assert_eq!(first, expected);
            if let Some(last) = entry.history.last() {
                prop_assert_eq!(last.at_ms, count - 1);
            }
        }
    }
}
