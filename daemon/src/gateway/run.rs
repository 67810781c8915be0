//! `trunkline run`: from the configuration file to the last flush.

use std::{io, path::Path, sync::Arc, time::Duration};

use actix_web::dev::ServerHandle;
use tracing::{info, warn};

use super::{Gateway, GatewayOptions, StartError, prepare, signals};
use crate::{
    config::{Config, ConfigErrors, LmtpListen},
    lmtp::{self, Lmtp},
    store::{EngineOptions, OpenError, Store},
    web,
};

/// Why the daemon ended with an error.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// The store can't be opened.
    #[error("the store can't be opened: {0}")]
    Store(#[from] OpenError),
    /// Something could not be started.
    #[error(transparent)]
    Start(StartError),
    /// A listener can't be bound, or a signal can't be waited for.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why not.
        source: io::Error,
    },
}

impl From<StartError> for RunError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Config(errors) => Self::Config(errors),
            other => Self::Start(other),
        }
    }
}

/// Runs the daemon until a signal ends it. `init_logs` is called once the configuration says how
/// to log, and before anything is logged.
pub async fn run(file: &Path, init_logs: impl FnOnce(&Config)) -> Result<(), RunError> {
    let prepared = prepare::prepare(file, None, None)?;
    init_logs(&prepared.config);
    for warning in &prepared.warnings {
        warn!(event = "configuration_warning", "{warning}");
    }
    for refused in prepared.plugins.refused() {
        warn!(event = "plugin_refused", path = %refused.path.display(), reason = %refused.reason, "plugin refused");
    }
    let store = open_store(&prepared.config)?;
    let drain = prepared.config.server.drain;
    let gateway = Gateway::start(GatewayOptions {
        file: file.to_owned(),
        prepared,
        store: store.clone(),
    })
    .await?;
    let mails = lmtp::listen(&gateway).map_err(|(what, source)| RunError::Io { what, source })?;
    let listeners =
        web::listen(&gateway).map_err(|(what, source)| RunError::Io { what, source })?;
    info!(
    event = "ready",
           public = %listeners.public,
           admin = %listeners.admin,
           socket = %listeners.socket.display(),
           lmtp = %mails.as_ref().map_or(&LmtpListen::Off, |mails| &mails.at),
           version = env!("CARGO_PKG_VERSION"),
           "ready"
       );
    let signal = signals::serve(&gateway)
        .await
        .map_err(|source| RunError::Io {
            what: "signals can't be waited for".into(),
            source,
        })?;
    info!(event = "stopping", signal, "stopping");
    shut_down(&gateway, listeners, mails, drain).await;
    close_store(store).await;
    info!(event = "stopped", "stopped");
    Ok(())
}

fn open_store(config: &Config) -> Result<Store, OpenError> {
    let options = EngineOptions {
        cache_bytes: config.store.cache_bytes,
        snapshot_interval: config.store.snapshot_interval,
        ..EngineOptions::default()
    };
    let (store, report) = Store::open(&config.store.path, options)?;
    info!(event = "store_opened", ?report, "store opened");
    Ok(store)
}

/// Readiness off, listeners closed, requests in flight finished; then the channels; all within
/// the deadline.
async fn shut_down(
    gateway: &Arc<Gateway>,
    listeners: web::Listeners,
    mails: Option<Lmtp>,
    drain: Duration,
) {
    let end = async {
        listeners.readiness.leave();
        // Pages stay connected for as long as they are let; they come back to the next daemon.
        gateway.sessions().close();
        let stops = listeners
            .handles
            .iter()
            .map(|handle: &ServerHandle| handle.stop(true));
        let mails = async {
            if let Some(mails) = mails {
                mails.stop().await;
            }
        };
        tokio::join!(futures_util::future::join_all(stops), mails);
        gateway.stop().await;
    };
    if tokio::time::timeout(drain, end).await.is_err() {
        warn!(
            event = "drain_timed_out",
            drain_ms = drain.as_millis(),
            "not everything ended within the drain time"
        );
    }
}

/// Flushes and closes the store; what was acknowledged is durable already.
async fn close_store(store: Store) {
    let closed = tokio::task::spawn_blocking(move || store.engine().clone().close()).await;
    if let Err(error) = closed {
        warn!(event = "store_not_closed", %error, "the store was not closed in order; it will be checked at the next start");
    }
}
