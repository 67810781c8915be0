//! `trunkline run`: the daemon in the foreground, logging as configured.

use std::{path::Path, process::ExitCode};

use super::failure::Failure;
use crate::{
    gateway::{self, RunError},
    telemetry,
};

/// Runs the daemon until a signal ends it.
pub(super) fn run(file: &Path) -> ExitCode {
    let outcome = actix_web::rt::System::new().block_on(gateway::run(file, telemetry::start));
    telemetry::stop();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(RunError::Config(errors)) => Failure::Configuration(errors.to_string()).report(),
        Err(error) => Failure::said(error.to_string()).report(),
    }
}
