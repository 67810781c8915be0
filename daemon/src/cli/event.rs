//! `trunkline event`: the webhooks that came in; replay.

use std::collections::BTreeMap;

use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    admin::{Admin, Query, id},
    failure::Failure,
    list::{ListArgs, every},
    output,
    progress::Progress,
    table::{self, Column, micros},
};

/// Webhooks listed at once.
const PAGE: u32 = 100;

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
    /// Runs stored webhooks through their adapter again: one, or all of an outcome.
    Replay(Replay),
}

/// One webhook, or many.
#[derive(Debug, Args)]
#[group(id = "which", required = true, args = ["event", "outcome"])]
pub(super) struct Replay {
    /// The webhook's id.
    #[arg(value_parser = id)]
    event: Option<String>,
    /// All webhooks of this outcome, the oldest first.
    #[arg(long, value_enum, conflicts_with = "event")]
    outcome: Option<Outcome>,
    /// Only those of this channel.
    #[arg(long, value_name = "ID", conflicts_with = "event")]
    channel: Option<String>,
    /// Only those that came in from this time on, such as "2026-03-01T08:00:00Z".
    #[arg(long, value_name = "TIME", conflicts_with = "event")]
    since: Option<Timestamp>,
    /// Says what would come of it and stores nothing.
    #[arg(long)]
    dry_run: bool,
    /// Prints the API's JSON.
    #[arg(long)]
    json: bool,
}

/// What may be replayed: what is kept whole.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Outcome {
    /// Read and stored.
    Accepted,
    /// Genuine, and not understood.
    Unparsed,
    /// Genuine, and not yet filed.
    Pending,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Unparsed => "unparsed",
            Self::Pending => "pending",
        }
    }
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
        let Some(event) = &self.event else {
            return self.replay_all(admin).await;
        };
        let done = self.replay_one(admin, event).await?;
        if self.json {
            return output::print_json(&done);
        }
        output::print(&told(&done, self.dry_run))
    }

    async fn replay_one(&self, admin: &Admin, event: &str) -> Result<Value, Failure> {
        let query = Query::default().with("dry_run", self.dry_run.then_some(true));
        let path = ["webhook-events", event, "replay"];
        Ok(admin.call(&path, &query, None, &[]).await?)
    }

    async fn replay_all(&self, admin: &Admin) -> Result<(), Failure> {
        let query = Query::default().with("channel", self.channel.as_ref());
        let events = every(admin, &["webhook-events"], query, PAGE).await?;
        let ids: Vec<&str> = events
            .iter()
            .rev()
            .filter(|event| self.means(event))
            .filter_map(|event| event["id"].as_str())
            .collect();
        let progress = Progress::items("replaying", u64::try_from(ids.len()).ok());
        let mut sum = Sum::default();
        for id in ids {
            match self.replay_one(admin, id).await {
                Ok(done) => sum.add(&done),
                Err(failure) => {
                    output::complain(&format!("{id}: {failure}"));
                    sum.failed += 1;
                }
            }
            progress.advance(1);
        }
        progress.finish();
        if self.json {
            output::print_json(&sum.json())?;
        } else {
            output::print(&sum.words(self.dry_run))?;
        }
        if sum.failed > 0 {
            return Err(Failure::Told);
        }
        Ok(())
    }

    /// Whether a listed webhook is one of those to replay.
    fn means(&self, event: &Value) -> bool {
        let outcome = self.outcome.map(Outcome::as_str);
        let received = event["received_at"].as_str();
        let received: Option<Timestamp> = received.and_then(|at| at.parse().ok());
        event["outcome"].as_str() == outcome
            && self.since.is_none_or(|since| received >= Some(since))
    }
}

/// What came of many replays.
#[derive(Debug, Default)]
struct Sum {
    outcomes: BTreeMap<String, u64>,
    messages: u64,
    failed: u64,
}

impl Sum {
    fn add(&mut self, done: &Value) {
        let outcome = output::clean(done["outcome"].as_str().unwrap_or("unknown"));
        *self.outcomes.entry(outcome).or_default() += 1;
        self.messages += done["messages"].as_u64().unwrap_or_default();
    }

    fn json(&self) -> Value {
        json!({"outcomes": self.outcomes, "messages": self.messages, "failed": self.failed})
    }

    fn words(&self, dry_run: bool) -> String {
        let would = if dry_run { "would be " } else { "" };
        let mut lines: Vec<String> = self
            .outcomes
            .iter()
            .map(|(outcome, count)| format!("{count} {would}{outcome}"))
            .collect();
        if self.failed > 0 {
            lines.push(format!("{} failed", self.failed));
        }
        if lines.is_empty() {
            return "no webhook fits".into();
        }
        format!("{}; {} new messages", lines.join(", "), self.messages)
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
    fn many_replays_are_told_in_one_line() {
        let mut sum = Sum::default();
        assert_eq!(sum.words(false), "no webhook fits");
        sum.add(&json!({"outcome": "accepted", "messages": 2}));
        sum.add(&json!({"outcome": "unparsed", "messages": 0}));
        sum.add(&json!({"outcome": "accepted", "messages": 1}));
        assert_eq!(sum.words(false), "2 accepted, 1 unparsed; 3 new messages");
        sum.failed = 1;
        let expected = "2 would be accepted, 1 would be unparsed, 1 failed; 3 new messages";
        assert_eq!(sum.words(true), expected);
    }

    #[test]
    fn a_dry_run_says_would() {
        let done = json!({"outcome": "accepted", "messages": 2, "events": [{"type": "message"}]});
        let expected = "would be accepted, 2 new messages\n  type=message";
        assert_eq!(told(&done, true), expected);
        assert!(told(&done, false).starts_with("accepted, 2"));
    }
}
