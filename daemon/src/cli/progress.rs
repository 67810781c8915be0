//! How far long work is, on standard error: a bar in a terminal, a line now and then elsewhere.

use std::{
    io::IsTerminal as _,
    sync::Mutex,
    time::{Duration, Instant},
};

use indicatif::{BinaryBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Time between two lines where there is no terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(10);
/// Time between two drawings of a bar that shows only that work goes on.
const TICK: Duration = Duration::from_millis(200);

/// Work under way.
pub(super) struct Progress {
    what: String,
    unit: Unit,
    bar: ProgressBar,
    /// When the last line was written; none in a terminal.
    line: Option<Mutex<Instant>>,
}

/// What is counted.
#[derive(Debug, Clone, Copy)]
enum Unit {
    Bytes,
    Items,
}

impl Progress {
    /// Work counted in bytes: what is done ("backing up"), and how much there is where it is known.
    pub(super) fn bytes(what: &str, total: Option<u64>) -> Self {
        Self::begin(what, Unit::Bytes, total)
    }

    /// Work counted in items.
    pub(super) fn items(what: &str, total: Option<u64>) -> Self {
        Self::begin(what, Unit::Items, total)
    }

    fn begin(what: &str, unit: Unit, total: Option<u64>) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let target = if terminal {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(total, target).with_message(what.to_owned());
        if let Ok(style) = ProgressStyle::with_template(template(unit, total.is_some())) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(TICK);
        Self {
            what: what.to_owned(),
            unit,
            bar,
            line: (!terminal).then(|| Mutex::new(Instant::now())),
        }
    }

    /// So much is done by now, of the whole.
    pub(super) fn reach(&self, done: u64) {
        self.bar.set_position(done);
        let Some(line) = &self.line else { return };
        let Ok(mut last) = line.lock() else { return };
        if last.elapsed() >= LINE_INTERVAL {
            *last = Instant::now();
            eprintln!("{}", self.sentence());
        }
    }

    /// So much more is done.
    pub(super) fn advance(&self, more: u64) {
        self.reach(self.bar.position().saturating_add(more));
    }

    /// Ends it, and leaves no bar behind; what came of the work is said by the verb.
    pub(super) fn finish(self) {
        self.bar.finish_and_clear();
    }

    fn sentence(&self) -> String {
        let (what, done) = (&self.what, self.amount(self.bar.position()));
        match self.bar.length() {
            Some(total) => format!("{what}: {done} of {}", self.amount(total)),
            None => format!("{what}: {done}"),
        }
    }

    fn amount(&self, count: u64) -> String {
        match self.unit {
            Unit::Bytes => BinaryBytes(count).to_string(),
            Unit::Items => count.to_string(),
        }
    }
}

fn template(unit: Unit, total: bool) -> &'static str {
    match (unit, total) {
        (Unit::Bytes, true) => {
            "{msg} {wide_bar} {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta}"
        }
        (Unit::Bytes, false) => "{spinner} {msg} {binary_bytes}, {binary_bytes_per_sec}",
        (Unit::Items, true) => "{msg} {wide_bar} {pos} of {len}, {per_sec}, {eta}",
        (Unit::Items, false) => "{spinner} {msg} {pos}, {per_sec}",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_says_what_is_done_of_how_much() {
        let known = Progress::bytes("backing up", Some(4 << 20));
        known.reach(1 << 20);
        assert_eq!(known.sentence(), "backing up: 1.00 MiB of 4.00 MiB");
        let unknown = Progress::items("importing", None);
        unknown.advance(2);
        unknown.advance(1);
        assert_eq!(unknown.sentence(), "importing: 3");
    }
}
