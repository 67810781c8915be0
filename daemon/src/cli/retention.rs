//! `trunkline retention`: what is older than it is kept.

use clap::Args;

use super::{
    admin::{Admin, Query},
    failure::Failure,
    output,
    table::{self, Column},
};

const COLUMNS: [Column; 6] = [
    Column::text("ORGANIZATION", "/organization"),
    Column::text("MESSAGES", "/messages"),
    Column::text("FILES", "/media"),
    Column::text("THREADS", "/threads"),
    Column::text("CONTACTS", "/contacts"),
    Column::text("AUDIT", "/audit"),
];

/// The verb.
#[derive(Debug, Args)]
pub(super) struct Retention {
    /// Only says what would be removed.
    #[arg(long)]
    dry_run: bool,
    /// Prints the API's JSON.
    #[arg(long)]
    json: bool,
}

impl Retention {
    /// Does it.
    pub(super) async fn perform(self, admin: &Admin) -> Result<(), Failure> {
        let counts = if self.dry_run {
            admin.get(&["retention"], &Query::default()).await?
        } else {
            admin.post(&["retention"]).await?
        };
        if self.json {
            return output::print_json(&counts);
        }
        let items = counts["items"].as_array();
        let items = items.ok_or_else(|| admin.garbled("it holds no list of items"))?;
        output::print(&table::render(items, &COLUMNS))
    }
}
