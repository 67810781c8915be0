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
    /// Prints the API's JSON.
    #[arg(long)]
    json: bool,
}

impl Reload {
    /// Does it.
    pub(super) async fn perform(self, admin: &Admin) -> Result<(), Failure> {
        let plan = admin.post(&["reload"]).await.map_err(refused)?;
        if self.json {
            output::print_json(&plan)
        } else {
            output::print(&sentences(&plan))
        }
    }
}

/// What a reload would do; none where no daemon answers or it refuses.
pub(super) async fn planned(admin: &Admin) -> Option<String> {
    let query = Query::default().with("dry_run", Some(true));
    let plan = admin.call(&["reload"], &query, None, &[]).await.ok()?;
    plan.get("summary")?.as_str().map(str::to_owned)
}

/// A refused configuration is told by its lines, in the words of `trunkline check`.
fn refused(error: AdminError) -> Failure {
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
    let lines: Vec<_> = kinds
        .iter()
        .filter_map(|(member, words)| Some(format!("{words}: {}.", names(plan.get(member)?)?)))
        .collect();
    if lines.is_empty() {
        return "Nothing changed.".to_owned();
    }
    lines.join("\n")
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
