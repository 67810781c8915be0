//! Which messages make one turn: a plain state machine over arrivals and time.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use crate::model::{ChannelId, MessageId, Millis, OrgId, ThreadId, TurnRecord};
use crate::store::{NewTurn, Position};

/// How long to wait for more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quiet {
    /// A turn ends this long after its last message.
    pub quiet: Duration,
    /// And at the latest this long after its first.
    pub max: Duration,
}

/// A message that came in.
#[derive(Debug, Clone)]
pub(super) struct Arrival {
    pub(super) org: OrgId,
    pub(super) channel: ChannelId,
    pub(super) thread: ThreadId,
    pub(super) seq: u64,
    pub(super) message: MessageId,
    pub(super) at_ms: Millis,
    /// The position before the change that told of it.
    pub(super) before: Position,
}

/// Bursts under way.
#[derive(Default)]
pub(super) struct Bursts {
    open: HashMap<(OrgId, ThreadId), Burst>,
    deadlines: BTreeSet<(Millis, OrgId, ThreadId)>,
    /// Where a restart must begin for each open burst.
    starts: BTreeSet<(Position, OrgId, ThreadId)>,
}

struct Burst {
    first_seq: u64,
    first_at_ms: Millis,
    deadline_ms: Millis,
    channel: ChannelId,
    messages: Vec<MessageId>,
    start: Position,
}

/// Messages of one turn at most; a longer burst makes several turns.
const MESSAGES_MAX: usize = 200;

impl Bursts {
    /// A message came. Returns the turn that it had to push out, where the burst was full.
    pub(super) fn add(&mut self, arrival: Arrival, quiet: Quiet) -> Option<NewTurn> {
        let key = (arrival.org, arrival.thread);
        let full = self
            .open
            .get(&key)
            .is_some_and(|burst| burst.messages.len() >= MESSAGES_MAX);
        let pushed = if full {
            self.close(key, arrival.at_ms)
        } else {
            None
        };
        let quiet_ms = millis(quiet.quiet);
        let burst = self.open.entry(key).or_insert_with(|| Burst {
            first_seq: arrival.seq,
            first_at_ms: arrival.at_ms,
            deadline_ms: Millis::MAX,
            channel: arrival.channel.clone(),
            messages: Vec::new(),
            start: arrival.before,
        });
        self.starts.insert((burst.start, key.0, key.1));
        self.deadlines.remove(&(burst.deadline_ms, key.0, key.1));
        burst.messages.push(arrival.message);
        burst.channel = arrival.channel;
        let latest = burst.first_at_ms.saturating_add(millis(quiet.max));
        burst.deadline_ms = arrival.at_ms.saturating_add(quiet_ms).min(latest);
        self.deadlines.insert((burst.deadline_ms, key.0, key.1));
        pushed
    }

    /// The turns whose time is up.
    pub(super) fn due(&mut self, now_ms: Millis) -> Vec<NewTurn> {
        let mut turns = Vec::new();
        while let Some((deadline, org, thread)) = self.deadlines.first().copied() {
            if deadline > now_ms {
                break;
            }
            turns.extend(self.close((org, thread), now_ms));
        }
        turns
    }

    fn close(&mut self, key: (OrgId, ThreadId), now_ms: Millis) -> Option<NewTurn> {
        let burst = self.open.remove(&key)?;
        self.deadlines.remove(&(burst.deadline_ms, key.0, key.1));
        self.starts.remove(&(burst.start, key.0, key.1));
        Some(NewTurn {
            org: key.0,
            first_seq: burst.first_seq,
            record: TurnRecord {
                thread: key.1,
                channel: burst.channel,
                messages: burst.messages,
                first_at_ms: burst.first_at_ms,
                closed_at_ms: now_ms,
            },
        })
    }

    /// When the next turn ends.
    pub(super) fn next_deadline(&self) -> Option<Millis> {
        self.deadlines.first().map(|(deadline, ..)| *deadline)
    }

    /// Where a restart must begin: before the oldest open burst, else at `reached`.
    pub(super) fn resume(&self, reached: Position) -> Position {
        self.starts.first().map_or(reached, |(start, ..)| *start)
    }
}

fn millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    const QUIET: Quiet = Quiet {
        quiet: Duration::from_millis(100),
        max: Duration::from_millis(250),
    };

    fn arrival(thread: u8, seq: u64, at_ms: Millis) -> Arrival {
        Arrival {
            org: OrgId(1),
            channel: ChannelId::new("a"),
            thread: ThreadId::from_bytes([thread; 16]),
            seq,
            message: MessageId::new(Uuid::from_u128(u128::from(thread) << 64 | u128::from(seq))),
            at_ms,
            before: Position(seq),
        }
    }

    #[test]
    fn a_turn_ends_after_quiet_and_at_the_latest_after_max() {
        let mut bursts = Bursts::default();
        for (seq, at) in [(1, 0), (2, 90), (3, 180)] {
            assert!(bursts.due(at).is_empty());
            bursts.add(arrival(1, seq, at), QUIET);
        }
        assert_eq!(bursts.next_deadline(), Some(250));
        assert_eq!(bursts.resume(Position(9)), Position(1));
        let turns = bursts.due(250);
        assert_eq!(
            (
                turns.len(),
                turns[0].record.messages.len(),
                turns[0].first_seq
            ),
            (1, 3, 1)
        );
        assert_eq!(bursts.resume(Position(9)), Position(9));
        bursts.add(arrival(1, 4, 300), QUIET);
        assert!(bursts.due(399).is_empty());
        assert_eq!(bursts.due(400).len(), 1);
    }

    proptest! {
        #[test]
        fn every_message_is_in_exactly_one_turn(gaps in prop::collection::vec((0u8..3, 0i64..300), 1..60)) {
            let mut bursts = Bursts::default();
            let (mut now, mut turns, mut seqs) = (0, Vec::new(), [0u64; 3]);
            let mut given = Vec::new();
            for (thread, gap) in gaps {
                now += gap;
                turns.extend(bursts.due(now));
                seqs[usize::from(thread)] += 1;
                let arrival = arrival(thread, seqs[usize::from(thread)], now);
                given.push(arrival.message);
                turns.extend(bursts.add(arrival, QUIET));
            }
            turns.extend(bursts.due(Millis::MAX));
            let mut seen: Vec<MessageId> = turns.into_iter().flat_map(|turn| turn.record.messages).collect();
            seen.sort();
            given.sort();
            prop_assert_eq!(seen, given);
            prop_assert_eq!(bursts.resume(Position(7)), Position(7));
        }
    }
}
