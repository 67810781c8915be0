//! The breaker for two machines that answer each other: an automatic reply here, an automatic
//! answer there, and so on until someone looks at the bill.
//!
//! ```text
//! inbound ──> awaits a reply ── automatic reply ──> one round
//! rounds in the window: as many as allowed, or five to the same text ──> refused for the window
//! ```
//!
//! Kept in memory and bounded: one small record for each person that was answered automatically
//! of late. A person is an address in one organization, whatever the channel. Messages of people
//! neither count nor are refused; the caller sees to that.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher, RandomState},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use parking_lot::Mutex;
use trunkline_plugin_api::{Event, Identity};

use crate::model::{Millis, OrgId};

/// People watched at most; beyond, those that were answered longest ago are forgotten.
const WATCHED_MAX: usize = 4096;
/// Replies to one and the same text in a row.
const REPEATS_MAX: usize = 5;

/// When to refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EchoLimits {
    /// Rounds within the window; 0 never refuses.
    pub max: u32,
    /// How long rounds count, and how long a refusal lasts.
    pub window: Duration,
}

impl EchoLimits {
    fn window_ms(self) -> Millis {
        Millis::try_from(self.window.as_millis()).unwrap_or(Millis::MAX)
    }
}

impl From<&crate::config::Outbound> for EchoLimits {
    fn from(outbound: &crate::config::Outbound) -> Self {
        Self {
            max: outbound.echo_max,
            window: outbound.echo_window,
        }
    }
}

/// An automatic reply that must not go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EchoLoop {
    /// Until when automatic replies to this person are refused.
    pub until_ms: Millis,
    /// True for the first refusal of the loop: someone should be told.
    pub is_new: bool,
}

/// A person, as a number that nobody outside can choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Person(u64);

/// A message of a person that is watched.
#[derive(Debug, Clone, Copy)]
pub struct Heard {
    person: Person,
    text: u64,
}

/// Watches conversations for loops.
#[derive(Default)]
pub struct EchoGuard {
    exchanges: Mutex<HashMap<Person, Exchange>>,
    /// False while nobody is watched: an inbound message then costs one look at this.
    is_watching: AtomicBool,
    hasher: RandomState,
}

impl EchoGuard {
    /// The messages among events that come from people who are watched.
    pub fn listen(&self, org: OrgId, events: &[Event]) -> Vec<Heard> {
        if !self.is_watching.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let mut heard = Vec::new();
        for event in events {
            let Event::Message(message) = event else {
                continue;
            };
            let person = self.person(org, &message.sender.identity);
            if self.exchanges.lock().contains_key(&person) {
                let text = self.hasher.hash_one(&message.content.text);
                heard.push(Heard { person, text });
            }
        }
        heard
    }

    /// Notes messages that were new.
    pub fn heard(&self, messages: &[Heard]) {
        if messages.is_empty() {
            return;
        }
        let mut exchanges = self.exchanges.lock();
        for message in messages {
            if let Some(exchange) = exchanges.get_mut(&message.person) {
                exchange.awaiting = Some(message.text);
            }
        }
    }

    /// Notes an automatic reply that was accepted.
    pub fn replied(&self, org: OrgId, peer: &Identity, limits: EchoLimits, now: Millis) {
        if limits.max == 0 {
            return;
        }
        let person = self.person(org, peer);
        let mut exchanges = self.exchanges.lock();
        if exchanges.len() >= WATCHED_MAX && !exchanges.contains_key(&person) {
            forget(&mut exchanges, limits, now);
        }
        let exchange = exchanges.entry(person).or_insert_with(Exchange::begun);
        exchange.replied(limits, now);
        self.is_watching.store(true, Ordering::Relaxed);
    }

    /// Whether an automatic reply must not go out. Begins the refusal where this one makes the
    /// loop.
    pub fn check(
        &self,
        org: OrgId,
        peer: &Identity,
        limits: EchoLimits,
        now: Millis,
    ) -> Option<EchoLoop> {
        let person = self.person(org, peer);
        let mut exchanges = self.exchanges.lock();
        let exchange = exchanges.get_mut(&person)?;
        let found = exchange.found(limits, now)?;
        if found.is_new {
            exchange.refused_until_ms = found.until_ms;
            exchange.rounds.clear();
        }
        Some(found)
    }

