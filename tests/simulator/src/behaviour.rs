//! How an endpoint treats the calls it gets: accepts, refuses, hangs, resets, loses its answer.
//!
//! A request that the provider would refuse (credentials, parameters, signature) is always refused
//! in its words; a behaviour only decides about the requests that are right.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::VecDeque;
use std::time::Duration;

/// What happens to a valid call.
#[derive(Debug, Clone, PartialEq)]
pub enum Behaviour {
    /// It is processed and answered.
    Accept,
    /// It is not processed; an error answer is sent.
    Status {
        /// HTTP status.
        code: u16,
        /// Twilio's error code; none leaves an answer without the provider's error body.
        twilio_code: Option<u32>,
        /// The error's words.
        message: String,
        /// How many calls to treat so before accepting again; none for all.
        times: Option<u32>,
        /// `Retry-After`, in seconds.
        retry_after: Option<u32>,
    },
    /// It is not processed; after this time the connection is reset.
    Hang(Duration),
    /// It is not processed; the connection is reset as soon as the request was read.
    ResetAfterRead,
    /// It is processed at once and answered after this time.
    Slow(Duration),
    /// It is processed, but the caller gets what the inner behaviour gives: the answer is lost.
    AcceptedThen(Box<Behaviour>),
    /// A seeded mix. Each entry has its share of the calls (0 to 1); what is left is accepted.
    Mix {
        /// Seed of the sequence: the same seed gives the same sequence of outcomes.
        seed: u64,
        /// Shares and what they do.
        shares: Vec<(f64, Behaviour)>,
    },
}

impl Behaviour {
    /// Answers with this HTTP status and no provider body, always.
    pub fn status(code: u16) -> Self {
        Self::Status {
            code,
            twilio_code: None,
            message: String::new(),
            times: None,
            retry_after: None,
        }
    }

    /// Answers with this HTTP status and Twilio's error body, always.
    pub fn error(code: u16, twilio_code: u32, message: &str) -> Self {
        Self::Status {
            code,
            twilio_code: Some(twilio_code),
            message: message.to_owned(),
            times: None,
            retry_after: None,
        }
    }

    /// The same for the next `count` calls only. Behaviours without a count stay as they are.
    #[must_use]
    pub fn times(mut self, count: u32) -> Self {
        if let Self::Status { times, .. } = &mut self {
            *times = Some(count);
        }
        self
    }

    /// Processed, and then this happens instead of the answer.
    #[must_use]
    pub fn after_accepting(self) -> Self {
        Self::AcceptedThen(Box::new(self))
    }

    /// A day with 10 % 500, 5 % 429 and 2 % resets.
    pub fn flaky(seed: u64) -> Self {
        Self::Mix {
            seed,
            shares: vec![
                (0.10, Self::error(500, 20500, "Internal Server Error")),
                (0.05, Self::error(429, 20429, "Too Many Requests")),
                (0.02, Self::ResetAfterRead),
            ],
        }
    }

    /// The steps of one call.
    fn plan(&self) -> Plan {
        let plan = |accepted, delay, end| Plan {
            accepted,
            delay,
            end,
        };
        match self {
            Self::Accept | Self::Mix { .. } => plan(true, Duration::ZERO, End::Answer),
            Self::Status {
                code,
                twilio_code,
                message,
                retry_after,
                ..
            } => {
                let fault = Fault {
                    status: *code,
                    code: *twilio_code,
                    message: message.clone(),
                    retry_after: *retry_after,
                };
                plan(false, Duration::ZERO, End::Fault(fault))
            }
            Self::Hang(delay) => plan(false, *delay, End::Reset),
            Self::ResetAfterRead => plan(false, Duration::ZERO, End::Reset),
            Self::Slow(delay) => plan(true, *delay, End::Answer),
            Self::AcceptedThen(then) => Plan {
                accepted: true,
                ..then.plan()
            },
        }
    }
}

/// What to do with one call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    /// Whether the call takes effect.
    pub(crate) accepted: bool,
    /// Wait before the end, after it took effect.
    pub(crate) delay: Duration,
    /// What the caller gets.
    pub(crate) end: End,
}

/// What the caller gets.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum End {
    /// The true answer.
    Answer,
    /// An error answer.
    Fault(Fault),
    /// A reset connection.
    Reset,
}

