//! How much may come in on a channel: by sender and in all. Nothing is refused here; what is over a
//! limit is stored like everything else, and marked.

use std::{
    hash::{BuildHasher as _, RandomState},
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
};

use arc_swap::ArcSwapOption;
use governor::{
    Quota, RateLimiter,
    clock::MonotonicClock,
    middleware::NoOpMiddleware,
    state::{InMemoryState, NotKeyed, keyed::HashMapStateStore},
};
use trunkline_plugin_api::Identity;

use crate::{config::Inbound, model::Millis};

/// Messages after which senders that are within their limit again are forgotten; the sweeper does
/// the same with time. So there are never many more than those who wrote lately.
const FORGET_EVERY: u32 = 65_536;
/// Between two notices about one channel.
const TELL_EVERY_MS: Millis = 60_000;

type Steps = NoOpMiddleware<std::time::Instant>;
/// Senders by the hash of their identity: no text is kept, and 16 bytes for each.
type Senders = RateLimiter<u64, HashMapStateStore<u64>, MonotonicClock, Steps>;
type Whole = RateLimiter<NotKeyed, InMemoryState, MonotonicClock, Steps>;

/// The limits of one channel and how much of them is used.
pub struct Limiter {
    rates: ArcSwapOption<Rates>,
    hasher: RandomState,
    checks: AtomicU32,
    over: AtomicU64,
    told_ms: AtomicI64,
}

/// What was configured, and what it came to.
struct Rates {
    limits: Inbound,
    senders: Option<Senders>,
    whole: Option<Whole>,
}

impl Default for Limiter {
    fn default() -> Self {
        Self {
            rates: ArcSwapOption::empty(),
            hasher: RandomState::new(),
            checks: AtomicU32::new(0),
            over: AtomicU64::new(0),
            told_ms: AtomicI64::new(Millis::MIN),
        }
    }
}

impl Limiter {
    /// Counts a message. True where it is over a limit.
    pub fn is_over(&self, limits: &Inbound, sender: &Identity) -> bool {
        if limits.sender_per_minute == 0 && limits.channel_per_second == 0 {
            return false;
        }
        let rates = self.rates.load();
        match rates.as_deref() {
            Some(rates) if rates.limits == *limits => self.count(rates, sender),
            _ => {
                let rates = Arc::new(Rates::new(limits));
                self.rates.store(Some(rates.clone()));
                self.count(&rates, sender)
            }
        }
    }

    fn count(&self, rates: &Rates, sender: &Identity) -> bool {
        if self.checks.fetch_add(1, Relaxed) % FORGET_EVERY == FORGET_EVERY - 1 {
            rates.forget();
        }
        let by_sender = rates.senders.as_ref().is_some_and(|senders| {
            let key = (sender.space.as_str(), sender.identifier.as_str());
            senders.check_key(&self.hasher.hash_one(key)).is_err()
        });
        let by_channel = rates
            .whole
            .as_ref()
            .is_some_and(|whole| whole.check().is_err());
        by_sender || by_channel
    }

    /// Forgets the senders that are within their limit again.
    pub fn forget(&self) {
        if let Some(rates) = self.rates.load().as_deref() {
            rates.forget();
        }
    }

    /// Notes that messages were marked. Gives how many since the last notice, where it is time for
    /// another.
    pub fn tell(&self, marked: u32, now_ms: Millis) -> Option<u64> {
        self.over.fetch_add(u64::from(marked), Relaxed);
        let told_ms = self.told_ms.load(Relaxed);
        if now_ms < told_ms.saturating_add(TELL_EVERY_MS) {
            return None;
        }
        let first = self
            .told_ms
            .compare_exchange(told_ms, now_ms, Relaxed, Relaxed);
        first.ok().map(|_| self.over.swap(0, Relaxed))
    }
}

impl Rates {
    fn new(limits: &Inbound) -> Self {
        let senders = NonZeroU32::new(limits.sender_per_minute);
        let whole = NonZeroU32::new(limits.channel_per_second);
        Self {
            limits: limits.clone(),
            senders: senders.map(|most| {
                RateLimiter::new(
                    Quota::per_minute(most),
                    HashMapStateStore::default(),
                    MonotonicClock,
                )
            }),
            whole: whole.map(|most| {
                RateLimiter::direct_with_clock(Quota::per_second(most), MonotonicClock)
            }),
        }
    }

    fn forget(&self) {
        if let Some(senders) = &self.senders {
            senders.retain_recent();
            senders.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(sender_per_minute: u32, channel_per_second: u32) -> Inbound {
        Inbound {
            sender_per_minute,
            channel_per_second,
        }
    }

    fn over(limiter: &Limiter, limits: &Inbound, sender: &str, count: usize) -> usize {
        let sender = Identity::new("phone", sender);
        (0..count)
            .filter(|_| limiter.is_over(limits, &sender))
            .count()
    }

    #[test]
    fn each_sender_has_a_limit_of_their_own() {
        let limiter = Limiter::default();
        let limits = limits(5, 0);
        assert_eq!(over(&limiter, &limits, "a", 8), 3);
        assert_eq!(over(&limiter, &limits, "b", 5), 0);
        let same_word = Identity::new("whatsapp", "a");
        assert!(!limiter.is_over(&limits, &same_word));
    }

    #[test]
    fn the_channel_has_one_for_all() {
        let limiter = Limiter::default();
        let limits = limits(0, 1000);
        let sum: usize = (0..100)
            .map(|sender| over(&limiter, &limits, &sender.to_string(), 100))
            .sum();
        assert!(sum > 5_000, "{sum} of 10,000");
    }

    #[test]
    fn zero_is_no_limit_and_other_limits_hold_at_once() {
        let limiter = Limiter::default();
        assert_eq!(over(&limiter, &limits(0, 0), "a", 1000), 0);
        assert_eq!(over(&limiter, &limits(5, 0), "a", 6), 1);
        assert_eq!(over(&limiter, &limits(50, 0), "a", 6), 0);
    }

    #[test]
    fn many_senders_are_forgotten_again() {
        let limiter = Limiter::default();
        // At this rate a sender is within the limit again after 60 us.
        let limits = limits(1_000_000, 0);
        for sender in 0..200_000 {
            over(&limiter, &limits, &sender.to_string(), 1);
        }
        let known = |limiter: &Limiter| {
            let rates = limiter.rates.load();
            let rates = rates.as_deref().expect("limits are set");
            rates.senders.as_ref().expect("there is a limit").len()
        };
        let bound = usize::try_from(FORGET_EVERY).expect("it fits") + 10_000;
        assert!(known(&limiter) < bound, "{}", known(&limiter));
        let started = std::time::Instant::now();
        while known(&limiter) > 0 {
            assert!(started.elapsed().as_secs() < 10, "still known");
            limiter.forget();
        }
    }

    #[test]
    fn notices_are_grouped() {
        let limiter = Limiter::default();
        assert_eq!(limiter.tell(1, 1_000), Some(1));
        assert_eq!(limiter.tell(1, 2_000), None);
        assert_eq!(limiter.tell(3, 60_999), None);
        assert_eq!(limiter.tell(1, 61_000), Some(5));
    }
}