    /// The same without beginning anything.
    pub fn peek(
        &self,
        org: OrgId,
        peer: &Identity,
        limits: EchoLimits,
        now: Millis,
    ) -> Option<EchoLoop> {
        let exchanges = self.exchanges.lock();
        exchanges.get(&self.person(org, peer))?.found(limits, now)
    }

    fn person(&self, org: OrgId, peer: &Identity) -> Person {
        Person(self.hasher.hash_one((org, peer)))
    }
}

/// Makes room: those who were not answered within the window go, and of the rest the older half.
fn forget(exchanges: &mut HashMap<Person, Exchange>, limits: EchoLimits, now: Millis) {
    let mut latest: Vec<Millis> = exchanges.values().map(Exchange::latest_ms).collect();
    let middle = latest.len() / 2;
    let (_, median, _) = latest.select_nth_unstable(middle);
    let since = (*median).max(now.saturating_sub(limits.window_ms()));
    exchanges.retain(|_, exchange| exchange.latest_ms() > since);
}

/// What passed with one person.
#[derive(Debug)]
struct Exchange {
    /// Replies that answered something, oldest first.
    rounds: VecDeque<Round>,
    /// The newest message that was not answered yet: a hash of its text.
    awaiting: Option<u64>,
    refused_until_ms: Millis,
}

#[derive(Debug, Clone, Copy)]
struct Round {
    at_ms: Millis,
    /// A hash of the text that it answered; none for the first, which nobody had watched for.
    text: Option<u64>,
}

impl Exchange {
    /// Before its first reply, which counts as an answer.
    fn begun() -> Self {
        Self {
            rounds: VecDeque::new(),
            awaiting: None,
            refused_until_ms: Millis::MIN,
        }
    }

    fn replied(&mut self, limits: EchoLimits, now: Millis) {
        let text = self.awaiting.take();
        if text.is_none() && !self.rounds.is_empty() {
            return;
        }
        let kept = REPEATS_MAX.max(limits.max as usize);
        while self.rounds.len() >= kept {
            self.rounds.pop_front();
        }
        self.rounds.push_back(Round { at_ms: now, text });
    }

    /// Only what answers something makes a loop; a refusal under way holds for all.
    fn found(&self, limits: EchoLimits, now: Millis) -> Option<EchoLoop> {
        if limits.max == 0 {
            return None;
        }
        if now < self.refused_until_ms {
            return Some(EchoLoop {
                until_ms: self.refused_until_ms,
                is_new: false,
            });
        }
        let text = self.awaiting?;
        let since = now.saturating_sub(limits.window_ms());
        let recent = || {
            self.rounds
                .iter()
                .rev()
                .take_while(|round| round.at_ms > since)
        };
        let same = recent().take_while(|round| round.text.is_none_or(|found| found == text));
        let is_loop = recent().count() >= limits.max as usize || same.count() >= REPEATS_MAX;
        is_loop.then(|| EchoLoop {
            until_ms: now.saturating_add(limits.window_ms()),
            is_new: true,
        })
    }

    fn latest_ms(&self) -> Millis {
        let replied = self.rounds.back().map_or(Millis::MIN, |round| round.at_ms);
        replied.max(self.refused_until_ms)
    }
}

#[cfg(test)]
mod tests {
    use trunkline_plugin_api::{Content, InboundMessage, Sender};

    use super::*;

    const ORG: OrgId = OrgId(1);
    const LIMITS: EchoLimits = EchoLimits {
        max: 10,
        window: Duration::from_secs(300),
    };

    fn ada() -> Identity {
        Identity::new("phone", "+15005550101")
    }

    fn hear(guard: &EchoGuard, who: &Identity, text: &str) -> usize {
        let event = Event::Message(InboundMessage {
            id: "SM1".into(),
            sender: Sender {
                identity: who.clone(),
                ..Sender::default()
            },
            content: Content::text(text),
            ..InboundMessage::default()
        });
        let heard = guard.listen(ORG, &[event]);
        guard.heard(&heard);
        heard.len()
    }

