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
                info!("SIGHUP: reloading");
                let reload = gateway.reload();
                tokio::pin!(reload);
                let (outcome, ended_by) = tokio::select! {
                    outcome = &mut reload => (outcome, None),
                    // A reload may wait for providers; a stop does not.
                    _ = terminate.recv() => (gateway.hurry(reload).await, Some("SIGTERM")),
                    _ = interrupt.recv() => (gateway.hurry(reload).await, Some("SIGINT")),
                };
                match outcome {
                    Ok(report) => report.warnings.iter().for_each(|warning| warn!("{warning}")),
                    Err(error) => error!("the reload was refused, the old configuration keeps running:\n{error}"),
                }
                if let Some(signal) = ended_by {
                    return Ok(signal);
                }
            }
        }
    }
}
