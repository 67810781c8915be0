//! `trunkline thread`: list, show, messages, takeover, release, close.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::{
    admin::{Admin, Query, id},
    detail,
    failure::Failure,
    list::ListArgs,
    message, output,
    table::Column,
};

const COLUMNS: [Column; 7] = [
    Column::text("ID", "/id"),
    Column::text("STATE", "/state"),
    Column::text("NEEDS HUMAN", "/needs_human"),
    Column::number("MESSAGES", "/messages"),
    Column::text("LAST CHANNEL", "/last_channel"),
    Column::text("CONTACT", "/contact"),
    Column::time("UPDATED", "/updated_at"),
];

/// The verb.
#[derive(Debug, Subcommand)]
pub(super) enum Thread {
    /// Lists conversations, the one with the newest activity first.
    List(ListArgs),
    /// Shows one conversation.
    Show(One),
    /// Lists a conversation's messages, newest first.
    Messages {
        /// The conversation's id.
        #[arg(value_parser = id)]
        thread: String,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Takes a conversation over from the agent.
    Takeover(One),
    /// Gives a conversation back to the agent.
    Release(One),
    /// Closes a conversation.
    Close(One),
}

/// One conversation.
#[derive(Debug, Args)]
pub(super) struct One {
    /// The conversation's id.
    #[arg(value_parser = id)]
    thread: String,
    /// Prints the API's JSON.
    #[arg(long)]
    json: bool,
}

impl Thread {
    /// Does it.
    pub(super) async fn perform(self, admin: &Admin) -> Result<(), Failure> {
        match self {
            Self::List(list) => {
                list.show(admin, &["threads"], Query::default(), &COLUMNS)
                    .await
            }
            Self::Show(one) => {
                let thread = admin
                    .get(&["threads", &one.thread], &Query::default())
                    .await?;
                one.print(&thread, &detail::render(&thread))
            }
            Self::Messages { thread, list } => {
                let path = ["threads", &thread, "messages"];
                list.show(admin, &path, Query::default(), &message::COLUMNS)
                    .await
            }
            Self::Takeover(one) => one.change(admin, "takeover", "is taken over").await,
            Self::Release(one) => one.change(admin, "release", "is released").await,
            Self::Close(one) => one.change(admin, "close", "is closed").await,
        }
    }
}

impl One {
    async fn change(&self, admin: &Admin, verb: &str, done: &str) -> Result<(), Failure> {
        let answer = admin.post(&["threads", &self.thread, verb]).await?;
        self.print(&answer, &format!("{} {done}", self.thread))
    }

    fn print(&self, json: &Value, words: &str) -> Result<(), Failure> {
        if self.json {
            output::print_json(json)
        } else {
            output::print(words)
        }
    }
}
