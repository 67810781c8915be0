//! `trunkline check`: says whether the configuration could be used, and what it would change.

use std::path::Path;

use clap::Args;
use serde_json::{Value, json};

use super::{
    admin::{Admin, AdminError, Query},
    failure::Failure,
    output, reload, socket,
};
use crate::{
    config::{ConfigErrors, Finding},
    gateway::{self, CheckReport},
};

/// The verb.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// Prints JSON, also of a configuration that is refused.
    #[arg(long)]
    json: bool,
}

/// What was found out.
struct Checked {
    report: CheckReport,
    plan: Value,
    /// True where a daemon runs, which the plan is then about.
    is_running: bool,
}

impl Check {
    /// Checks the configuration with its plugins; findings go to standard error, the plan to standard
    /// output: against the running daemon where one answers, else what a start would bring up.
    pub(super) fn perform(self, file: &Path) -> Result<(), Failure> {
        let checked = actix_web::rt::System::new().block_on(checked(file));
        let checked = match checked {
            Ok(checked) => checked,
            Err(Failure::Configuration(lines)) if self.json => return refuse(&lines),
            Err(other) => return Err(other),
        };
        let Checked {
            report,
            plan,
            is_running,
        } = checked;
        if self.json {
            let warnings: Vec<String> = report.warnings().iter().map(Finding::to_string).collect();
            return output::print_json(&json!({
                "valid": true,
                "errors": [],
                "warnings": warnings,
                "notes": report.notes,
                "daemon": is_running,
                "plan": plan,
            }));
        }
        for warning in report.warnings() {
            output::complain(&format!("warning: {warning}"));
        }
        for note in &report.notes {
            output::complain(&format!("note: {note}"));
        }
        if !is_running && report.prepared.config.channels.is_empty() {
            return output::print("no channels");
        }
        output::print(plan["summary"].as_str().unwrap_or_default())
    }
}

async fn checked(file: &Path) -> Result<Checked, Failure> {
    let report = gateway::check(file).await;
    let report =
        report.map_err(|errors: ConfigErrors| Failure::Configuration(errors.to_string()))?;
    let plan = running_plan(file).await?;
    Ok(Checked {
        is_running: plan.is_some(),
        plan: plan.unwrap_or_else(|| report.start_plan().as_json()),
        report,
    })
}

/// What a reload would do to the daemon that runs; none where none answers.
async fn running_plan(file: &Path) -> Result<Option<Value>, Failure> {
    let Ok(socket) = socket::path(file) else {
        return Ok(None);
    };
    let admin = Admin::new(socket)?;
    match admin.get(&["reload"], &Query::default()).await {
        Ok(plan) => Ok(Some(plan)),
        Err(AdminError::NoAnswer(_)) => Ok(None),
        Err(error) => match reload::refused(error) {
            Failure::Configuration(lines) => {
                let own = "the files are right for this user, but the running daemon refuses them (it \
                           has variables, credentials and rights of its own)";
                Err(Failure::Configuration(format!("{lines}\n{own}")))
            }
            // A daemon of another version, or one whose socket is not ours to use.
            _ => Ok(None),
        },
    }
}

fn refuse(lines: &str) -> Result<(), Failure> {
    let errors: Vec<&str> = lines.lines().collect();
    output::print_json(&json!({"valid": false, "errors": errors}))?;
    Err(Failure::Configuration(lines.to_owned()))
}
