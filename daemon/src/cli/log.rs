//! `trunkline log`: what the daemon logs, changed while it runs.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{admin::Admin, failure::Failure, output};

/// The verb.
#[derive(Debug, Subcommand)]
pub(super) enum Log {
    /// Shows what is logged, or changes it: "debug", "info,trunkline::outbound=debug".
    Level(Level),
}

/// What to log.
#[derive(Debug, Args)]
pub(super) struct Level {
    /// A level, also by module; without one the present one is shown.
    filter: Option<String>,
    /// Goes back to what is configured after this time: "10m".
    #[arg(long = "for", value_name = "TIME", requires = "filter", value_parser = humantime::parse_duration)]
    time: Option<Duration>,
    /// Goes back to what is configured now.
    #[arg(long, conflicts_with = "filter")]
    reset: bool,
    /// Prints the API's JSON.
    #[arg(long)]
    json: bool,
}

impl Log {
    /// Does it.
    pub(super) async fn perform(self, admin: &Admin) -> Result<(), Failure> {
        let Self::Level(level) = self;
        let change = level.filter.is_some() || level.reset;
        let found = if change {
            let time = level
                .time
                .map(|time| humantime::format_duration(time).to_string());
            let body = json!({"filter": level.filter, "for": time});
            admin.put(&["log-level"], &body).await?
        } else {
            admin
                .get(&["log-level"], &super::admin::Query::default())
                .await?
        };
        if level.json {
            return output::print_json(&found);
        }
        output::print(&told(&found))
    }
}

/// What is logged, in words.
fn told(found: &Value) -> String {
    let word = |name: &str| output::clean(found[name].as_str().unwrap_or("?"));
    let (filter, configured) = (word("filter"), word("configured"));
    match found["left_s"].as_u64() {
        Some(left) => {
            let left = humantime::format_duration(Duration::from_secs(left));
            format!("{filter} (for {left} more, then {configured})")
        }
        None if filter == configured => filter,
        None => format!("{filter} (configured: {configured})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_logged_is_told_with_what_comes_after() {
        let told = |filter: &str, left: Option<u64>| {
            told(&json!({"filter": filter, "configured": "info", "left_s": left}))
        };
        assert_eq!(told("info", None), "info");
        assert_eq!(told("debug", None), "debug (configured: info)");
        assert_eq!(told("debug", Some(600)), "debug (for 10m more, then info)");
    }
}
