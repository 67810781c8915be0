//! `trunkline run`: from the configuration file to the last flush.

use std::{
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, timeout, timeout_at};
use tracing::{error, info, warn};

use super::{
    Gateway, GatewayOptions, StartError, audit, prepare, quarantine, signals::Signals, systemd,
};
use crate::{
    config::{Config, ConfigErrors, LmtpListen},
    lmtp::{self, Lmtp},
    store::{EngineOptions, OpenError, Store},
    watch::{Part, Pulse},
    web::{self, Inherited},
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
    /// A socket that systemd passed can't be used.
    #[error("{0}")]
    Inherited(String),
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

/// The exit code after a second signal.
const EXIT_AT_ONCE: i32 = 1;
/// Share of the drain time in which requests and sends are to end; the rest is for channels and the store.
const WORK_SHARE: f32 = 0.8;
/// Longest time for which open connections are still heard once a stop has begun.
const LINGER: Duration = Duration::from_millis(250);

/// Runs the daemon until a signal ends it. `init_logs` is called once the configuration says how
/// to log, and before anything is logged.
pub async fn run(file: &Path, init_logs: impl FnOnce(&Config)) -> Result<(), RunError> {
    let starting = systemd::Starting::begin();
    let inherited = Inherited::take().map_err(RunError::Inherited)?;
    let prepared = prepare::prepare(file, &prepare::Purpose::Start)?;
    init_logs(&prepared.config);
    quarantine::log(&prepared.aftermath);
    for warning in &prepared.warnings {
        warn!(event = "configuration_warning", "{warning}");
    }
    for refused in prepared.plugins.refused() {
        warn!(event = "plugin_refused", path = %refused.path.display(), reason = %refused.reason, "plugin refused");
    }
    let mut signals = Signals::new().map_err(|source| RunError::Io {
        what: "signals can't be waited for".into(),
        source,
    })?;
    let store = open_store(&prepared.config)?;
    let gateway = Gateway::start(GatewayOptions {
        file: file.to_owned(),
        prepared,
        store: store.clone(),
    })
    .await?;
    let pulse = systemd::pulse();
    if let Some(pulse) = &pulse {
        systemd::wire_up(&gateway, pulse);
    }
    let mails = lmtp::listen(&gateway).map_err(|(what, source)| RunError::Io { what, source })?;
    let listeners = web::listen(&gateway, inherited, on_worker(pulse.clone()))
        .map_err(|(what, source)| RunError::Io { what, source })?;
    drop(starting);
    systemd::ready(&gateway);
    info!(
        event = "ready",
        public = %listeners.public,
        admin = %listeners.admin,
        socket = %listeners.socket.display(),
        lmtp = %mails.as_ref().map_or(&LmtpListen::Off, |mails| &mails.at),
        tls = gateway.certificates.current().is_some(),
        version = env!("CARGO_PKG_VERSION"),
        "ready"
    );
    audit::tell(&store, "daemon.start", |entry| {
        entry.with("version", env!("CARGO_PKG_VERSION"))
    })
    .await;
    let attending = actix::spawn(systemd::attend(gateway.clone(), pulse));
    let signal = signals.serve(&gateway).await;
    info!(event = "stopping", signal, "stopping");
    attending.abort();
    systemd::stopping();
    let end = async {
        audit::tell(&store, "daemon.stop", |entry| {
            entry
                .with("version", env!("CARGO_PKG_VERSION"))
                .with("signal", signal)
        })
        .await;
        shut_down(&gateway, listeners, mails).await;
        close_store(store).await;
    };
    tokio::select! {
        () = end => info!(event = "stopped", "stopped"),
        signal = signals.next_end() => {
            error!(event = "ended_at_once", signal, "a second signal: ended at once; what was acknowledged is kept");
            std::process::exit(EXIT_AT_ONCE);
        }
    }
    Ok(())
}

/// Has each thread of the public listener give signs of life.
fn on_worker(pulse: Option<Pulse>) -> impl Fn() + Clone + Send + 'static {
    let next = Arc::new(AtomicU32::new(0));
    move || {
        if let Some(pulse) = pulse.clone() {
            let number = next.fetch_add(1, Ordering::Relaxed);
            actix::spawn(pulse.keep(Part::Worker(number)));
        }
    }
}

fn open_store(config: &Config) -> Result<Store, OpenError> {
    let options = EngineOptions {
        cache_bytes: config.store.cache_bytes,
        snapshot_interval: config.store.snapshot_interval,
        reserve_bytes: config.store.reserve_bytes,
        ..EngineOptions::default()
    };
    let (store, report) = Store::open(&config.store.path, options)?;
    info!(event = "store_opened", ?report, "store opened");
    Ok(store)
}

/// Readiness off, listeners closed, requests and sends under way finished; then the channels; all
/// within the drain time.
async fn shut_down(gateway: &Arc<Gateway>, listeners: web::Listeners, mails: Option<Lmtp>) {
    let drain = gateway.settings.load().server.drain;
    let deadline = Instant::now() + drain;
    listeners.readiness.leave();
    gateway.leave();
    // Pages stay connected for as long as they are let; they come back to the next daemon.
    gateway.sessions().close();
    gateway.store.stop_backups();
    let mails = async {
        if let Some(mails) = mails {
            mails.stop().await;
        }
    };
    let work = drain.mul_f32(WORK_SHARE);
    let (web, mails, sends) = tokio::join!(
        timeout(work, listeners.stop(LINGER.min(drain / 8))),
        timeout(work, mails),
        timeout(work, gateway.stop_sending()),
    );
    let late = [(web, "requests"), (mails, "mails"), (sends, "sends")];
    let late = late.iter().filter(|(ended, _)| ended.is_err());
    let late: Vec<&str> = late.map(|(_, what)| *what).collect();
    if !late.is_empty() {
        let late = late.join(", ");
        warn!(
            event = "stop_late",
            late, "not everything ended in time; sends are taken up again by the next start"
        );
    }
    if timeout_at(deadline, gateway.stop()).await.is_err() {
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
