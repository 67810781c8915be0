//! What was asked of the simulator, kept for tests to look at, bounded so that load can't fill memory.

use parking_lot::Mutex;
use std::collections::VecDeque;

/// One request that reached a provider's side, with what that provider would have disliked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedRequest {
    /// HTTP method.
    pub method: String,
    /// Path without query.
    pub path: String,
    /// Headers in the order they came, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Form parameters of a POST, query parameters otherwise; decoded, in order.
    pub params: Vec<(String, String)>,
    /// What was wrong with it, whether or not it was refused for it.
    pub problem: Option<String>,
}

impl RecordedRequest {
    /// The first parameter of this name.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The first header of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// The latest requests. Older ones make room; the total is counted on.
#[derive(Debug)]
pub(crate) struct RequestLog {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    kept: VecDeque<RecordedRequest>,
    kept_max: usize,
    total: u64,
}

impl RequestLog {
    /// Keeps the latest `kept_max` requests.
    pub(crate) fn new(kept_max: usize) -> Self {
        Self {
            state: Mutex::new(State {
                kept: VecDeque::new(),
                kept_max,
                total: 0,
            }),
        }
    }

    /// Changes how many are kept; 0 keeps none and still counts.
    pub(crate) fn keep(&self, kept_max: usize) {
        let mut state = self.state.lock();
        state.kept_max = kept_max;
        while state.kept.len() > kept_max {
            state.kept.pop_front();
        }
    }

    /// Counts a request, and keeps what `record` makes of it if any are kept.
    pub(crate) fn push(&self, record: impl FnOnce() -> RecordedRequest) {
        let mut state = self.state.lock();
        state.total += 1;
        if state.kept_max == 0 {
            return;
        }
        if state.kept.len() == state.kept_max {
            state.kept.pop_front();
        }
        state.kept.push_back(record());
    }

    /// The kept requests, oldest first.
    pub(crate) fn all(&self) -> Vec<RecordedRequest> {
        self.state.lock().kept.iter().cloned().collect()
    }

    /// The kept requests, oldest first; they are kept no longer.
    pub(crate) fn take(&self) -> Vec<RecordedRequest> {
        self.state.lock().kept.drain(..).collect()
    }

    /// How many requests came in all.
    pub(crate) fn total(&self) -> u64 {
        self.state.lock().total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(path: &str) -> RecordedRequest {
        RecordedRequest {
            method: "GET".to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            params: Vec::new(),
            problem: None,
        }
    }

    #[test]
    fn the_log_is_bounded_and_counts_on() {
        let log = RequestLog::new(2);
        for path in ["/a", "/b", "/c"] {
            log.push(|| request(path));
        }
        let paths: Vec<String> = log.all().into_iter().map(|kept| kept.path).collect();
        assert_eq!(paths, ["/b", "/c"]);
        log.keep(0);
        log.push(|| request("/d"));
        assert!(log.all().is_empty());
        assert_eq!(log.total(), 4);
    }
}
