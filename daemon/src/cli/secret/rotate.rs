//! `trunkline secret rotate`: every sealed secret under the newest key.

use std::path::Path;

use anyhow::Context;
use clap::Args;
use serde_json::{Value, json};

use super::{
    super::{failure::Failure, output},
    keys, refused,
};
use crate::{
    config::Resealed,
    seal::{KeyRing, is_sealed},
};

/// The verb.
#[derive(Debug, Args)]
pub(in crate::cli) struct Rotate {
    /// Opens everything and says what would be sealed anew; writes nothing.
    #[arg(long)]
    dry_run: bool,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

impl Rotate {
    pub(super) fn perform(self, config: &Path) -> Result<(), Failure> {
        let keys = keys(config)?;
        let ids = keys.ids();
        let files = Resealed::read_all(config, &keys).map_err(refused)?;
        for name in left_in_variables(&keys) {
            output::complain(&format!(
                "environment: {name}: is sealed with an older key: seal it anew with `trunkline secret \
                 seal`"
            ));
        }
        // Everything has been opened and sealed anew in memory: only writing can fail from here.
        if !self.dry_run {
            for file in files.iter().filter(|file| !file.anew.is_empty()) {
                let name = file.file.display();
                file.write().with_context(|| {
                    format!(
                        "{name} could not be replaced, and is as it was; files named before it in \
                         the order of their names are done. Keep the old keys, and run this again"
                    )
                })?;
            }
        }
        if self.json {
            let files: Vec<Value> = files.iter().map(|file| self.as_json(file)).collect();
            return output::print_json(&json!({
                "key": ids.first(),
                "dry_run": self.dry_run,
                "files": files,
            }));
        }
        output::print(&self.words(&ids, &files))
    }

    fn as_json(&self, file: &Resealed) -> Value {
        let written = !self.dry_run && !file.anew.is_empty();
        json!({
            "file": file.file.display().to_string(),
            "sealed_anew": file.anew,
            "current": file.current,
            "backup": written.then(|| file.backup().display().to_string()),
        })
    }

    fn words(&self, ids: &[String], files: &[Resealed]) -> String {
        let key = ids.first().map_or("", String::as_str);
        let verb = if self.dry_run {
            "would be sealed anew"
        } else {
            "sealed anew"
        };
        let mut lines = Vec::new();
        for file in files {
            let name = file.file.display();
            let anew = file
                .anew
                .iter()
                .map(|place| format!("{name}: {place}: {verb}"));
            lines.extend(anew);
            let current = file.current.iter();
            lines.extend(current.map(|place| format!("{name}: {place}: has key {key} already")));
            if !self.dry_run && !file.anew.is_empty() {
                let backup = file.backup();
                lines.push(format!("{name}: as it was: {}", backup.display()));
            }
        }
        let anew: usize = files.iter().map(|file| file.anew.len()).sum();
        lines.push(match (anew, self.dry_run) {
            (0, _) => format!("Nothing to do: no secret is sealed with a key other than {key}."),
            (anew, true) => format!("{anew} would be sealed with key {key}. Nothing was written."),
            (anew, false) => format!(
                "{anew} sealed with key {key}. Run `trunkline reload`; then take the old keys out of \
                 [secrets] key and remove the copies, which only the old keys open."
            ),
        });
        lines.join("\n")
    }
}

/// The variables of the configuration whose sealed values can't be replaced from here.
fn left_in_variables(keys: &KeyRing) -> Vec<String> {
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    variables
        .filter(|(name, value)| {
            name.starts_with("TRUNKLINE__") && is_sealed(value) && !keys.is_current(value)
        })
        .map(|(name, _)| name)
        .collect()
}
