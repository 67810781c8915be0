//! The one place that owns signals.

use std::{io, sync::Arc};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{error, info, warn};

use super::Gateway;

/// The signals that mean something. From here on they do not end the process by themselves.
pub(super) struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Waits for signals from now on.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Reloads on SIGHUP; returns on SIGTERM or SIGINT with its name.
    pub(super) async fn serve(&mut self, gateway: &Arc<Gateway>) -> &'static str {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.hangup.recv() => {
                    info!(event = "reload_signalled", "SIGHUP: reloading");
                    let reload = gateway.reload();
                    tokio::pin!(reload);
                    let (outcome, ended_by) = tokio::select! {
                        outcome = &mut reload => (outcome, None),
                        // A reload may wait for providers; a stop does not.
                        _ = self.terminate.recv() => (gateway.hurry(reload).await, Some("SIGTERM")),
                        _ = self.interrupt.recv() => (gateway.hurry(reload).await, Some("SIGINT")),
                    };
                    match outcome {
                        Ok(report) => report.warnings.iter().for_each(|warning| warn!(event = "configuration_warning", "{warning}")),
                        Err(error) => error!(event = "reload_refused", "the reload was refused, the old configuration keeps running:\n{error}"),
                    }
                    if let Some(signal) = ended_by {
                        return signal;
                    }
                }
            }
        }
    }

    /// Returns on the next SIGTERM or SIGINT with its name.
    pub(super) async fn next_end(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