    /// Answers each text automatically, a second apart; gives how many replies went out.
    fn converse(
        guard: &EchoGuard,
        texts: impl IntoIterator<Item = String>,
        from_ms: Millis,
    ) -> usize {
        let mut went = 0;
        for (at, text) in texts.into_iter().enumerate() {
            let now = from_ms + 1000 * Millis::try_from(at).unwrap();
            hear(guard, &ada(), &text);
            if guard.check(ORG, &ada(), LIMITS, now).is_none() {
                guard.replied(ORG, &ada(), LIMITS, now);
                went += 1;
            }
        }
        went
    }

    #[test]
    fn ten_rounds_pass_and_the_eleventh_is_refused_for_the_window() {
        let guard = EchoGuard::default();
        assert_eq!(
            converse(&guard, (0..30).map(|n| format!("text {n}")), 0),
            10
        );
        let until = guard.check(ORG, &ada(), LIMITS, 30_000).unwrap();
        assert!(!until.is_new && until.until_ms == 310_000, "{until:?}");
        assert_eq!(guard.peek(ORG, &ada(), LIMITS, 309_999), Some(until));
        assert_eq!(guard.check(ORG, &ada(), LIMITS, 310_000), None);
        assert_eq!(
            converse(&guard, (0..30).map(|n| format!("text {n}")), 310_000),
            10
        );
        let bob = Identity::new("phone", "+15005550102");
        assert_eq!(guard.check(ORG, &bob, LIMITS, 30_000), None);
        assert_eq!(guard.check(OrgId(2), &ada(), LIMITS, 30_000), None);
    }

    #[test]
    fn the_same_text_is_answered_five_times() {
        let guard = EchoGuard::default();
        let same = std::iter::repeat_n("I am out of office".to_owned(), 8);
        assert_eq!(converse(&guard, same, 0), 5);
        let guard = EchoGuard::default();
        let mixed = ["no", "yes", "yes", "yes", "yes", "no", "yes", "yes"];
        assert_eq!(converse(&guard, mixed.map(str::to_owned), 0), 8);
    }

    #[test]
    fn slow_conversations_and_replies_that_answer_nothing_are_no_loop() {
        let guard = EchoGuard::default();
        for round in 0..50 {
            assert_eq!(
                converse(&guard, [format!("text {round}")], round * 60_000),
                1
            );
        }
        let guard = EchoGuard::default();
        for at in 0..50 {
            assert_eq!(guard.check(ORG, &ada(), LIMITS, at), None);
            guard.replied(ORG, &ada(), LIMITS, at);
        }
    }

    #[test]
    fn peeking_begins_nothing_and_zero_switches_it_off() {
        let guard = EchoGuard::default();
        let off = EchoLimits { max: 0, ..LIMITS };
        guard.replied(ORG, &ada(), off, 0);
        assert_eq!(hear(&guard, &ada(), "hi"), 0, "nobody is watched");
        assert_eq!(
            converse(&guard, (0..10).map(|n| format!("text {n}")), 0),
            10
        );
        assert_eq!(hear(&guard, &ada(), "hi"), 1);
        assert!(guard.peek(ORG, &ada(), LIMITS, 10_000).unwrap().is_new);
        assert!(guard.peek(ORG, &ada(), LIMITS, 10_000).unwrap().is_new);
        assert_eq!(guard.peek(ORG, &ada(), off, 10_000), None);
    }

    #[test]
    fn the_number_of_people_watched_is_bounded() {
        let guard = EchoGuard::default();
        for number in 0..3 * WATCHED_MAX {
            let peer = Identity::new("phone", format!("+1{number}"));
            guard.replied(ORG, &peer, LIMITS, Millis::try_from(number / 50).unwrap());
            assert!(guard.exchanges.lock().len() <= WATCHED_MAX);
        }
        let last = Identity::new("phone", format!("+1{}", 3 * WATCHED_MAX - 1));
        assert_eq!(hear(&guard, &last, "hi"), 1, "the newest are kept");
    }
}
