//! `trunkline run`: the daemon in the foreground.

use std::{path::Path, process::ExitCode};

use super::failure::Failure;
use crate::config::{Config, Environment};

/// Runs the daemon until it is told to stop.
pub(super) fn run(file: &Path) -> ExitCode {
    match start(file) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

/// Hands over to the daemon.
fn start(file: &Path) -> Result<ExitCode, Failure> {
    Config::load(file, &Environment::of_process())
        .map_err(|errors| Failure::Configuration(errors.to_string()))?;
    Err(Failure::said(
        "this build holds the command line without the daemon",
    ))
}
