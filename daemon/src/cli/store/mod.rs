//! `trunkline store`: what the store is, and what is done to it, most of it while no daemon runs.

mod format;
mod verify;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::json;

use self::{
    format::{Info, Migrate},
    verify::Verify,
};
use super::{admin::Admin, erase, failure::Failure, output};
use crate::{
    config::{Config, Environment},
    store::{EngineOptions, OpenError, give_back, repair},
};

/// The verb.
#[derive(Debug, Subcommand)]
pub(super) enum Store {
    /// Says what the store is: its format, the version that wrote it, what is in it, its bytes on disk.
    Info(Info),
    /// Looks at every record: checksums, counts, files that records name. Prints digests, by which two stores are
    /// known to hold the same.
    Verify(Verify),
    /// Brings the store to the format of this version, as a start would. The daemon must be stopped.
    Migrate(Migrate),
    /// Goes on without what can't be read, where a start refuses a damaged log. The daemon must be
    /// stopped; a backup is better where there is one.
    Repair {
        /// Prints JSON.
        #[arg(long)]
        json: bool,
    },
    /// Removes from the store's files, while the daemon runs, what was deleted before.
    Compact {
        /// Prints the API's JSON.
        #[arg(long)]
        json: bool,
    },
}

impl Store {
    /// Does what needs no daemon.
    pub(super) fn perform(self, file: &Path) -> Result<(), Failure> {
        match self {
            Self::Info(verb) => verb.perform(file),
            Self::Verify(verb) => verb.perform(file),
            Self::Migrate(verb) => verb.perform(file),
            Self::Repair { json } => go_on(file, json),
            Self::Compact { .. } => Ok(()),
        }
    }

    /// Whether the daemon does it.
    pub(super) fn asks_daemon(&self) -> bool {
        matches!(self, Self::Compact { .. })
    }

    /// Has the daemon do it.
    pub(super) async fn ask(self, admin: &Admin) -> Result<(), Failure> {
        match self {
            Self::Compact { json } => erase::compact(admin, json).await,
            _ => Ok(()),
        }
    }
}

/// The folder of the store that the configuration names.
pub(super) fn path_of(file: &Path) -> Result<PathBuf, Failure> {
    let config = Config::load(file, &Environment::of_process())
        .map_err(|errors| Failure::Configuration(errors.to_string()))?;
    Ok(config.store.path)
}

fn failed(error: &OpenError) -> Failure {
    Failure::said(error.to_string())
}

/// Repairs, and says what is lost.
fn go_on(file: &Path, json: bool) -> Result<(), Failure> {
    let folder = path_of(file)?;
    let repaired = repair(&folder, EngineOptions::default());
    give_back(&folder)?;
    let report = repaired.map_err(|error| failed(&error))?;
    if json {
        return output::print_json(&json!({"position": report.position, "lost": report.lost}));
    }
    let mut lines = vec![format!("kept up to commit {}", report.position)];
    lines.extend(
        report
            .lost
            .iter()
            .map(|(first, last)| format!("lost     commits {first} to {last}")),
    );
    if report.lost.is_empty() {
        lines.push("nothing is lost".into());
    }
    output::print(&lines.join("\n"))
}
