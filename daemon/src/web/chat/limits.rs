//! How much visitors may do: by visitor, by network address, and for strangers who ask for a token.
//! What is over a limit is refused with a word on when to come back; nothing is dropped silently.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, Hash, RandomState},
    net::IpAddr,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use governor::{
    Quota, RateLimiter, clock::MonotonicClock, middleware::NoOpMiddleware,
    state::keyed::HashMapStateStore,
};
use parking_lot::Mutex;

use super::{refusal::Refusal, token::Visitor};
use crate::{model::ChannelId, web::client::network};

/// Frames of one visitor: a second, and at once.
const VISITOR: (u32, u32) = (5, 100);
/// Frames from one address. Many visitors may share one.
const ADDRESS: (u32, u32) = (200, 2_000);
/// New or wrong tokens from one address.
const STRANGER: (u32, u32) = (2, 100);
/// Pages of one address that are connected.
const PAGES_MAX: u32 = 500;
/// Checks after which those who are within their limit again are forgotten.
const FORGET_EVERY: u32 = 8_192;

/// Buckets by the hash of what is counted.
type Buckets =
    RateLimiter<u64, HashMapStateStore<u64>, MonotonicClock, NoOpMiddleware<std::time::Instant>>;

/// The limits and how much of them is used.
pub(super) struct Limits {
    visitors: Buckets,
    addresses: Buckets,
    strangers: Buckets,
    pages: Arc<Mutex<HashMap<IpAddr, u32>>>,
    hasher: RandomState,
    checks: AtomicU32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            visitors: buckets(VISITOR),
            addresses: buckets(ADDRESS),
            strangers: buckets(STRANGER),
            pages: Arc::default(),
            hasher: RandomState::new(),
            checks: AtomicU32::new(0),
        }
    }
}

fn buckets((each_second, at_once): (u32, u32)) -> Buckets {
    let number = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
    let quota = Quota::per_second(number(each_second)).allow_burst(number(at_once));
    RateLimiter::new(quota, HashMapStateStore::default(), MonotonicClock)
}

impl Limits {
    /// Counts a frame of a visitor.
    pub(super) fn frame(
        &self,
        channel: &ChannelId,
        visitor: &Visitor,
        address: IpAddr,
    ) -> Result<(), Refusal> {
        self.check(&self.visitors, (channel.as_str(), visitor))?;
        self.check(&self.addresses, network(address))
    }

    /// Counts somebody who asks for a token, or has a wrong one.
    pub(super) fn stranger(&self, address: IpAddr) -> Result<(), Refusal> {
        self.check(&self.strangers, network(address))
    }

    /// Counts a connected page for as long as what it gives lives.
    pub(super) fn page(&self, address: IpAddr) -> Result<PagePermit, Refusal> {
        let address = network(address);
        let mut pages = self.pages.lock();
        let count = pages.entry(address).or_default();
        if *count >= PAGES_MAX {
            return Err(Refusal::slow_down());
        }
        *count += 1;
        Ok(PagePermit {
            pages: self.pages.clone(),
            address,
        })
    }

    fn check(&self, buckets: &Buckets, key: impl Hash) -> Result<(), Refusal> {
        if self.checks.fetch_add(1, Relaxed) % FORGET_EVERY == FORGET_EVERY - 1 {
            for buckets in [&self.visitors, &self.addresses, &self.strangers] {
                buckets.retain_recent();
                buckets.shrink_to_fit();
            }
        }
        let hash = self.hasher.hash_one(key);
        buckets.check_key(&hash).map_err(|_| Refusal::slow_down())
    }
}

/// A connected page; dropping it ends its count.
pub(super) struct PagePermit {
    pages: Arc<Mutex<HashMap<IpAddr, u32>>>,
    address: IpAddr,
}

impl Drop for PagePermit {
    fn drop(&mut self) {
        let mut pages = self.pages.lock();
        if let Some(count) = pages.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                pages.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;
    use crate::web::chat::token::TokenKey;

    #[test]
    fn each_visitor_has_a_limit_of_their_own() {
        let limits = Limits::default();
        let channel = ChannelId::new("web");
        let key = TokenKey::new(&[1; 32]);
        let (ada, bob) = (key.issue(&channel).1, key.issue(&channel).1);
        let address = IpAddr::from([192, 0, 2, 1]);
        let taken = (0..300)
            .filter(|_| limits.frame(&channel, &ada, address).is_ok())
            .count();
        assert!((100..200).contains(&taken), "{taken}");
        assert!(limits.frame(&channel, &bob, address).is_ok());
    }

    #[test]
    fn strangers_of_one_network_share_a_limit() {
        let limits = Limits::default();
        let taken = (0..300_u16)
            .filter(|host| {
                let address = Ipv6Addr::new(0x2001, 0xdb8, 0, 1, *host, 0, 0, 1);
                limits.stranger(address.into()).is_ok()
            })
            .count();
        assert!((100..200).contains(&taken), "{taken}");
        let elsewhere = Ipv6Addr::new(0x2001, 0xdb8, 0, 2, 0, 0, 0, 1);
        assert!(limits.stranger(elsewhere.into()).is_ok());
    }

    #[test]
    fn pages_are_given_back() {
        let limits = Limits::default();
        let address = IpAddr::from([192, 0, 2, 1]);
        let permits: Vec<_> = (0..PAGES_MAX).map(|_| limits.page(address)).collect();
        assert!(permits.iter().all(Result::is_ok));
        assert!(limits.page(address).is_err());
        drop(permits);
        assert!(limits.page(address).is_ok());
        assert!(limits.pages.lock().is_empty());
    }
}
