//! What came of the checks: for people a table, for programs JSON.

use std::{
    fmt::{self, Display, Formatter},
    path::PathBuf,
    time::Duration,
};

use serde::Serialize;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It holds.
    Passed,
    /// It does not hold.
    Failed,
    /// It could not be tried, or not to its end.
    Skipped,
}

impl Outcome {
    fn mark(self) -> char {
        match self {
            Self::Passed => '✓',
            Self::Failed => '✗',
            Self::Skipped => '–',
        }
    }
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// Its id, stable: `tampering`.
    pub id: &'static str,
    /// What holds where it passes, in one line.
    pub title: &'static str,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it was skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What does not hold: what was done, what was expected, what came, what to do.
    pub failures: Vec<String>,
    /// What is allowed and still worth a look.
    pub warnings: Vec<String>,
    /// What was found out, where the check measures something.
    pub facts: Vec<String>,
    /// How long it took, in milliseconds.
    pub millis: u64,
}

/// All checks of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The file.
    pub file: PathBuf,
    /// Its SHA-256 in lower-case hex, as pins name it; empty where it can't be read.
    pub sha256: String,
    /// The adapter's id, by its note.
    pub id: Option<String>,
    /// Its version, by its note.
    pub version: Option<String>,
    /// The folder of fixtures that was used.
    pub fixtures: Option<PathBuf>,
    /// Channels in it.
    pub channels: usize,
    /// Cases in it.
    pub cases: usize,
    /// What the reader should know of the run as a whole, one line each.
    pub notes: Vec<String>,
    /// True where no check failed.
    pub passed: bool,
    /// The checks in the order of their run.
    pub checks: Vec<CheckReport>,
    /// How long it all took, in milliseconds.
    pub millis: u64,
}

impl Report {
    /// The check of this id.
    pub fn check(&self, id: &str) -> Option<&CheckReport> {
        self.checks.iter().find(|check| check.id == id)
    }

    /// How many checks ended so.
    pub fn count(&self, outcome: Outcome) -> usize {
        let checks = self.checks.iter();
        checks.filter(|check| check.outcome == outcome).count()
    }

    /// The report in one line.
    pub fn summary(&self) -> String {
        format!(
            "{} passed, {} failed, {} skipped in {}",
            self.count(Outcome::Passed),
            self.count(Outcome::Failed),
            self.count(Outcome::Skipped),
            time(self.millis)
        )
    }

    fn heading(&self) -> String {
        match (&self.id, &self.version) {
            (Some(id), Some(version)) => format!("{id} {version}  {}", self.file.display()),
            _ => self.file.display().to_string(),
        }
    }
}

/// The table, without a line break at its end.
impl Display for Report {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        writeln!(out, "{}", self.heading())?;
        if let Some(folder) = &self.fixtures {
            let folder = folder.display();
            writeln!(
                out,
                "{} cases of {} channels in {folder}",
                self.cases, self.channels
            )?;
        }
        for note in &self.notes {
            writeln!(out, "{note}")?;
        }
        writeln!(out)?;
        let widest = |width: fn(&CheckReport) -> usize| self.checks.iter().map(width).max();
        let ids = widest(|check| check.id.len()).unwrap_or(0);
        let titles = widest(|check| check.title.chars().count()).unwrap_or(0);
        for check in &self.checks {
            let CheckReport { id, title, .. } = check;
            let mark = check.outcome.mark();
            let time = time(check.millis);
            writeln!(out, "{mark} {id:<ids$}  {title:<titles$}  {time:>7}")?;
            for words in &check.failures {
                writeln!(out, "{}", indented("✗ ", words))?;
            }
            for words in &check.warnings {
                writeln!(out, "{}", indented("! ", words))?;
            }
            for words in check.reason.iter().chain(&check.facts) {
                writeln!(out, "{}", indented("", words))?;
            }
        }
        write!(out, "\n{}", self.summary())
    }
}

fn indented(mark: &str, words: &str) -> String {
    let lines = words.replace('\n', "\n      ");
    format!("    {mark}{lines}")
}

fn time(millis: u64) -> String {
    match millis {
        0..1000 => format!("{millis} ms"),
        _ => format!("{:.1} s", Duration::from_millis(millis).as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(id: &'static str, outcome: Outcome) -> CheckReport {
        CheckReport {
            id,
            title: "A thing holds",
            outcome,
            reason: None,
            failures: Vec::new(),
            warnings: Vec::new(),
            facts: Vec::new(),
            millis: 3,
        }
    }

    #[test]
    fn the_table_says_what_and_why() {
        let failed = CheckReport {
            failures: vec!["one line\nand another".into()],
            warnings: vec!["look here".into()],
            millis: 1520,
            ..check("b_longer", Outcome::Failed)
        };
        let skipped = CheckReport {
            reason: Some("no fixtures".into()),
            ..check("c", Outcome::Skipped)
        };
        let report = Report {
            file: "a.so".into(),
            sha256: String::new(),
            id: Some("a".into()),
            version: Some("1.0.0".into()),
            fixtures: Some("fixtures".into()),
            channels: 2,
            cases: 7,
            notes: vec!["a note".into()],
            passed: false,
            checks: vec![check("a", Outcome::Passed), failed, skipped],
            millis: 1526,
        };
        let want = "\
a 1.0.0  a.so
7 cases of 2 channels in fixtures
a note

✓ a         A thing holds     3 ms
✗ b_longer  A thing holds    1.5 s
    ✗ one line
      and another
    ! look here
– c         A thing holds     3 ms
    no fixtures

1 passed, 1 failed, 1 skipped in 1.5 s";
        assert_eq!(report.to_string(), want);
    }
}
