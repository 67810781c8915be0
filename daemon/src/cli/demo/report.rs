//! What the demo tells, and what it counts.
//!
//! Counts come in pairs: what the story made should have happened, and what the gateway's API or
//! the simulated provider says has happened.

use std::time::Duration;

use super::super::{
    failure::Failure,
    output,
    table::{align, micros},
};

/// What is counted over the whole story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    /// Webhooks, mails and lines of chats, each answered as it should be.
    Handed,
    /// Messages of people, each stored once.
    Stored,
    /// Webhooks recognised as repeated.
    Duplicates,
    /// Webhooks refused as not genuine.
    Refused,
    /// Turns made of bursts.
    Turns,
    /// Replies that got as far as their channel tells.
    Delivered,
    /// Requests of ours that a provider would dislike.
    Disliked,
}

impl Count {
    const ALL: [Self; 7] = [
        Self::Handed,
        Self::Stored,
        Self::Duplicates,
        Self::Refused,
        Self::Turns,
        Self::Delivered,
        Self::Disliked,
    ];

    fn words(self) -> &'static str {
        match self {
            Self::Handed => "webhooks, mails and chat lines answered rightly",
            Self::Stored => "messages stored, each once",
            Self::Duplicates => "duplicates recognised",
            Self::Refused => "forgeries refused",
            Self::Turns => "bursts made one turn",
            Self::Delivered => "replies delivered, as far as their channel tells",
            Self::Disliked => "requests of ours that a provider would dislike",
        }
    }
}

/// The report so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    chapters: usize,
    expected: [usize; Count::ALL.len()],
    counted: [usize; Count::ALL.len()],
    acknowledged: Vec<Duration>,
    off: Vec<String>,
}

impl Report {
    /// Begins a chapter.
    pub(super) fn chapter(&mut self, title: &str) -> Result<(), Failure> {
        self.chapters += 1;
        output::print(&format!("\n{:>2}  {title}", self.chapters))
    }

    /// Keeps how long something that came in took to be acknowledged.
    pub(super) fn acknowledged(&mut self, after: Duration) {
        self.acknowledged.push(after);
    }

    /// Adds to a count.
    pub(super) fn add(&mut self, count: Count, expected: usize, counted: usize) {
        self.expected[count as usize] += expected;
        self.counted[count as usize] += counted;
    }

    /// Tells whether something is as it should be.
    pub(super) fn check<T: PartialEq + std::fmt::Display>(
        &mut self,
        what: &str,
        expected: &T,
        found: &T,
    ) -> Result<(), Failure> {
        if expected == found {
            return say(&format!("✓ {what}: {found}"));
        }
        let words = format!("{what}: {found}, should be {expected}");
        say(&format!("✗ {words}"))?;
        self.off.push(words);
        Ok(())
    }

    /// Ends the story: prints the counts, with the messages that the gateway really holds.
    pub(super) fn finish(&mut self, stored: usize) -> Result<(), Failure> {
        self.counted[Count::Stored as usize] = stored;
        for count in Count::ALL {
            let (expected, counted) = (self.expected[count as usize], self.counted[count as usize]);
            if expected != counted {
                let words = count.words();
                self.off
                    .push(format!("{words}: {counted}, should be {expected}"));
            }
        }
        output::print(&format!("\nWhat happened\n{}", self.table()))?;
        output::print(&format!("\n{}", self.latencies()))
    }

    /// The failure that the counts amount to, if they do.
    pub(super) fn verdict(&self) -> Result<(), Failure> {
        if self.off.is_empty() {
            return output::print("\nEverything is as it should be.");
        }
        let count = self.off.len();
        let list = self.off.join("\n  ");
        Err(Failure::said(format!(
            "the demo is not as it should be in {count} places:\n  {list}"
        )))
    }

    fn table(&self) -> String {
        let titles = ["", "EXPECTED", "COUNTED", ""].map(str::to_owned).to_vec();
        let rows = Count::ALL.map(|count| {
            let (expected, counted) = (self.expected[count as usize], self.counted[count as usize]);
            let mark = if expected == counted { "✓" } else { "✗" };
            vec![
                format!("  {}", count.words()),
                expected.to_string(),
                counted.to_string(),
                mark.to_owned(),
            ]
        });
        align(titles, rows.to_vec(), &[false, true, true, false])
    }

    fn latencies(&self) -> String {
        let mut sorted = self.acknowledged.clone();
        sorted.sort_unstable();
        format!(
            "  What came in was stored durably and answered after {} (median), {} (99 of 100).",
            shown(percentile(&sorted, 50)),
            shown(percentile(&sorted, 99)),
        )
    }
}

/// Tells something in the chapter that was begun last.
pub(super) fn say(words: &str) -> Result<(), Failure> {
    output::print(&format!("    {}", output::clean(words)))
}

/// A duration for people.
pub(super) fn shown(duration: Duration) -> String {
    micros(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
}

/// The value that `percent` of a sorted list do not exceed; zero for none.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_of_the_list() {
        let list: Vec<_> = (1..=200).map(Duration::from_millis).collect();
        assert_eq!(percentile(&list, 50), Duration::from_millis(100));
        assert_eq!(percentile(&list, 99), Duration::from_millis(198));
        assert_eq!(percentile(&list[..1], 99), Duration::from_millis(1));
        assert_eq!(percentile(&[], 50), Duration::ZERO);
    }

    #[test]
    fn one_count_that_is_off_is_a_failure_in_words() {
        let mut report = Report::default();
        report.add(Count::Stored, 3, 0);
        report.add(Count::Refused, 2, 2);
        report.finish(3).expect("printed");
        assert!(report.verdict().is_ok());
        report.add(Count::Duplicates, 1, 0);
        report.finish(3).expect("printed");
        let failure = report.verdict().expect_err("off");
        assert_eq!(failure.code(), 1);
        let words = failure.to_string();
        assert!(
            words.contains("duplicates recognised: 0, should be 1"),
            "{words}"
        );
    }

    #[test]
    fn a_check_that_fails_is_remembered() {
        let mut report = Report::default();
        report.check("answer", &200, &200).expect("printed");
        assert!(report.verdict().is_ok());
        report.check("answer", &200, &503).expect("printed");
        assert!(report.verdict().is_err());
    }
}
