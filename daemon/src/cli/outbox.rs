//! `trunkline outbox`: what waits to be sent or was given up; retry, discard.

use clap::{Args, Subcommand, ValueEnum};

use super::{
    admin::{Admin, Query, id},
    failure::Failure,
    list::ListArgs,
    output,
    table::Column,
};

const COLUMNS: [Column; 7] = [
    Column::text("ID", "/id"),
    Column::text("CHANNEL", "/channel"),
    Column::text("STATE", "/state"),
    Column::number("ATTEMPTS", "/attempts"),
    Column::time("NEXT ATTEMPT", "/next_attempt_at"),
    Column::text("ERROR", "/error/message"),
    Column::text("MESSAGE", "/message"),
];

/// The verb.
#[derive(Debug, Subcommand)]
pub(super) enum Outbox {
    /// Lists what is not sent yet.
    List {
        /// Only items in this state.
        #[arg(long, value_enum)]
        state: Option<State>,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Sends an item again, or now.
    Retry(One),
    /// Gives an item up; its message is marked as failed.
    Discard(One),
}

/// What an item waits for.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum State {
    Queued,
    Retrying,
    Held,
    Uncertain,
    Dead,
}

/// One item.
#[derive(Debug, Args)]
pub(super) struct One {
    /// The item's id.
    #[arg(value_parser = id)]
    item: String,
    /// Prints the API's JSON.
    #[arg(long)]
    json: bool,
}

impl Outbox {
    /// Does it.
    pub(super) async fn perform(self, admin: &Admin) -> Result<(), Failure> {
        match self {
            Self::List { state, list } => {
                let query = Query::default().with("state", state.map(State::as_str));
                list.show(admin, &["outbox"], query, &COLUMNS).await
            }
            Self::Retry(one) => one.decide(admin, "retry", "is queued again").await,
            Self::Discard(one) => one.decide(admin, "discard", "is discarded").await,
        }
    }
}

impl One {
    async fn decide(&self, admin: &Admin, verb: &str, done: &str) -> Result<(), Failure> {
        let answer = admin.post(&["outbox", &self.item, verb]).await?;
        if self.json {
            output::print_json(&answer)
        } else {
            output::print(&format!("{} {done}", self.item))
        }
    }
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Retrying => "retrying",
            Self::Held => "held",
            Self::Uncertain => "uncertain",
            Self::Dead => "dead",
        }
    }
}
