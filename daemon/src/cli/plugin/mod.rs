//! `trunkline plugin`: what the daemon found in its plugin folders; list, inspect, release. And beginning and
//! trying one: new, test.

mod file;
mod interface;
mod new;
mod release;
mod test;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use self::release::Release;
use super::{
    admin::{Admin, Query, id},
    detail,
    failure::Failure,
    list::ListArgs,
    output,
    table::{self, Column, word},
};

/// How much of a hash tells two files apart at a glance.
const HASH_CHARS: usize = 12;

const COLUMNS: [Column; 8] = [
    Column::text("ID", "/id"),
    Column::text("VERSION", "/version"),
    Column::text("STATE", "/state"),
    Column::text("PINNED", "/pinned"),
    Column::text("CHANNELS", "/channels"),
    Column::made("SHA256", hash),
    Column::text("PATH", "/path"),
    Column::text("REASON", "/reason"),
];

const KEYS: [Column; 3] = [
    Column::text("KEY", "/key"),
    Column::text("REQUIRED", "/required"),
    Column::text("MEANING", "/meaning"),
];

/// The verb.
#[derive(Debug, Subcommand)]
pub(super) enum Plugin {
    /// Lists plugins, also those that were refused, with the reason.
    List(ListArgs),
    /// Shows a plugin: what it can do and which keys its channels take. A file is only read, never run.
    Inspect(Inspect),
    /// Takes a plugin out of quarantine and starts its channels; exits 1 where one is still down.
    Release(Release),
    /// Begins an adapter: a folder that builds, passes the kit and sends through the simulator. Needs no
    /// daemon.
    New(new::New),
    /// Tries a plugin's file as the conformance kit does, in processes of its own. Needs no daemon.
    Test(test::Test),
}

/// One plugin.
#[derive(Debug, Args)]
pub(super) struct Inspect {
    /// The adapter's id; or a file, a path with a slash or one that ends in ".so", for which no daemon is needed.
    #[arg(value_parser = id_or_path, value_name = "PLUGIN")]
    plugin: String,
    /// Prints the API's JSON.
    #[arg(long)]
    json: bool,
}

impl Plugin {
    /// True where the daemon has to be asked.
    pub(super) fn asks_daemon(&self) -> bool {
        match self {
            Self::Inspect(inspect) => inspect.file().is_none(),
            Self::List(_) | Self::Release(_) => true,
            Self::New(_) | Self::Test(_) => false,
        }
    }

    /// Does what needs no daemon.
    pub(super) fn perform_alone(self) -> Result<(), Failure> {
        match self {
            Self::New(new) => new.perform(),
            Self::Test(test) => test.perform(),
            Self::Inspect(inspect) => match inspect.file() {
                Some(path) => file::inspect(&path, inspect.json),
                None => Ok(()),
            },
            Self::List(_) | Self::Release(_) => Ok(()),
        }
    }

    /// Asks the daemon.
    pub(super) async fn perform(self, admin: &Admin) -> Result<(), Failure> {
        match self {
            Self::List(list) => {
                list.show(admin, &["plugins"], Query::default(), &COLUMNS)
                    .await
            }
            Self::Inspect(inspect) => inspect.perform(admin).await,
            Self::Release(release) => release.perform(admin).await,
            Self::New(_) | Self::Test(_) => Ok(()),
        }
    }
}

fn id_or_path(text: &str) -> Result<String, String> {
    match file::path(text) {
        Some(_) => Ok(text.to_owned()),
        None => id(text),
    }
}

impl Inspect {
    fn file(&self) -> Option<PathBuf> {
        file::path(&self.plugin)
    }

    async fn perform(&self, admin: &Admin) -> Result<(), Failure> {
        let mut plugin = admin
            .get(&["plugins", &self.plugin], &Query::default())
            .await?;
        if self.json {
            return output::print_json(&plugin);
        }
        let manifest = plugin["manifest"].as_object_mut();
        let schema = manifest
            .and_then(|members| members.shift_remove("config_schema"))
            .unwrap_or_default();
        output::print(&detail::render(&plugin))?;
        output::print(&format!("\n{}", table::render(&keys(&schema), &KEYS)))
    }
}

/// The keys of a channel's section, from its JSON Schema.
fn keys(schema: &Value) -> Vec<Value> {
    let required = schema["required"].as_array();
    let properties = schema["properties"].as_object().into_iter().flatten();
    properties
        .map(|(key, property)| {
            let needed = required.is_some_and(|names| names.iter().any(|name| name == key));
            let meaning = word(property.get("description"));
            json!({"key": key, "required": needed, "meaning": meaning})
        })
        .collect()
}

fn hash(plugin: &Value) -> String {
    let hash = word(plugin.get("sha256"));
    hash.chars().take(HASH_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_becomes_a_list_of_keys() {
        let schema = json!({
            "required": ["from"],
            "properties": {"from": {"description": "Our number."}, "max_len": {}},
        });
        let expected = [
            json!({"key": "from", "required": true, "meaning": "Our number."}),
            json!({"key": "max_len", "required": false, "meaning": "-"}),
        ];
        assert_eq!(keys(&schema), expected);
        assert!(keys(&Value::Null).is_empty());
    }
}
