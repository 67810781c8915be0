//! `trunkline channel`: list, show, test, health, enable, disable.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::{
    admin::{Admin, Query, id},
    detail,
    failure::Failure,
    list::ListArgs,
    output,
    table::Column,
};

const COLUMNS: [Column; 8] = [
    Column::text("ID", "/id"),
    Column::text("ADAPTER", "/adapter"),
    Column::text("MEDIUM", "/medium"),
    Column::text("ORGANIZATION", "/organization"),
    Column::text("ENABLED", "/enabled"),
    Column::text("HEALTH", "/health/status"),
    Column::time("CHECKED", "/health/last_checked_at"),
    Column::text("LAST ERROR", "/health/last_error"),
];

const HEALTH: [Column; 5] = [
    Column::time("AT", "/at"),
    Column::text("KIND", "/kind"),
    Column::text("STATUS", "/status"),
    Column::number("LATENCY MS", "/latency_ms"),
    Column::text("REASON", "/reason"),
];

/// The verb.
#[derive(Debug, Subcommand)]
pub(super) enum Channel {
    /// Lists the channels with their health.
    List(ListArgs),
    /// Shows one channel.
    Show(One),
    /// Tests the connection to the provider now; exits 1 where it does not work.
    Test(One),
    /// Shows how its health went: changes, tests, and the checks since the daemon was started.
    Health {
        /// The channel's id.
        #[arg(value_parser = id)]
        channel: String,
        /// From this time on, such as "2026-03-01T08:00:00Z"; the last 24 hours where it is not given.
        #[arg(long, value_name = "TIME")]
        since: Option<jiff::Timestamp>,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Switches a channel on.
    Enable(One),
    /// Switches a channel off: nothing is probed or sent; webhooks are still taken.
    Disable(One),
}

/// One channel.
#[derive(Debug, Args)]
pub(super) struct One {
    /// The channel's id.
    #[arg(value_parser = id)]
    channel: String,
    /// Prints the API's JSON.
    #[arg(long)]
    json: bool,
}

impl Channel {
    /// Does it.
    pub(super) async fn perform(self, admin: &Admin) -> Result<(), Failure> {
        match self {
            Self::List(list) => {
                list.show(admin, &["channels"], Query::default(), &COLUMNS)
                    .await
            }
            Self::Show(one) => {
                let channel = admin
                    .get(&["channels", &one.channel], &Query::default())
                    .await?;
                one.print(&channel, &detail::render(&channel))
            }
            Self::Test(one) => one.test(admin).await,
            Self::Health {
                channel,
                since,
                list,
            } => {
                let query = Query::default().with("since", since);
                let path = ["channels", channel.as_str(), "health"];
                list.show(admin, &path, query, &HEALTH).await
            }
            Self::Enable(one) => one.toggle(admin, "enable").await,
            Self::Disable(one) => one.toggle(admin, "disable").await,
        }
    }
}

impl One {
    async fn test(&self, admin: &Admin) -> Result<(), Failure> {
        let outcome = admin.post(&["channels", &self.channel, "test"]).await?;
        self.print(&outcome, &detail::render(&outcome))?;
        match outcome["ok"].as_bool() {
            Some(true) => Ok(()),
            _ => Err(Failure::Told),
        }
    }

    async fn toggle(&self, admin: &Admin, verb: &str) -> Result<(), Failure> {
        let answer = admin.post(&["channels", &self.channel, verb]).await?;
        self.print(&answer, &format!("{} is {verb}d", self.channel))
    }

    fn print(&self, json: &Value, words: &str) -> Result<(), Failure> {
        if self.json {
            output::print_json(json)
        } else {
            output::print(words)
        }
    }
}