/// An error answer that stands for the provider's trouble.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fault {
    /// HTTP status.
    pub(crate) status: u16,
    /// The provider's code, where its error body is sent.
    pub(crate) code: Option<u32>,
    /// Words for the body.
    pub(crate) message: String,
    /// `Retry-After`, in seconds.
    pub(crate) retry_after: Option<u32>,
}

/// The behaviour of an endpoint over time: a queue of single calls, then a standing one.
#[derive(Debug)]
pub(crate) struct Script {
    queue: VecDeque<Behaviour>,
    standing: Behaviour,
    random: StdRng,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            queue: VecDeque::new(),
            standing: Behaviour::Accept,
            random: StdRng::seed_from_u64(0),
        }
    }
}

impl Script {
    /// Sets the standing behaviour and forgets the queue.
    pub(crate) fn set(&mut self, behaviour: Behaviour) {
        if let Behaviour::Mix { seed, .. } = behaviour {
            self.random = StdRng::seed_from_u64(seed);
        }
        self.queue.clear();
        self.standing = behaviour;
    }

    /// Puts one call's behaviour before the standing one.
    pub(crate) fn push(&mut self, behaviour: Behaviour) {
        self.queue.push_back(behaviour);
    }

    /// What happens to the next call.
    pub(crate) fn next(&mut self) -> Plan {
        if let Some(single) = self.queue.pop_front() {
            return self.draw(&single).plan();
        }
        let drawn = self.draw(&self.standing.clone());
        if let Behaviour::Status {
            times: Some(left), ..
        } = &mut self.standing
        {
            if *left == 0 {
                self.standing = Behaviour::Accept;
                return Behaviour::Accept.plan();
            }
            *left -= 1;
        }
        drawn.plan()
    }

    /// Resolves a mix to one of its entries.
    fn draw(&mut self, behaviour: &Behaviour) -> Behaviour {
        let Behaviour::Mix { shares, .. } = behaviour else {
            return behaviour.clone();
        };
        let mut point: f64 = self.random.random();
        for (share, entry) in shares {
            if point < *share {
                return entry.clone();
            }
            point -= share;
        }
        Behaviour::Accept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statuses(script: &mut Script, calls: usize) -> Vec<u16> {
        (0..calls)
            .map(|_| match script.next().end {
                End::Fault(fault) => fault.status,
                End::Answer => 200,
                End::Reset => 0,
            })
            .collect()
    }

    #[test]
    fn a_counted_status_gives_way_to_acceptance() {
        let mut script = Script::default();
        script.set(Behaviour::status(503).times(2));
        assert_eq!(statuses(&mut script, 4), [503, 503, 200, 200]);
        script.set(Behaviour::status(503));
        assert_eq!(statuses(&mut script, 3), [503, 503, 503]);
        script.set(Behaviour::status(503).times(0));
        assert_eq!(statuses(&mut script, 1), [200]);
    }

    #[test]
    fn single_calls_go_before_the_standing_behaviour() {
        let mut script = Script::default();
        script.push(Behaviour::ResetAfterRead);
        script.push(Behaviour::status(429));
        assert_eq!(statuses(&mut script, 3), [0, 429, 200]);
    }

    #[test]
    fn a_lost_answer_is_still_accepted() {
        let plan = Behaviour::status(502).after_accepting().plan();
        assert!(plan.accepted && matches!(plan.end, End::Fault(_)));
        let plan = Behaviour::Hang(Duration::from_secs(1)).plan();
        assert!(!plan.accepted && plan.end == End::Reset);
    }

    #[test]
    fn a_mix_keeps_its_shares_and_repeats_by_seed() {
        let run = |seed| {
            let mut script = Script::default();
            script.set(Behaviour::flaky(seed));
            statuses(&mut script, 10_000)
        };
        let drawn = run(7);
        assert_eq!(drawn, run(7), "the same seed must give the same sequence");
        assert_ne!(drawn, run(8), "another seed must give another sequence");
        let count = |status| drawn.iter().filter(|drawn| **drawn == status).count();
        assert!((900..1100).contains(&count(500)), "{}", count(500));
        assert!((400..600).contains(&count(429)), "{}", count(429));
        assert!((130..270).contains(&count(0)), "{}", count(0));
    }
}
