//! Token buckets, one's own and shared. Plain state; the time comes in as an argument.

use parking_lot::Mutex;

use crate::{config::Rate, model::Millis};

/// Tokens are compared with this much grace, so that a sum of fractions counts as whole.
const GRACE: f64 = 1e-6;

/// A token bucket: `rate` tokens a second, at most `burst` at once.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    rate: f64,
    burst: f64,
    tokens: f64,
    at_ms: Millis,
}

impl Bucket {
    /// A full bucket.
    pub(super) fn new(rate: f64, burst: f64, now_ms: Millis) -> Self {
        let burst = burst.max(1.0);
        Self {
            rate,
            burst,
            tokens: burst,
            at_ms: now_ms,
        }
    }

    /// Tokens a second.
    pub(super) fn rate(&self) -> f64 {
        self.rate
    }

    /// Takes all that is there.
    pub(super) fn drain(&mut self) {
        self.tokens = 0.0;
    }

    fn refill(&mut self, now_ms: Millis) {
        let passed = (now_ms - self.at_ms).max(0);
        self.at_ms = self.at_ms.max(now_ms);
        #[expect(clippy::cast_precision_loss, reason = "a time between two calls")]
        let seconds = passed as f64 / 1000.0;
        self.tokens = (self.tokens + seconds * self.rate).min(self.burst);
    }

    /// Whole tokens that are there now.
    pub(super) fn available(&mut self, now_ms: Millis) -> usize {
        self.refill(now_ms);
        whole(self.tokens + GRACE)
    }

    /// Takes tokens, also such as are not there yet: those to come pay for them.
    pub(super) fn take(&mut self, count: usize) {
        #[expect(clippy::cast_precision_loss, reason = "a number of calls")]
        let count = count as f64;
        self.tokens -= count;
    }

    /// Milliseconds until a token is there.
    pub(super) fn wait_ms(&mut self, now_ms: Millis) -> Millis {
        self.refill(now_ms);
        let missing = 1.0 - GRACE - self.tokens;
        if missing <= 0.0 {
            return 0;
        }
        let wait = (missing / self.rate * 1000.0).ceil();
        #[expect(clippy::cast_possible_truncation, reason = "casts of floats saturate")]
        let wait = wait as Millis;
        wait.max(1)
    }

    /// Changes the rate from now on.
    pub(super) fn set_rate(&mut self, rate: f64, burst: f64, now_ms: Millis) {
        self.refill(now_ms);
        self.rate = rate;
        self.burst = burst.max(1.0);
        self.tokens = self.tokens.min(self.burst);
    }
}

fn whole(tokens: f64) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "casts of floats saturate, and a negative one is no token"
    )]
    let whole = tokens.max(0.0) as usize;
    whole
}

/// A bucket that several channels take from.
#[derive(Debug)]
pub struct SharedBucket(Mutex<(Rate, Bucket)>);

impl SharedBucket {
    /// A full bucket of this rate.
    pub fn new(rate: Rate, now_ms: Millis) -> Self {
        Self(Mutex::new((rate, bucket(rate, now_ms))))
    }

    /// The bucket, with its rate as configured now.
    pub(super) fn with<R>(
        &self,
        rate: Rate,
        now_ms: Millis,
        run: impl FnOnce(&mut Bucket) -> R,
    ) -> R {
        let mut held = self.0.lock();
        if held.0 != rate {
            held.0 = rate;
            held.1.set_rate(rate.per_second, rate.burst(), now_ms);
        }
        run(&mut held.1)
    }
}

/// A full bucket of a configured rate.
pub(super) fn bucket(rate: Rate, now_ms: Millis) -> Bucket {
    Bucket::new(rate.per_second, rate.burst(), now_ms)
}
