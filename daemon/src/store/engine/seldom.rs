//! Says a thing at most once in a while, and how often it was not said.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Between two sayings.
const PAUSE: Duration = Duration::from_secs(10);

/// One thing that may happen very often.
#[derive(Debug, Default)]
pub(crate) struct Seldom(Mutex<Said>);

#[derive(Debug, Default)]
struct Said {
    at: Option<Instant>,
    kept_back: u64,
}

impl Seldom {
    /// It happened: how often it was kept back since it was last said, where it is to be said now.
    pub(crate) fn due(&self) -> Option<u64> {
        let mut said = self.0.lock();
        if said.at.is_some_and(|at| at.elapsed() < PAUSE) {
            said.kept_back += 1;
            return None;
        }
        said.at = Some(Instant::now());
        Some(std::mem::take(&mut said.kept_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_said_once() {
        let seldom = Seldom::default();
        assert_eq!(seldom.due(), Some(0));
        assert!((0..1000).all(|_| seldom.due().is_none()));
        seldom.0.lock().at = None;
        assert_eq!(seldom.due(), Some(1000));
    }
}
