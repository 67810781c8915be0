//! How fast a channel may send: what the operator allows, what the provider asked for, and a gentle
//! start after an outage. Plain state; the time comes in as an argument.

use super::bucket::{Bucket, SharedBucket, bucket};
use crate::{config::Rate, model::Millis};

/// Slowest rate that a throttled channel falls to, in sends a second.
const SLOWEST: f64 = 1.0;
/// A channel that was slower than this when it was first refused says little about what its provider
/// takes: it is slowed from here.
const MEASURED_MIN: f64 = 10.0;
/// What a refusal for pace leaves of the rate.
const SLOWED: f64 = 0.5;
/// What each success makes of a slowed rate, and what it adds at least.
const QUICKENED: f64 = 1.05;
const QUICKENED_BY: f64 = 0.5;
/// A slowed rate this much above the one that was refused is no limit any more.
const LIFTED: f64 = 2.0;
/// Refusals within this time after a slow-down belong to calls that had begun before it.
const SAME_REFUSAL_MS: Millis = 250;
/// Over this time the rate of sends is measured.
const WINDOW_MS: Millis = 1_000;
/// Pause where the provider refuses twice in a row without saying for how long.
const PAUSE_MS: u64 = 1_000;

/// A channel that its provider has throttled.
#[derive(Debug, Clone)]
struct Slowed {
    bucket: Bucket,
    /// The rate that was refused.
    refused: f64,
    since_ms: Millis,
}

/// What bounds a channel from outside at the moment.
#[derive(Debug, Clone, Copy)]
pub struct Bounds<'a> {
    /// Calls at once.
    pub concurrency: usize,
    /// The channel's own rate, where it has one.
    pub rate: Option<Rate>,
    /// The rate of its provider account, where it shares one.
    pub account: Option<(&'a SharedBucket, Rate)>,
}

/// How fast one channel may send.
#[derive(Debug, Default)]
pub struct Pace {
    own: Option<(Rate, Bucket)>,
    slowed: Option<Slowed>,
    paused_until_ms: Millis,
    refused_in_a_row: u32,
    /// Calls at once after an outage; none: as many as are allowed.
    ramp: Option<usize>,
    window: Window,
}

/// Sends begun in the window that runs and in the one before.
#[derive(Debug, Default)]
struct Window {
    began_ms: Millis,
    count: usize,
    before: usize,
}

impl Window {
    fn count(&mut self, begun: usize, now_ms: Millis) {
        self.turn(now_ms);
        self.count += begun;
    }

    fn turn(&mut self, now_ms: Millis) {
        let passed = now_ms - self.began_ms;
        if passed >= WINDOW_MS {
            self.before = if passed < 2 * WINDOW_MS {
                self.count
            } else {
                0
            };
            self.count = 0;
            self.began_ms = now_ms;
        }
    }

    /// Sends a second.
    fn rate(&mut self, now_ms: Millis) -> f64 {
        self.turn(now_ms);
        #[expect(clippy::cast_precision_loss, reason = "a number of calls")]
        let rate = self.before.max(self.count) as f64;
        rate
    }
}

impl Pace {
    /// How many more calls may begin now, while `under_way` are.
    pub fn room(&mut self, bounds: Bounds<'_>, under_way: usize, now_ms: Millis) -> usize {
        if now_ms < self.paused_until_ms {
            return 0;
        }
        let at_once = self
            .ramp
            .map_or(bounds.concurrency, |ramp| ramp.min(bounds.concurrency));
        let mut room = at_once.saturating_sub(under_way);
        if let Some(own) = self.own(bounds.rate, now_ms) {
            room = room.min(own.available(now_ms));
        }
        if let Some(slowed) = &mut self.slowed {
            room = room.min(slowed.bucket.available(now_ms));
        }
        if let Some((shared, rate)) = bounds.account {
            room = room.min(shared.with(rate, now_ms, |bucket| bucket.available(now_ms)));
        }
        room
    }

    /// Calls begin: their tokens are taken.
    pub fn begin(&mut self, bounds: Bounds<'_>, calls: usize, now_ms: Millis) {
        if calls == 0 {
            return;
        }
        self.window.count(calls, now_ms);
        if let Some(own) = self.own(bounds.rate, now_ms) {
            own.take(calls);
        }
        if let Some(slowed) = &mut self.slowed {
            slowed.bucket.take(calls);
        }
        if let Some((shared, rate)) = bounds.account {
            shared.with(rate, now_ms, |bucket| bucket.take(calls));
        }
    }

