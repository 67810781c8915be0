//! `trunkline secret list`: which secrets there are, and where they are kept.

use std::path::Path;

use clap::Args;
use serde_json::{Value, json};

use super::{
    super::{
        failure::Failure,
        output,
        table::{self, Column},
    },
    refused,
};
use crate::{
    config::{Place, SecretUse},
    gateway,
};

const COLUMNS: [Column; 4] = [
    Column::text("SECRET", "/place"),
    Column::text("FORM", "/form"),
    Column::text("KEPT IN", "/kept_in"),
    Column::text("WRITTEN AT", "/written_at"),
];

/// The verb.
#[derive(Debug, Args)]
pub(in crate::cli) struct List {
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

impl List {
    pub(super) fn perform(self, config: &Path) -> Result<(), Failure> {
        let secrets = gateway::secrets(config).map_err(refused)?;
        let items: Vec<Value> = secrets.iter().map(shown).collect();
        if self.json {
            return output::print_json(&json!({ "items": items }));
        }
        output::print(&table::render(&items, &COLUMNS))
    }
}

fn shown(secret: &SecretUse) -> Value {
    let (file, line, variable) = match &secret.written {
        Place::File { file, line } => (Some(file.display().to_string()), Some(line), None),
        Place::Environment(name) => (None, None, Some(name.to_string())),
    };
    json!({
        "place": secret.key,
        "form": secret.form,
        "kept_in": (!secret.name.is_empty()).then_some(&secret.name),
        "written_at": secret.written.to_string(),
        "file": file,
        "line": line,
        "variable": variable,
    })
}
