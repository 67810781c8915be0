//! `trunkline contact`: list, show, timeline, merge, unmerge, export, erase.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    admin::{Admin, Query, id},
    detail, erase,
    failure::Failure,
    list::ListArgs,
    message, output,
    table::Column,
};

const COLUMNS: [Column; 4] = [
    Column::text("ID", "/id"),
    Column::text("NAME", "/name"),
    Column::made("IDENTITIES", identities),
    Column::time("CREATED", "/created_at"),
];

/// The verb.
#[derive(Debug, Subcommand)]
pub(super) enum Contact {
    /// Lists contacts.
    List {
        /// Only those with this number, address or id.
        #[arg(long, value_name = "ADDRESS")]
        identifier: Option<String>,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Shows one contact.
    Show(Show),
    /// Lists what was said with a contact over all channels, newest first.
    Timeline {
        /// The contact's id.
        #[arg(value_parser = id)]
        contact: String,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Makes another contact a part of one: the addresses of both, one timeline.
    Merge(Pair),
    /// Takes a merge back.
    Unmerge(Pair),
    /// Writes everything that is kept of a person, as JSON lines.
    Export(erase::Export),
    /// Removes a person and all that was said with them, for good.
    Erase(erase::Erase),
    /// Lists who was erased: by id, to be erased again after an older backup is restored.
    Erasures {
        #[command(flatten)]
        list: ListArgs,
    },
}

/// Two contacts.
#[derive(Debug, Args)]
pub(super) struct Pair {
    /// The id of the contact that is kept.
    #[arg(value_parser = id)]
    contact: String,
    /// The id of the other one.
    #[arg(value_parser = id)]
    other: String,
    /// Prints the API's JSON.
    #[arg(long)]
    json: bool,
}

/// One contact.
#[derive(Debug, Args)]
pub(super) struct Show {
    /// The contact's id.
    #[arg(value_parser = id)]
    contact: String,
    /// Prints the API's JSON.
    #[arg(long)]
    json: bool,
}

impl Contact {
    /// Does it.
    pub(super) async fn perform(self, admin: &Admin) -> Result<(), Failure> {
        match self {
            Self::List { identifier, list } => {
                let query = Query::default().with("identifier", identifier);
                list.show(admin, &["contacts"], query, &COLUMNS).await
            }
            Self::Show(Show { contact, json }) => {
                let found = admin
                    .get(&["contacts", &contact], &Query::default())
                    .await?;
                if json {
                    output::print_json(&found)
                } else {
                    output::print(&detail::render(&found))
                }
            }
            Self::Timeline { contact, list } => {
                let path = ["contacts", &contact, "timeline"];
                list.show(admin, &path, Query::default(), &message::COLUMNS)
                    .await
            }
            Self::Merge(pair) => pair.change(admin, "merge").await,
            Self::Unmerge(pair) => pair.change(admin, "unmerge").await,
            Self::Export(export) => export.perform(admin).await,
            Self::Erase(erase) => erase.perform(admin).await,
            Self::Erasures { list } => {
                list.show(admin, &["erasures"], Query::default(), &erase::COLUMNS)
                    .await
            }
        }
    }
}

impl Pair {
    async fn change(&self, admin: &Admin, verb: &str) -> Result<(), Failure> {
        let body = json!({ "contact": self.other });
        let path = ["contacts", &self.contact, verb];
        let kept = admin
            .call(&path, &Query::default(), Some(&body), &[])
            .await?;
        if self.json {
            output::print_json(&kept)
        } else {
            output::print(&detail::render(&kept))
        }
    }
}

fn identities(contact: &Value) -> String {
    let identities = contact["identities"].as_array().into_iter().flatten();
    let shown: Vec<_> = identities
        .map(|identity| {
            let text = |name: &str| identity[name].as_str().unwrap_or("?").to_owned();
            format!("{}:{}", text("space"), text("identifier"))
        })
        .collect();
    shown.join(" ")
}