    /// Milliseconds until something may begin, as far as pace is concerned; 0 where it may now or
    /// where only a call's end makes room.
    pub fn wait_ms(&mut self, bounds: Bounds<'_>, now_ms: Millis) -> Millis {
        let mut wait = (self.paused_until_ms - now_ms).max(0);
        if let Some(own) = self.own(bounds.rate, now_ms) {
            wait = wait.max(own.wait_ms(now_ms));
        }
        if let Some(slowed) = &mut self.slowed {
            wait = wait.max(slowed.bucket.wait_ms(now_ms));
        }
        if let Some((shared, rate)) = bounds.account {
            wait = wait.max(shared.with(rate, now_ms, |bucket| bucket.wait_ms(now_ms)));
        }
        wait
    }

    /// The provider took a message: a slowed channel quickens a little, a ramp doubles.
    pub fn sent(&mut self, concurrency: usize, now_ms: Millis) {
        self.refused_in_a_row = 0;
        self.ramp = self
            .ramp
            .map(|allowed| allowed.saturating_mul(2))
            .filter(|allowed| *allowed < concurrency);
        if let Some(slowed) = &mut self.slowed {
            let rate = slowed.bucket.rate();
            let rate = (rate * QUICKENED).max(rate + QUICKENED_BY);
            if rate > slowed.refused * LIFTED {
                self.slowed = None;
            } else {
                slowed.bucket.set_rate(rate, rate / 10.0, now_ms);
            }
        }
    }

    /// The provider refused for pace: the channel slows to half of what it did. Refused again
    /// without a success between, it pauses for as long as the provider asks.
    pub fn throttled(&mut self, retry_after_ms: Option<u64>, now_ms: Millis) {
        self.refused_in_a_row += 1;
        if self.refused_in_a_row > 1 {
            let pause = Millis::try_from(retry_after_ms.unwrap_or(PAUSE_MS)).unwrap_or(Millis::MAX);
            self.paused_until_ms = self.paused_until_ms.max(now_ms.saturating_add(pause));
        }
        let since = self.slowed.as_ref().map(|slowed| slowed.since_ms);
        if since.is_some_and(|since| now_ms - since < SAME_REFUSAL_MS) {
            return;
        }
        let refused = match &self.slowed {
            Some(slowed) => slowed.bucket.rate(),
            None => self.window.rate(now_ms).max(MEASURED_MIN),
        };
        let rate = (refused * SLOWED).max(SLOWEST);
        let mut bucket = Bucket::new(rate, rate / 10.0, now_ms);
        bucket.drain();
        self.slowed = Some(Slowed {
            bucket,
            refused,
            since_ms: now_ms,
        });
    }

    /// A send failed for a reason that may pass: a ramp steps back.
    pub fn failed(&mut self) {
        self.ramp = self.ramp.map(|allowed| (allowed / 2).max(1));
    }

    /// The channel is back after an outage: one call at a time, doubling with each success.
    pub fn recovered(&mut self) {
        self.ramp = Some(1);
    }

    fn own(&mut self, rate: Option<Rate>, now_ms: Millis) -> Option<&mut Bucket> {
        let rate = rate?;
        let (known, own) = self.own.get_or_insert_with(|| (rate, bucket(rate, now_ms)));
        if *known != rate {
            *known = rate;
            own.set_rate(rate.per_second, rate.burst(), now_ms);
        }
        Some(own)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The rate that the provider's refusals leave, in sends a second; none where it is not slowed.
    fn slowed_to(pace: &Pace) -> Option<f64> {
        pace.slowed.as_ref().map(|slowed| slowed.bucket.rate())
    }

    fn free(concurrency: usize) -> Bounds<'static> {
        Bounds {
            concurrency,
            rate: None,
            account: None,
        }
    }

    fn rate(per_second: f64, burst: u32) -> Rate {
        Rate {
            per_second,
            burst: Some(burst),
        }
    }

