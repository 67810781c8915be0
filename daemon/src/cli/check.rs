//! `trunkline check`: says whether the configuration could be used, and what it would start.

use std::path::Path;

use super::{failure::Failure, output};
use crate::config::{Config, Environment};

/// Checks the configuration; findings go to standard error, the plan to standard output.
pub(super) fn check(file: &Path) -> Result<(), Failure> {
    let report = examine(file)?;
    for warning in &report.warnings {
        output::complain(warning);
    }
    output::print(&report.plan.join("\n"))
}

/// What was found in a usable configuration.
struct Report {
    /// What works but should be looked at, each with its place.
    warnings: Vec<String>,
    /// What a daemon would do with it, one line each.
    plan: Vec<String>,
}

/// Reads and checks the configuration of `file`.
fn examine(file: &Path) -> Result<Report, Failure> {
    let config = Config::load(file, &Environment::of_process())
        .map_err(|errors| Failure::Configuration(errors.to_string()))?;
    let mut plan: Vec<_> = config
        .channels
        .keys()
        .map(|id| format!("start    {id}"))
        .collect();
    if plan.is_empty() {
        plan.push("no channels".to_owned());
    }
    Ok(Report {
        warnings: config.warnings.iter().map(ToString::to_string).collect(),
        plan,
    })
}
