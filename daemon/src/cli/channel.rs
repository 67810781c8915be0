//! `trunkline channel`: list, show, test, health, enable, disable, backfill, link.

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    admin::{Admin, Query, id},
    detail,
    failure::Failure,
    list::ListArgs,
    output,
    table::Column,
};

const COLUMNS: [Column; 9] = [
    Column::text("ID", "/id"),
    Column::text("ADAPTER", "/adapter"),
    Column::text("MEDIUM", "/medium"),
    Column::text("ORGANIZATION", "/organization"),
    Column::text("ENABLED", "/enabled"),
    Column::text("HEALTH", "/health/status"),
    Column::text("CONFIGURATION", "/configuration/state"),
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
        since: Option<Timestamp>,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Switches a channel on.
    Enable(One),
    /// Switches a channel off: nothing is probed or sent; webhooks are still taken.
    Disable(One),
    /// Asks the provider what came in since a time, and stores what is not here.
    Backfill(Backfill),
    /// Prints the link by which people begin a conversation with it.
    Link {
        #[command(flatten)]
        one: One,
        /// A text that they may send as it is or change.
        #[arg(long, value_name = "TEXT")]
        text: Option<String>,
    },
}

/// A time to go back to.
#[derive(Debug, Args)]
pub(super) struct Backfill {
    #[command(flatten)]
    one: One,
    /// Since when: a time such as 2026-03-01T10:00:00Z, or how long ago, such as 2h.
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Timestamp,
}

/// A time, or a time ago.
fn since(text: &str) -> Result<Timestamp, String> {
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    let ago = humantime::parse_duration(text)
        .map_err(|_| "is no time such as 2026-03-01T10:00:00Z or 2h")?;
    let ago = jiff::SignedDuration::try_from(ago).map_err(|_| "is too long ago")?;
    Timestamp::now()
        .checked_sub(ago)
        .map_err(|_| "is too long ago".to_owned())
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
            Self::Backfill(backfill) => backfill.perform(admin).await,
            Self::Link { one, text } => {
                let query = Query::default().with("text", text);
                let path = ["channels", one.channel.as_str(), "link"];
                let found = admin.get(&path, &query).await?;
                let link = output::clean(found["link"].as_str().unwrap_or_default());
                one.print(&found, &link)
            }
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

impl Backfill {
    async fn perform(&self, admin: &Admin) -> Result<(), Failure> {
        let body = json!({"since": self.since.to_string()});
        let path = ["channels", &self.one.channel, "backfill"];
        let filled = admin
            .call(&path, &Query::default(), Some(&body), &[])
            .await?;
        self.one.print(&filled, &filled_words(&filled))
    }
}

fn filled_words(filled: &Value) -> String {
    let until = output::clean(filled["until"].as_str().unwrap_or("unknown"));
    let rest = match filled["complete"].as_bool() {
        Some(true) => String::new(),
        _ => format!("; there is more: go on with --since {until}"),
    };
    format!(
        "{} listed, {} new, {} here already, up to {until}{rest}",
        filled["listed"], filled["new"], filled["duplicates"]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_time_or_how_long_ago() {
        let at = since("2026-03-01T10:00:00Z").expect("a time");
        assert_eq!(at.to_string(), "2026-03-01T10:00:00Z");
        let ago = since("2h").expect("a duration");
        let elapsed = Timestamp::now().duration_since(ago).as_secs();
        assert!((7_200..7_210).contains(&elapsed), "{elapsed}");
        for nonsense in ["", "yesterday", "-2h", "99999999999999y"] {
            assert!(since(nonsense).is_err(), "{nonsense}");
        }
    }

    #[test]
    fn an_unfinished_list_says_how_to_go_on() {
        let filled =
            json!({"listed": 3, "new": 1, "duplicates": 2, "until": "T", "complete": true});
        assert_eq!(
            filled_words(&filled),
            "3 listed, 1 new, 2 here already, up to T"
        );
        let part = json!({"listed": 3, "new": 1, "duplicates": 2, "until": "T", "complete": false});
        assert!(filled_words(&part).ends_with("go on with --since T"));
    }
}
