//! `trunkline store verify`: every record of a stopped store, proved.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::{
    super::{failure::Failure, output, progress::Progress},
    path_of,
};
use crate::store::{EngineOptions, Inspection, give_back, inspect};

/// A look at every record.
#[derive(Debug, Args)]
pub(in crate::cli) struct Verify {
    /// The store's folder; that of the configuration by default.
    folder: Option<PathBuf>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

impl Verify {
    /// Does it.
    pub(super) fn perform(self, file: &Path) -> Result<(), Failure> {
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
