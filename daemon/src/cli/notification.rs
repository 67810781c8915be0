//! `trunkline notification`: what owners were told; list, acknowledge.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    admin::{Admin, Query, id},
    failure::Failure,
    list::ListArgs,
    output,
    table::Column,
};

const COLUMNS: [Column; 7] = [
    Column::time("LAST", "/last_at"),
    Column::text("KIND", "/kind"),
    Column::text("CHANNEL", "/channel"),
    Column::number("COUNT", "/count"),
    Column::text("ACKNOWLEDGED BY", "/acknowledged_by"),
    Column::text("ID", "/id"),
    Column::text("WORDS", "/words"),
];

/// The verb.
#[derive(Debug, Subcommand)]
pub(super) enum Notification {
    /// Lists what nobody has acknowledged yet.
    List {
        /// Also what was acknowledged.
        #[arg(long)]
        old: bool,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Acknowledges one notification, or all that fit.
    Acknowledge(Acknowledge),
}

/// Which ones.
#[derive(Debug, Args)]
#[group(id = "which", required = true, multiple = true, args = ["notification", "all", "kind", "channel"])]
pub(super) struct Acknowledge {
    /// The notification's id.
    #[arg(value_parser = id, conflicts_with_all = ["all", "kind", "channel"])]
    notification: Option<String>,
    /// All of them.
    #[arg(long, conflicts_with_all = ["kind", "channel"])]
    all: bool,
    /// Only those of this kind, such as "signature_mismatch".
    #[arg(long)]
    kind: Option<String>,
    /// Only those on this channel.
    #[arg(long, value_name = "ID")]
    channel: Option<String>,
    /// Prints the API's JSON.
    #[arg(long)]
    json: bool,
}

impl Notification {
    /// Does it.
    pub(super) async fn perform(self, admin: &Admin) -> Result<(), Failure> {
        match self {
            Self::List { old, list } => {
                let query = Query::default().with("acknowledged", (!old).then_some(false));
                list.show(admin, &["notifications"], query, &COLUMNS).await
            }
            Self::Acknowledge(which) => which.perform(admin).await,
        }
    }
}

impl Acknowledge {
    async fn perform(&self, admin: &Admin) -> Result<(), Failure> {
        let answer = if let Some(one) = &self.notification {
            admin.post(&["notifications", one, "acknowledge"]).await?
        } else {
            let which = json!({ "kind": self.kind, "channel": self.channel });
            let path = ["notifications", "acknowledge"];
            let query = Query::default();
            admin.call(&path, &query, Some(&which), &[]).await?
        };
        if self.json {
            return output::print_json(&answer);
        }
        output::print(&told(&answer))
    }
}

fn told(answer: &Value) -> String {
    match answer["acknowledged"].as_u64() {
        Some(1) => "1 notification acknowledged".into(),
        Some(count) => format!("{count} notifications acknowledged"),
        None => "acknowledged".into(),
    }
}
