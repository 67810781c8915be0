//! `trunkline run`: the daemon in the foreground, logging to standard output.

use std::{path::Path, process::ExitCode};

use tracing_subscriber::EnvFilter;

use super::failure::Failure;
use crate::{
    config::{Config, LogFormat},
    gateway::{self, RunError},
};

/// Runs the daemon until a signal ends it.
pub(super) fn run(file: &Path) -> ExitCode {
    let outcome = actix_web::rt::System::new().block_on(gateway::run(file, init_logs));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(RunError::Config(errors)) => Failure::Configuration(errors.to_string()).report(),
        Err(error) => Failure::said(error.to_string()).report(),
    }
}

fn init_logs(config: &Config) {
    let filter = EnvFilter::try_new(&config.log.level).unwrap_or_else(|_| EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false);
    // Fails only where logs were set up already, which is as good.
    let _ = match config.log.format {
        LogFormat::Json => logs.json().flatten_event(true).try_init(),
        LogFormat::Pretty => logs.try_init(),
    };
}
