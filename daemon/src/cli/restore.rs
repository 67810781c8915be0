//! `trunkline restore`: a store of a backup.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::{
    backup::{input, lines, shown, verify_file},
    failure::Failure,
    output,
    progress::Progress,
    store::path_of,
};
use crate::store::{EngineOptions, Restore as Work, RestoreError, Restored, Standing};

/// The verb.
#[derive(Debug, Args)]
pub(super) struct Restore {
    /// The backup; `-` is standard input.
    file: PathBuf,
    /// The folder that the store will be in; that of the configuration by default.
    #[arg(long, value_name = "FOLDER")]
    to: Option<PathBuf>,
    /// Proves the backup, says what is in it and what would be done, and changes nothing.
    #[arg(long)]
    dry_run: bool,
    /// Sends what waited in the queue at the moment of the backup without asking whether it was sent since: for a
    /// backup after which nothing was sent.
    #[arg(long)]
    resume_sends: bool,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

impl Restore {
    /// Does it.
    pub(super) fn perform(self, config: &Path) -> Result<(), Failure> {
        let target = match &self.to {
            Some(folder) => folder.clone(),
            None => path_of(config)?,
        };
        let target = std::path::absolute(target)?;
        let refused = |error: RestoreError| Failure::said(error.to_string());
        let mut work = Work::at(&target).map_err(refused)?;
        if self.dry_run {
            return self.dry(&work);
        }
        if self.file != Path::new("-") {
            verify_file(&self.file)?;
        }
        work.resume_sends = self.resume_sends;
        let (input, bytes) = input(&self.file)?;
        let progress = Progress::bytes("restoring", bytes);
        let restored = work.run(input, EngineOptions::default(), &mut |done| {
            progress.reach(done);
        });
        progress.finish();
        let restored = restored.map_err(|error| match error {
            RestoreError::Archive(_) => Failure::said(format!("{}: {error}", self.file.display())),
            other => refused(other),
        })?;
        self.say(&restored)
    }

    fn dry(&self, work: &Work) -> Result<(), Failure> {
        let contents = verify_file(&self.file)?;
        let target = work.target().display().to_string();
        let kept = (work.standing() == Standing::Store).then(|| work.free_name());
        if self.json {
            let mut shown = shown(&self.file, &contents);
            shown["verified"] = json!(true);
            shown["dry_run"] = json!(true);
            shown["store"] = json!(target);
            shown["kept"] = json!(kept);
            return output::print_json(&shown);
        }
        let found = lines("sound", &self.file, &contents);
        let rest = match kept {
            Some(kept) => format!("keep the store that is there as {}", kept.display()),
            None => "no store is there".to_owned(),
        };
        output::print(&format!("{found}\nwould     put it at {target}; {rest}"))
    }

    fn say(&self, restored: &Restored) -> Result<(), Failure> {
        if self.json {
            let mut shown = shown(&self.file, &restored.contents);
            shown["store"] = json!(restored.path);
            shown["kept"] = json!(restored.kept);
            shown["uncertain"] = json!(restored.held.uncertain);
            shown["scheduled"] = json!(restored.held.scheduled);
            return output::print_json(&shown);
        }
        let mut all = lines("restored", &self.file, &restored.contents);
        let mut add = |line: String| {
            all.push('\n');
            all.push_str(&line);
        };
        add(format!("store     {}", restored.path.display()));
        if let Some(kept) = &restored.kept {
            add(format!(
                "kept      the store that was there: {}",
                kept.display()
            ));
        }
        if self.resume_sends {
            add("queue     goes on as it was".to_owned());
        } else {
            add(format!(
                "queue     {} messages are uncertain: they may have been sent since the backup. Providers are \
                 asked where they can be; the rest waits for `trunkline outbox retry` or `discard`",
                restored.held.uncertain
            ));
        }
        add(
            "note      tokens, consents and switches are as they were then: what was revoked or recorded since is \
             not in it"
                .to_owned(),
        );
        output::print(&all)
    }
}
