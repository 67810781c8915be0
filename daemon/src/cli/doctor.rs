//! `trunkline doctor`: what is wrong with a channel, and what to do.

use std::path::Path;

use clap::Args;
use serde_json::{Value, json};

use super::{
    admin::{Admin, AdminError, id},
    failure::Failure,
    output::{self, clean},
};
use crate::{
    config::{Config, Environment},
    doctor::files,
};

/// The verb.
#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// The channel's id.
    #[arg(value_parser = id)]
    channel: String,
    /// Prints the API's JSON.
    #[arg(long)]
    json: bool,
}

impl Doctor {
    /// Does it; a fault is a failure. Without a daemon the files alone are looked at.
    pub(super) async fn perform(&self, admin: &Admin, config: &Path) -> Result<(), Failure> {
        let report = match admin.post(&["channels", &self.channel, "doctor"]).await {
            Ok(report) => report,
            Err(AdminError::NoAnswer(words)) => self.without_daemon(config, &words),
            Err(error) => return Err(error.into()),
        };
        if self.json {
            output::print_json(&report)?;
        } else {
            output::print(&told(&report))?;
        }
        if worst(&report) {
            Err(Failure::Told)
        } else {
            Ok(())
        }
    }

    /// What can be seen from the configuration alone.
    fn without_daemon(&self, file: &Path, why: &str) -> Value {
        let words = format!(
            "{why} The rest needs the running daemon: it remembers refused webhooks in memory"
        );
        let mut checks = vec![json!({"name": "daemon", "state": "fault", "words": words})];
        match Config::load(file, &Environment::of_process()) {
            Ok(config) => {
                checks.push(json!(files::permissions(&config, Some(&self.channel))));
                checks.push(json!(files::disk(&config)));
                if !config.channels.contains_key(&self.channel) {
                    let words = format!("there is no channel {}", self.channel);
                    checks.push(json!({"name": "channel", "state": "fault", "words": words}));
                }
            }
            Err(errors) => checks.push(json!({
                "name": "configuration",
                "state": "fault",
                "words": errors.to_string().replace('\n', "; "),
            })),
        }
        json!({"channel": self.channel, "checks": checks, "rejected": [], "trials": 0})
    }
}

fn worst(report: &Value) -> bool {
    let mut checks = report["checks"].as_array().into_iter().flatten();
    checks.any(|check| check["state"] == "fault")
}

fn text(value: &Value) -> String {
    clean(value.as_str().unwrap_or_default())
}

/// The report for people: the checks, then the refused webhooks, those with one explanation
/// together.
fn told(report: &Value) -> String {
    let mut lines = Vec::new();
    for check in report["checks"].as_array().into_iter().flatten() {
        let (state, name) = (text(&check["state"]), text(&check["name"]));
        lines.push(format!("{state:<8} {name:<12} {}", text(&check["words"])));
    }
    let mut groups: Vec<(String, String, usize, String)> = Vec::new();
    for one in report["rejected"].as_array().into_iter().flatten() {
        let found = &one["matched"];
        let (cause, words) = if found.is_null() {
            ("not explained".to_owned(), text(&one["note"]))
        } else {
            (text(&found["cause"]), text(&found["words"]))
        };
        let same =
            |group: &&mut (String, String, usize, String)| group.0 == cause && group.1 == words;
        match groups.iter_mut().find(same) {
            Some(group) => group.2 += 1,
            None => groups.push((cause, words, 1, text(&one["at"]))),
        }
    }
    if !groups.is_empty() {
        let trials = &report["trials"];
        lines.push(String::new());
        lines.push(format!("refused webhooks ({trials} trials):"));
    }
    for (cause, words, count, at) in groups {
        lines.push(format!("{count:>4} x  {cause}, last at {at}"));
        lines.push(format!("        {words}"));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_explanation_is_told_once_and_controls_are_not_printed() {
        let matched = json!({"cause": "scheme", "words": "the provider signed http"});
        let one = |matched: &Value| json!({"at": "t", "matched": matched, "note": "\u{1b}[31m?"});
        let report = json!({
            "checks": [{"name": "clock", "state": "ok", "words": "fine"}],
            "rejected": [one(&matched), one(&matched), one(&Value::Null)],
            "trials": 7,
        });
        let told = told(&report);
        assert!(told.contains("ok       clock        fine"), "{told}");
        assert!(
            told.contains("   2 x  scheme, last at t\n        the provider signed http"),
            "{told}"
        );
        assert!(
            told.contains("   1 x  not explained") && !told.contains('\u{1b}'),
            "{told}"
        );
        assert!(!worst(&report));
    }
}
