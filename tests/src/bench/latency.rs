//! Latencies and how they are shown.

use std::fmt;
use std::time::Duration;

/// Latencies of many requests, in microseconds.
#[derive(Debug, Clone, Default)]
pub struct Latencies {
    sorted_us: Vec<u32>,
}

impl Latencies {
    /// Sorts the measured values.
    pub fn new(mut measured_us: Vec<u32>) -> Self {
        measured_us.sort_unstable();
        Self {
            sorted_us: measured_us,
        }
    }

    /// Joins two sets.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        let mut all = self.sorted_us;
        all.extend(other.sorted_us);
        Self::new(all)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.sorted_us.len()
    }

    /// The value that `per_mille` of a thousand requests stay under; 1,000 is the largest.
    pub fn at(&self, per_mille: usize) -> Duration {
        let last = self.sorted_us.len().saturating_sub(1);
        let index = (self.sorted_us.len() * per_mille / 1_000).min(last);
        let us = self.sorted_us.get(index).copied().unwrap_or_default();
        Duration::from_micros(us.into())
    }
}

impl fmt::Display for Latencies {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p50, p90, p99, max] = [500, 900, 990, 1_000].map(|at| ms(self.at(at)));
        write!(out, "p50 {p50}  p90 {p90}  p99 {p99}  max {max}")
    }
}

/// Whole requests a second; zero where no time passed.
pub fn rate(count: usize, elapsed: Duration) -> u32 {
    let per_second = (count as u128 * 1_000_000).checked_div(elapsed.as_micros());
    u32::try_from(per_second.unwrap_or_default()).unwrap_or(u32::MAX)
}

/// How many requests a rate makes in a time.
pub fn count(per_second: u32, length: Duration) -> usize {
    usize::try_from(u128::from(per_second) * length.as_millis() / 1_000).unwrap_or(usize::MAX)
}

/// Microseconds in the measured form; more than an hour is shown as an hour.
pub fn micros(elapsed: Duration) -> u32 {
    u32::try_from(elapsed.as_micros()).unwrap_or(u32::MAX)
}

/// `12.34 ms`
pub fn ms(duration: Duration) -> String {
    format!("{:.2} ms", duration.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests {
    use super::Latencies;

    #[test]
    fn percentiles_are_taken_from_the_right_places() {
        let latencies = Latencies::new((1..=1_000).rev().collect());
        let at = |per_mille| latencies.at(per_mille).as_micros();
        assert_eq!([at(500), at(990), at(1_000)], [501, 991, 1_000]);
        assert_eq!(Latencies::default().at(990).as_micros(), 0);
    }
}
