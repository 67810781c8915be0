//! `trunkline reload`: has the daemon read its configuration anew, and tells the outcome.

use clap::Args;
use serde_json::Value;

use super::{
    admin::{Admin, AdminError, Query},
    failure::Failure,
    output,
    table::word,
};

/// HTTP status of a configuration that was refused.
const REFUSED: u16 = 422;

/// The verb.
#[derive(Debug, Args)]
pub(super) struct Reload {
    /// Says what would change, and changes nothing.
    #[arg(long)]
    dry_run: bool,
    /// Prints the API's JSON.
    #[arg(long)]
    json: bool,
}

impl Reload {
    /// Does it. Fails where a channel went back to its previous configuration.
    pub(super) async fn perform(self, admin: &Admin) -> Result<(), Failure> {
        if self.dry_run {
            let plan = admin.get(&["reload"], &Query::default()).await;
            let plan = plan.map_err(refused)?;
            if self.json {
                return output::print_json(&plan);
            }
            return output::print(plan["summary"].as_str().unwrap_or_default());
        }
        let plan = admin.post(&["reload"]).await.map_err(refused)?;
        if self.json {
            output::print_json(&plan)?;
        } else {
            output::print(&sentences(&plan))?;
        }
        let returned = returned(&plan);
        if returned.is_empty() {
            return Ok(());
        }
        output::complain(&format!("trunkline: {}", returned.join("\ntrunkline: ")));
        Err(Failure::Told)
    }
}

/// What to say of each channel that went back to its previous configuration.
fn returned(plan: &Value) -> Vec<String> {
    let returned = plan["returned"].as_object().into_iter().flatten();
    returned
        .map(|(id, why)| {
            let words = format!(
                "channel {id} went back to its previous configuration: with the new one ({}) its check \
                 failed: {}",
                word(why.get("keys")),
                word(why.get("reason")),
            );
            output::clean(&words)
        })
        .collect()
}

/// A refused configuration is told by its lines, in the words of `trunkline check`.
pub(super) fn refused(error: AdminError) -> Failure {
    match error {
        AdminError::Problem(problem) if problem.status == REFUSED => {
            if problem.errors.is_empty() {
                Failure::Configuration(problem.to_string())
            } else {
                Failure::Configuration(problem.errors.join("\n"))
            }
        }
        other => other.into(),
    }
}

/// What the reload did, one sentence for each kind of change.
pub(super) fn sentences(plan: &Value) -> String {
    let kinds = [
        ("start", "Started"),
        ("stop", "Stopped"),
        ("restart", "Restarted"),
        ("update", "Updated without a restart"),
        ("apply", "Applied"),
        ("keep", "Kept running, untouched"),
        ("needs_restart", "Takes effect when the daemon is restarted"),
    ];
    let back = plan.get("returned").and_then(Value::as_object);
    let mut lines: Vec<_> = kinds
        .iter()
        .filter_map(|(member, words)| {
            let mut value = plan.get(member)?.clone();
            if let (Some(members), Some(back)) = (value.as_object_mut(), back) {
                members.retain(|id, _| !back.contains_key(id));
            }
            Some(format!("{words}: {}.", names(&value)?))
        })
        .collect();
    lines.extend(back.filter(|back| !back.is_empty()).map(|back| {
        let ids: Vec<_> = back.keys().map(String::as_str).collect();
        format!(
            "Went back to the previous configuration: {}.",
            ids.join(", ")
        )
    }));
    lines.extend(plugins(plan));
    if lines.is_empty() {
        return "Nothing changed.".to_owned();
    }
    lines.join("\n")
}

/// The plugins whose file changed.
fn plugins(plan: &Value) -> Vec<String> {
    let changes = plan["plugins"].as_array().into_iter().flatten();
    changes
        .map(|change| {
            let version = |side: &str| match &change[side]["version"] {
                Value::String(version) => version.clone(),
                _ => "none".to_owned(),
            };
            let (adapter, from, to) = (word(change.get("adapter")), version("from"), version("to"));
            output::clean(&format!("Plugin {adapter}: version {from}, now {to}."))
        })
        .collect()
}

/// The names in a list, or in a table with the reasons; none where it is empty.
fn names(value: &Value) -> Option<String> {
    let names: Vec<_> = match value {
        Value::Array(items) => items.iter().map(|item| word(Some(item))).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, reasons)| format!("{name} ({})", word(Some(reasons))))
            .collect(),
        _ => Vec::new(),
    };
    (!names.is_empty()).then(|| output::clean(&names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::problem::Problem;
    use serde_json::json;

    #[test]
    fn the_plan_is_told_in_sentences() {
        let plan = json!({
            "start": ["sms_new"], "stop": [], "restart": {"sms": ["config.from"]},
            "update": [], "keep": ["hook", "wa"], "needs_restart": ["server.listen"],
        });
        let expected = "\
Started: sms_new.
Restarted: sms (config.from).
Kept running, untouched: hook, wa.
Takes effect when the daemon is restarted: server.listen.";
        assert_eq!(sentences(&plan), expected);
        assert_eq!(sentences(&json!({"keep": []})), "Nothing changed.");
    }

    #[test]
    fn what_went_back_is_not_said_to_be_restarted() {
        let why = json!({"reason": "401: Authenticate", "keys": ["config.auth_token"]});
        let plan = json!({
            "restart": {"sms": ["config.auth_token"], "wa": ["plugin wa changed"]},
            "returned": {"sms": why},
            "plugins": [{"adapter": "wa", "from": {"version": "1"}, "to": {"version": "2"}}],
        });
        let expected = "\
Restarted: wa (plugin wa changed).
Went back to the previous configuration: sms.
Plugin wa: version 1, now 2.";
        assert_eq!(sentences(&plan), expected);
        let words = "channel sms went back to its previous configuration: with the new one \
                     (config.auth_token) its check failed: 401: Authenticate";
        assert_eq!(returned(&plan), [words]);
    }

    #[test]
    fn a_refused_configuration_exits_78_with_its_lines() {
        let problem = |status, errors: &[&str]| {
            refused(AdminError::Problem(Box::new(Problem {
                status,
                title: "The configuration is refused".to_owned(),
                detail: None,
                code: None,
                errors: errors.iter().map(|line| (*line).to_owned()).collect(),
                link: None,
            })))
        };
        let failure = problem(422, &["a.toml:3: x", "b.toml:1: y"]);
        assert_eq!(
            (failure.code(), failure.to_string().as_str()),
            (78, "a.toml:3: x\nb.toml:1: y")
        );
        assert_eq!(problem(500, &[]).code(), 1);
    }
}
