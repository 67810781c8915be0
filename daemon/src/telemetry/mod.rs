//! What the daemon tells of itself: its log, and traces for who wants them.
//!
//! ```text
//! info!(event = "...") ─ filter (changed at run time) ─> standard output: pretty or JSON
//!                                                     └> the journal of systemd
//! trace::webhook, send ─ spans ─ bounded queue ─> OTLP collector      only with [telemetry] otlp
//! ```
//!
//! There is one log in a process, so there is one control of it: [`logs`].

pub mod events;
mod logs;
pub mod trace;

use std::sync::OnceLock;

pub use self::logs::{LogStatus, Logs};
use crate::config::Config;

static LOGS: OnceLock<Logs> = OnceLock::new();

/// Begins logging as a configuration says, and exporting traces where it says so. Logs that were set
/// up already stay.
pub fn start(config: &Config) {
    if let Some(logs) = logs::start(&config.log) {
        let _ = LOGS.set(logs);
    }
    if let Err(words) = trace::start(&config.telemetry) {
        tracing::error!(
            event = "telemetry_failed",
            reason = words,
            "traces are not exported"
        );
    }
}

/// The control of what is logged; none in a process that does not log.
pub fn logs() -> Option<&'static Logs> {
    LOGS.get()
}

/// Exports what is left. Blocks for a few seconds at most.
pub fn stop() {
    trace::stop();
}
