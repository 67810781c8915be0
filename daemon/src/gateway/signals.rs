//! The one place that owns signals.

use std::{io, sync::Arc};

use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info, warn};

use super::Gateway;

/// Reloads on SIGHUP; returns on SIGTERM or SIGINT.
pub(super) async fn serve(gateway: &Arc<Gateway>) -> io::Result<&'static str> {
    let mut hangup = signal(SignalKind::hangup())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok("SIGTERM"),
            _ = interrupt.recv() => return Ok("SIGINT"),
            _ = hangup.recv() => {
                info!(event = "reload_signalled", "SIGHUP: reloading");
                match gateway.reload().await {
                    Ok(report) => report.warnings.iter().for_each(|warning| warn!(event = "configuration_warning", "{warning}")),
                    Err(error) => error!(event = "reload_refused", "the reload was refused, the old configuration keeps running:\n{error}"),
                }
            }
        }
    }
}
