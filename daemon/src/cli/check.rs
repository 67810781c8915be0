//! `trunkline check`: says whether the configuration could be used, and what it would change.

use std::path::Path;

use super::{admin::Admin, failure::Failure, output, reload, socket};
use crate::{
    config::ConfigErrors,
    gateway::{self, CheckReport},
};

/// Checks the configuration with its plugins; findings go to standard error, the plan to standard
/// output: against the running daemon where one answers, else what a start would bring up.
pub(super) fn check(file: &Path) -> Result<(), Failure> {
    let checked = actix_web::rt::System::new().block_on(async {
        let report = gateway::check(file).await?;
        Ok((report, running_plan(file).await))
    });
    let (report, plan) =
        checked.map_err(|errors: ConfigErrors| Failure::Configuration(errors.to_string()))?;
    for warning in report.warnings() {
        output::complain(&format!("warning: {warning}"));
    }
    for note in &report.notes {
        output::complain(&format!("note: {note}"));
    }
    match plan {
        Some(plan) => output::print(&plan),
        None => output::print(&start_plan(&report)),
    }
}

/// What a reload would do to the daemon that runs; none where none answers.
async fn running_plan(file: &Path) -> Option<String> {
    let admin = Admin::new(socket::path(file).ok()?).ok()?;
    reload::planned(&admin).await
}

fn start_plan(report: &CheckReport) -> String {
    let ids: Vec<String> = report
        .prepared
        .config
        .channels
        .keys()
        .map(|id| format!("start    {id}"))
        .collect();
    if ids.is_empty() {
        return "no channels".into();
    }
    ids.join("\n")
}