    #[test]
    fn a_rate_bounds_what_begins() {
        let mut pace = Pace::default();
        let bounds = Bounds {
            rate: Some(rate(2.0, 3)),
            ..free(16)
        };
        assert_eq!(pace.room(bounds, 0, 0), 3);
        pace.begin(bounds, 3, 0);
        assert_eq!(pace.room(bounds, 0, 0), 0);
        assert_eq!(pace.wait_ms(bounds, 0), 500);
        assert_eq!(pace.room(bounds, 0, 500), 1);
        assert_eq!(pace.room(bounds, 0, 60_000), 3, "no more than the burst");
    }

    #[test]
    fn channels_of_one_account_share_its_rate() {
        let shared = SharedBucket::new(rate(1.0, 2), 0);
        let bounds = Bounds {
            account: Some((&shared, rate(1.0, 2))),
            ..free(16)
        };
        let (mut one, mut other) = (Pace::default(), Pace::default());
        one.begin(bounds, 1, 0);
        assert_eq!(other.room(bounds, 0, 0), 1);
        other.begin(bounds, 1, 0);
        assert_eq!(one.room(bounds, 0, 0), 0);
        assert_eq!(one.wait_ms(bounds, 0), 1000);
    }

    #[test]
    fn a_refusal_halves_the_rate_and_successes_lift_the_limit_step_by_step() {
        let mut pace = Pace::default();
        pace.begin(free(16), 100, 500);
        pace.throttled(Some(5_000), 900);
        assert_eq!(slowed_to(&pace), Some(50.0));
        assert!(
            pace.wait_ms(free(16), 900) < 100,
            "one refusal does not stop the channel"
        );
        let mut last = 50.0;
        for _ in 0..28 {
            pace.sent(16, 2_000);
            let now = slowed_to(&pace).expect("lifted at once");
            assert!(now > last);
            last = now;
        }
        pace.sent(16, 2_000);
        assert_eq!(slowed_to(&pace), None);
    }

    #[test]
    fn a_second_refusal_in_a_row_pauses_for_as_long_as_asked() {
        let mut pace = Pace::default();
        pace.throttled(Some(5_000), 0);
        pace.throttled(Some(5_000), 10);
        assert_eq!(pace.room(free(16), 0, 5_009), 0);
        assert_eq!(pace.room(free(16), 0, 5_010), 1);
    }

    #[test]
    fn after_an_outage_it_begins_with_one_and_doubles() {
        let mut pace = Pace::default();
        pace.recovered();
        let mut seen = Vec::new();
        for _ in 0..5 {
            seen.push(pace.room(free(16), 0, 0));
            pace.sent(16, 0);
        }
        assert_eq!(seen, [1, 2, 4, 8, 16]);
        pace.recovered();
        pace.sent(16, 0);
        pace.failed();
        assert_eq!(pace.room(free(16), 0, 0), 1);
    }

    proptest! {
        #[test]
        fn a_bucket_never_gives_more_than_its_rate(
            per_second in 0.1f64..200.0,
            burst in 1u32..50,
            steps in prop::collection::vec(0i64..500, 1..200),
        ) {
            let bounds = Bounds { rate: Some(rate(per_second, burst)), ..free(1000) };
            let (mut pace, mut now, mut begun) = (Pace::default(), 0, 0usize);
            for step in steps {
                now += step;
                let room = pace.room(bounds, 0, now);
                pace.begin(bounds, room, now);
                begun += room;
            }
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let most = f64::from(burst) + per_second * now as f64 / 1000.0;
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let begun = begun as f64;
            prop_assert!(begun <= most + 0.001, "{begun} of at most {most}");
        }

        #[test]
        fn whatever_happened_time_lets_it_send_again(events in prop::collection::vec(0u8..4, 0..100)) {
            let (mut pace, mut now) = (Pace::default(), 0);
            for event in events {
                now += 37;
                match event {
                    0 => pace.sent(16, now),
                    1 => pace.throttled(Some(100), now),
                    2 => pace.failed(),
                    _ => pace.recovered(),
                }
            }
            let wait = pace.wait_ms(free(16), now);
            prop_assert!(wait <= 2_000, "waits {wait} ms");
            prop_assert!(pace.room(free(16), 0, now + wait) >= 1);
        }
    }
}
