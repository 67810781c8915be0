//! How many forms may be sent: by network address, and of one form in all.

use std::{net::IpAddr, num::NonZeroU32};

use governor::{
    Quota, RateLimiter, clock::MonotonicClock, middleware::NoOpMiddleware,
    state::keyed::HashMapStateStore,
};
use parking_lot::Mutex;

use crate::{config::Form, web::client::network};

/// Checks after which those who are within their limit again are forgotten.
const FORGET_EVERY: u32 = 4_096;

type Buckets<K> =
    RateLimiter<K, HashMapStateStore<K>, MonotonicClock, NoOpMiddleware<std::time::Instant>>;

/// The limits of all forms, and how much of them is used.
#[derive(Default)]
pub(crate) struct Limits {
    forms: Mutex<std::collections::HashMap<String, Used>>,
}

/// What was configured, and what it came to.
struct Used {
    rates: (u32, u32),
    addresses: Buckets<IpAddr>,
    whole: Buckets<()>,
    checks: u32,
}

impl Used {
    fn new(form: &Form) -> Self {
        Self {
            rates: rates(form),
            addresses: buckets(form.address_per_hour),
            whole: buckets(form.per_hour),
            checks: 0,
        }
    }
}

fn rates(form: &Form) -> (u32, u32) {
    (form.address_per_hour, form.per_hour)
}

fn buckets<K: std::hash::Hash + Eq + Clone>(per_hour: u32) -> Buckets<K> {
    let per_hour = NonZeroU32::new(per_hour).unwrap_or(NonZeroU32::MIN);
    RateLimiter::new(
        Quota::per_hour(per_hour),
        HashMapStateStore::default(),
        MonotonicClock,
    )
}

impl Limits {
    /// Counts a form. True where it is over a limit. A changed limit begins anew.
    pub(super) fn is_over(&self, slug: &str, form: &Form, address: Option<IpAddr>) -> bool {
        let mut forms = self.forms.lock();
        let used = forms
            .entry(slug.to_owned())
            .or_insert_with(|| Used::new(form));
        if used.rates != rates(form) {
            *used = Used::new(form);
        }
        used.checks += 1;
        if used.checks.is_multiple_of(FORGET_EVERY) {
            used.addresses.retain_recent();
        }
        let by_address = address.is_some_and(|address| {
            let network = network(address);
            used.addresses.check_key(&network).is_err()
        });
        by_address || used.whole.check_key(&()).is_err()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_own_limit_and_a_form_one_for_all() {
        let limits = Limits::default();
        let form = Form {
            address_per_hour: 2,
            per_hour: 5,
            ..Form::default()
        };
        let over = |address: &str| limits.is_over("contact", &form, address.parse().ok());
        assert_eq!([over("192.0.2.1"), over("192.0.2.1")], [false, false]);
        assert!(over("192.0.2.1"));
        assert_eq!([over("2001:db8::1"), over("2001:db8::2")], [false, false]);
        assert!(over("2001:db8::3"), "the same network");
        assert!(!over("192.0.2.2"));
        assert!(over("192.0.2.3"), "five in all");
    }
}
