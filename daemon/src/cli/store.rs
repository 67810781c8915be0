//! `trunkline store`: compact it; repair it while no daemon runs.

use std::path::Path;

use clap::Subcommand;

use super::{admin::Admin, erase, failure::Failure, output};
use crate::{
    config::{Config, Environment},
    store::{EngineOptions, repair},
};

/// The verb.
#[derive(Debug, Subcommand)]
pub(super) enum Store {
    /// Goes on without what can't be read, where a start refuses a damaged log. The daemon must be
    /// stopped; a backup is better where there is one.
    Repair,
    /// Removes from the store's files, while the daemon runs, what was deleted before.
    Compact {
        /// Prints the API's JSON.
        #[arg(long)]
        json: bool,
    },
}

impl Store {
    /// Does it.
    pub(super) fn perform(self, file: &Path) -> Result<(), Failure> {
        match self {
            Self::Repair => go_on(file),
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
            Self::Repair => Ok(()),
            Self::Compact { json } => erase::compact(admin, json).await,
        }
    }
}

/// Repairs, and says what is lost.
fn go_on(file: &Path) -> Result<(), Failure> {
    let config = Config::load(file, &Environment::of_process())
        .map_err(|errors| Failure::Configuration(errors.to_string()))?;
    let report = repair(&config.store.path, EngineOptions::default())
        .map_err(|error| Failure::said(error.to_string()))?;
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
