//! `trunkline event`: the webhooks that came in; replay.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::{
    admin::{Admin, Query, id},
    failure::Failure,
    list::ListArgs,
    output,
    table::{self, Column, micros},
};

const COLUMNS: [Column; 6] = [
    Column::time("RECEIVED", "/received_at"),
    Column::text("CHANNEL", "/channel"),
    Column::text("OUTCOME", "/outcome"),
    Column::text("GENUINE", "/signature_valid"),
    Column::made("LATENCY", latency).right(),
    Column::text("ID", "/id"),
];

/// The verb.
#[derive(Debug, Subcommand)]
pub(super) enum Event {
    /// Lists webhooks, newest first.
    List {
        /// Only those of this channel.
        #[arg(long, value_name = "ID")]
        channel: Option<String>,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Runs a stored webhook through its adapter again.
    Replay(Replay),
}

/// One webhook.
#[derive(Debug, Args)]
pub(super) struct Replay {
    /// The webhook's id.
    #[arg(value_parser = id)]
    event: String,
    /// Says what would come of it and stores nothing.
    #[arg(long)]
    dry_run: bool,
    /// Prints the API's JSON.
    #[arg(long)]
    json: bool,
}

impl Event {
    /// Does it.
    pub(super) async fn perform(self, admin: &Admin) -> Result<(), Failure> {
        match self {
            Self::List { channel, list } => {
                let query = Query::default().with("channel", channel);
                list.show(admin, &["webhook-events"], query, &COLUMNS).await
            }
            Self::Replay(replay) => replay.perform(admin).await,
        }
    }
}

impl Replay {
    async fn perform(&self, admin: &Admin) -> Result<(), Failure> {
        let query = Query::default().with("dry_run", self.dry_run.then_some(true));
        let path = ["webhook-events", &self.event, "replay"];
        let done = admin.call(&path, &query, None, &[]).await?;
        if self.json {
            return output::print_json(&done);
        }
        output::print(&told(&done, self.dry_run))
    }
}

/// What came, or would come, of a replay.
fn told(done: &Value, dry_run: bool) -> String {
    let outcome = output::clean(done["outcome"].as_str().unwrap_or("unknown"));
    let messages = done["messages"].as_u64().unwrap_or_default();
    let would = if dry_run { "would be " } else { "" };
    let mut lines = vec![format!("{would}{outcome}, {messages} new messages")];
    let events = done["events"].as_array().into_iter().flatten();
    lines.extend(events.map(|event| format!("  {}", output::clean(&table::word(Some(event))))));
    lines.join("\n")
}

fn latency(event: &Value) -> String {
    event["latency_us"].as_u64().map_or("-".to_owned(), micros)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_dry_run_says_would() {
        let done = json!({"outcome": "accepted", "messages": 2, "events": [{"type": "message"}]});
        let expected = "would be accepted, 2 new messages\n  type=message";
        assert_eq!(told(&done, true), expected);
        assert!(told(&done, false).starts_with("accepted, 2"));
    }
}
