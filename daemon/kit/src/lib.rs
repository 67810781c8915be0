//! The conformance kit: what a plugin must keep to, tried on its file.
//!
//! ```text
//! file ─────> elf ───────────────────────> checks of the file
//!      └────> worker (a process, sealed in) ─ manifest ─ open ─┐
//! fixtures ─> channels, cases ─────────────────────────────────┴─> bench ─> checks ─> Report
//!                                                                    └─ watch: secrets, sizes, times
//! ```
//!
//! - Whatever of the plugin runs, runs in another process: one that crashes, hangs or opens a file fails
//!   the check that made the call, and the next check begins with a new process.
//! - A check is a function in `checks`; each has an id that does not change.
//! - Nothing here knows a provider: what is right is said by the interface and by the fixtures.

#![forbid(unsafe_code)]

mod bench;
mod calls;
mod checks;
mod diff;
mod elf;
mod findings;
mod options;
mod play;
mod report;
#[cfg(test)]
mod tests;
mod watch;

use std::time::Instant;

pub use options::Options;
pub use report::{CheckReport, Outcome, Report};

use bench::Bench;

/// Tries a file. Blocks until every check is done.
pub fn test(options: &Options) -> Report {
    let begun = Instant::now();
    let mut bench = Bench::new(options);
    let checks = checks::run(&mut bench);
    let mut notes = Vec::new();
    if bench.manifest.is_ok() && bench.cases().is_empty() {
        notes.push(match &bench.fixtures {
            Some(folder) => format!(
                "no cases could be used from {}: what needs them was skipped",
                folder.display()
            ),
            None => {
                "no fixtures were found (--fixtures names the folder): what needs them was skipped"
                    .into()
            }
        });
    }
    Report {
        file: options.file.clone(),
        sha256: bench.sha256.clone(),
        id: bench.note.as_ref().map(|note| note.id.clone()),
        version: bench.note.as_ref().map(|note| note.version.clone()),
        fixtures: bench.fixtures.clone(),
        channels: bench.channels.len(),
        cases: bench
            .channels
            .iter()
            .map(|channel| channel.cases.len())
            .sum(),
        notes,
        passed: checks.iter().all(|check| check.outcome != Outcome::Failed),
        checks,
        millis: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
    }
}
