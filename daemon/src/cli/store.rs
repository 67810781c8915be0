//! `trunkline store`: what is done to the store while no daemon runs.

use std::path::Path;

use clap::Subcommand;
use serde_json::json;

use super::{failure::Failure, output};
use crate::{
    config::{Config, Environment},
    store::{EngineOptions, repair},
};

/// The verb.
#[derive(Debug, Subcommand)]
pub(super) enum Store {
    /// Goes on without what can't be read, where a start refuses a damaged log. The daemon must be
    /// stopped; a backup is better where there is one.
    Repair {
        /// Prints JSON.
        #[arg(long)]
        json: bool,
    },
}

impl Store {
    /// Does it.
    pub(super) fn perform(self, file: &Path) -> Result<(), Failure> {
        match self {
            Self::Repair { json } => go_on(file, json),
        }
    }
}

/// Repairs, and says what is lost.
fn go_on(file: &Path, json: bool) -> Result<(), Failure> {
    let config = Config::load(file, &Environment::of_process())
        .map_err(|errors| Failure::Configuration(errors.to_string()))?;
    let report = repair(&config.store.path, EngineOptions::default())
        .map_err(|error| Failure::said(error.to_string()))?;
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
