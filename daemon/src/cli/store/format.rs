//! `trunkline store info` and `migrate`: which format the store has, and bringing it to ours.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;

use super::{
    super::{
        admin::{Admin, Query},
        block_on,
        failure::Failure,
        output,
        progress::Progress,
        socket,
    },
    failed, path_of,
};
use crate::store::{
    EngineOptions, MigrationReport, OpenError, Teller, give_back, info, migrate, try_migration,
};

/// What the store is.
#[derive(Debug, Args)]
pub(in crate::cli) struct Info {
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// A migration.
#[derive(Debug, Args)]
pub(in crate::cli) struct Migrate {
    /// Says what would change, by doing it to a copy; changes nothing.
    #[arg(long)]
    dry_run: bool,
    /// Where the copy of a dry run goes; it needs as much room as the log and the index.
    #[arg(long, value_name = "FOLDER", requires = "dry_run")]
    scratch: Option<PathBuf>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

impl Info {
    /// Does it.
    pub(super) fn perform(self, file: &Path) -> Result<(), Failure> {
        let known = match info(&path_of(file)?) {
            Ok(info) => serde_json::to_value(info).map_err(anyhow::Error::from)?,
            Err(OpenError::Locked { .. }) => ask(file)?,
            Err(error) => return Err(failed(&error)),
        };
        if self.json {
            return output::print_json(&known);
        }
        output::print(&words(&known))
    }
}

/// Asks the daemon, which has the store.
fn ask(file: &Path) -> Result<Value, Failure> {
    let mut answer = Value::Null;
    block_on(async {
        let admin = Admin::new(socket::path(file)?)?;
        answer = admin.get(&["store"], &Query::default()).await?;
        Ok(())
    })?;
    Ok(answer)
}

fn words(known: &Value) -> String {
    let text = |name: &str| output::clean(known[name].as_str().unwrap_or("unknown"));
    let mut lines = vec![
        format!("path        {}", text("path")),
        format!("format      {}", known["format"]),
        format!("written by  Trunkline {}", text("written_by")),
        format!("position    {}", known["position"]),
    ];
    if known["migrating"] == true {
        lines.push("a migration is not finished: the next start goes on with it".into());
    }
    for (name, what) in [("records", "records"), ("bytes", "bytes")] {
        for (kind, count) in known[name].as_object().into_iter().flatten() {
            lines.push(format!("{what:11} {count:>12} {}", output::clean(kind)));
        }
    }
    lines.join("\n")
}

impl Migrate {
    /// Does it.
    pub(super) fn perform(self, file: &Path) -> Result<(), Failure> {
        let path = path_of(file)?;
        let options = EngineOptions {
            teller: shown(),
            ..EngineOptions::default()
        };
        let report = if self.dry_run {
            let scratch = match &self.scratch {
                Some(folder) => tempfile::tempdir_in(folder),
                None => tempfile::tempdir(),
            };
            let scratch = scratch.map_err(|error| {
                Failure::said(format!(
                    "there is no room for a copy: {error}; name a folder with --scratch"
                ))
            })?;
            try_migration(&path, scratch.path(), options)
        } else {
            let migrated = migrate(&path, options);
            give_back(&path)?;
            migrated
        };
        let report = report.map_err(|error| failed(&error))?;
        if self.json {
            let mut report = serde_json::to_value(report).map_err(anyhow::Error::from)?;
            report["dry_run"] = self.dry_run.into();
            return output::print_json(&report);
        }
        output::print(&told(&report, self.dry_run))
    }
}

/// Shows how far long work is on standard error.
fn shown() -> Teller {
    let bar: parking_lot::Mutex<Option<(String, Progress)>> = parking_lot::Mutex::new(None);
    Teller::to(move |progress| {
        let mut bar = bar.lock();
        let work = progress.work.to_string();
        if bar.as_ref().is_none_or(|(shown, _)| *shown != work) {
            let begun = Progress::items(&work, progress.total);
            if let Some((_, ended)) = bar.replace((work, begun)) {
                ended.finish();
            }
        }
        if let Some((_, shown)) = bar.as_ref() {
            shown.reach(progress.done);
        }
    })
}

fn told(report: &MigrationReport, dry_run: bool) -> String {
    if report.steps.is_empty() {
        return format!("the store has format {} already", report.to);
    }
    let verb = if dry_run {
        "would be migrated"
    } else {
        "was migrated"
    };
    let mut lines = vec![format!(
        "the store {verb} from format {} to {}",
        report.from, report.to
    )];
    lines.extend(report.steps.iter().map(|step| {
        format!(
            "{} to {}: {} ({} of {} records)",
            step.from, step.to, step.words, step.changed, step.records
        )
    }));
    if let Some(kept) = &report.kept {
        lines.push(format!("the old format is kept in {}", kept.display()));
    }
    lines.join("\n")
}
