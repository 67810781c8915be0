//! `trunkline outbox`: what waits to be sent or was given up; retry, discard.

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use serde_json::Value;

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
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Sends an item again, or now; or all that a filter means.
    Retry(Target),
    /// Gives an item up; its message is marked as failed. Or all that a filter means.
    Discard(Target),
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

/// Which items are meant.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// Only items in this state.
    #[arg(long, value_enum)]
    state: Option<State>,
    /// Only items of this channel.
    #[arg(long)]
    channel: Option<String>,
    /// Only items whose last error has this class, such as "transient".
    #[arg(long)]
    class: Option<String>,
    /// Only items whose last error has this code, ours or the provider's.
    #[arg(long)]
    code: Option<String>,
}

/// One item, or all that a filter means.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("target").required(true).args(["item", "state"]))]
pub(super) struct Target {
    /// The item's id.
    #[arg(value_parser = id, conflicts_with_all = ["state", "channel", "class", "code"])]
    item: Option<String>,
    #[command(flatten)]
    which: Which,
    /// Prints the API's JSON.
    #[arg(long)]
    json: bool,
}

impl Outbox {
    /// Does it.
    pub(super) async fn perform(self, admin: &Admin) -> Result<(), Failure> {
        match self {
            Self::List { which, list } => {
                let query = which
                    .members()
                    .into_iter()
                    .fold(Query::default(), |query, (name, value)| {
                        query.with(name, Some(value))
                    });
                list.show(admin, &["outbox"], query, &COLUMNS).await
            }
            Self::Retry(some) => some.decide(admin, "retry", "queued again").await,
            Self::Discard(some) => some.decide(admin, "discard", "discarded").await,
        }
    }
}

impl Which {
    fn members(&self) -> Vec<(&'static str, &str)> {
        let members = [
            ("state", self.state.map(State::as_str)),
            ("channel", self.channel.as_deref()),
            ("class", self.class.as_deref()),
            ("code", self.code.as_deref()),
        ];
        let given = members
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        given.collect()
    }
}

impl Target {
    async fn decide(&self, admin: &Admin, verb: &str, done: &str) -> Result<(), Failure> {
        let answer = if let Some(item) = &self.item {
            admin.post(&["outbox", item, verb]).await?
        } else {
            let members = self.which.members().into_iter();
            let body = members.map(|(name, value)| (name.to_owned(), value.into()));
            let body = Value::Object(body.collect());
            admin
                .call(&["outbox", verb], &Query::default(), Some(&body), &[])
                .await?
        };
        if self.json {
            return output::print_json(&answer);
        }
        match (&self.item, &answer["count"]) {
            (Some(item), _) => output::print(&format!("{item} is {done}")),
            (None, count) => output::print(&format!("{count} {done}")),
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
