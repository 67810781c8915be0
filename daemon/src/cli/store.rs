//! `trunkline store`: compact it; repair it while no daemon runs.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{admin::Admin, erase, failure::Failure, output, progress::Progress};
use crate::{
    config::{Config, Environment},
    store::{EngineOptions, Inspection, give_back, inspect, repair},
};

/// The verb.
#[derive(Debug, Subcommand)]
pub(super) enum Store {
    /// Looks at every record: checksums, counts, files that records name. Prints digests, by which two stores are
    /// known to hold the same.
    Verify(Verify),
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
    /// Does it.
    pub(super) fn perform(self, file: &Path) -> Result<(), Failure> {
        match self {
            Self::Verify(verify) => verify.perform(file),
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
            Self::Verify(_) | Self::Repair { .. } => Ok(()),
            Self::Compact { json } => erase::compact(admin, json).await,
        }
    }
}

/// A look at every record.
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// The store's folder; that of the configuration by default.
    folder: Option<PathBuf>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

impl Verify {
    fn perform(self, file: &Path) -> Result<(), Failure> {
        let folder = match self.folder {
            Some(folder) => folder,
            None => path_of(file)?,
        };
        if !folder.join("log").is_dir() {
            let words = format!("{} is no store of Trunkline", folder.display());
            return Err(Failure::said(words));
        }
        let progress = Progress::items("looking at records", None);
        let inspected = inspect(&folder, EngineOptions::default(), &mut |records| {
            progress.reach(records);
        });
        progress.finish();
        give_back(&folder)?;
        let found = inspected.map_err(|error| Failure::said(error.to_string()))?;
        if self.json {
            output::print_json(&shown(&found))?;
        } else {
            output::print(&lines(&found))?;
        }
        if found.files_missing.is_empty() {
            return Ok(());
        }
        let count = found.files_missing.len();
        output::complain(&format!(
            "trunkline: {count} files that records name are missing"
        ));
        Err(Failure::Told)
    }
}

/// The folder of the store that the configuration names.
pub(super) fn path_of(file: &Path) -> Result<PathBuf, Failure> {
    let config = Config::load(file, &Environment::of_process())
        .map_err(|errors| Failure::Configuration(errors.to_string()))?;
    Ok(config.store.path)
}

fn shown(found: &Inspection) -> Value {
    let kinds = found.kinds.iter().map(|kind| {
        json!({"kind": kind.kind.to_string(), "records": kind.records, "digest": kind.digest})
    });
    json!({
        "position": found.position,
        "records": found.records,
        "digest": found.digest,
        "kinds": kinds.collect::<Vec<_>>(),
        "files": found.files,
        "files_missing": found.files_missing,
        "mended": found.mended,
    })
}

fn lines(found: &Inspection) -> String {
    let mut lines = vec![
        format!("position {}", found.position),
        format!("records  {}", found.records),
        format!("digest   {}", found.digest),
        format!(
            "files    {}, {} missing",
            found.files,
            found.files_missing.len()
        ),
    ];
    lines.extend(
        found
            .files_missing
            .iter()
            .map(|name| format!("missing  {name}")),
    );
    lines.extend(
        found
            .mended
            .iter()
            .map(|why| format!("mended   {}", output::clean(why))),
    );
    lines.join("\n")
}

/// Repairs, and says what is lost.
fn go_on(file: &Path, json: bool) -> Result<(), Failure> {
    let folder = path_of(file)?;
    let repaired = repair(&folder, EngineOptions::default());
    give_back(&folder)?;
    let report = repaired.map_err(|error| Failure::said(error.to_string()))?;
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
