//! Everything that runs, in one place.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwap;
use tokio::sync::{Mutex, oneshot, watch};

use super::{
    Comebacks, Prepared, arbiters::Arbiters, channels::RunningChannel, prepare, quarantine,
};
use trunkline_host::{PluginSet, Quarantine};

use crate::{
    channel::{ChannelSpec, Registry},
    config::{Config, ConfigErrors, Settings},
    doctor::Doctor,
    inbound::{Backfiller, Ingress, Replayer},
    media::Keeper,
    metrics::Metrics,
    model::OrgId,
    outbound::{Accounts, Gate, MediaLinks, OutboxContext, Transport},
    store::{Store, StoreError},
    tls::Certificates,
    watch::{
        Canaries, CanaryKeeper, EchoGuard, Eraser, HealthBoard, Notifier, Poller, Prober,
        Retention, Silence, TemplateKeeper,
    },
};

/// What a gateway is made of.
pub struct GatewayOptions {
    /// The main configuration file.
    pub file: PathBuf,
    /// The configuration and plugins, checked.
    pub prepared: Prepared,
    /// The open store.
    pub store: Store,
}

/// Why a gateway could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An adapter refuses its section.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// The store refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The HTTP client can't be built.
    #[error("the HTTP client could not be built: {0}")]
    Transport(#[from] reqwest::Error),
}

/// The running gateway; shared by the listeners.
pub struct Gateway {
    /// What is kept.
    pub store: Store,
    /// The channels.
    pub registry: Arc<Registry>,
    /// Their health.
    pub board: Arc<HealthBoard>,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// Tells owners.
    pub notifier: Notifier,
    /// What every message passes on its way to the queue.
    pub gate: Arc<Gate>,
    /// Takes webhooks.
    pub ingress: Arc<Ingress>,
    /// Runs kept webhooks again.
    pub replayer: Replayer,
    /// Fetches missed messages.
    pub backfiller: Backfiller,
    /// Checks channels.
    pub prober: Prober,
    /// Keeps the catalogues of templates.
    pub templates: TemplateKeeper,
    /// Erases people.
    pub eraser: Eraser,
    /// Ends what is old.
    pub retention: Retention,
    /// Keeps uploaded files.
    pub keeper: Keeper,
    /// Links to files for providers that fetch.
    pub links: Arc<MediaLinks>,
    /// The configuration in force.
    pub settings: Settings,
    /// The certificate of the public listener.
    pub certificates: Arc<Certificates>,
    /// The plugins found last.
    pub plugins: ArcSwap<PluginSet>,
    pub(super) quarantine: Arc<Quarantine>,
    /// The channels that went back after the last reload.
    pub comebacks: Comebacks,
    pub(super) file: PathBuf,
    pub(super) transport: Transport,
    pub(super) accounts: Arc<Accounts>,
    pub(super) running: Mutex<BTreeMap<String, RunningChannel>>,
    pub(super) arbiters: Arbiters,
    /// True once the daemon is about to end.
    pub(super) leaving: watch::Sender<bool>,
    pub(super) stops: Mutex<Vec<oneshot::Sender<()>>>,
    pub(super) writers: Mutex<Vec<Writer>>,
    canaries: Arc<Canaries>,
}

/// Something that writes down what the rest says, and so ends after it.
pub(super) struct Writer {
    pub(super) stop: oneshot::Sender<()>,
    pub(super) stopped: oneshot::Receiver<()>,
}

fn eraser(
    store: &Store,
    ingress: &Arc<Ingress>,
    settings: &Settings,
    metrics: &Arc<Metrics>,
) -> Eraser {
    let (store, ingress) = (store.clone(), ingress.clone());
    Eraser::new(store, ingress, settings.clone(), metrics.clone())
}

/// Says which channels take webhooks without a token.
fn warn_of_bare(config: &Config, specs: &[ChannelSpec]) {
    for bare in prepare::without_token(config, specs) {
        tracing::warn!(event = "configuration_warning", "{bare}");
    }
}

impl Gateway {
    /// Starts every channel and everything around them; the listeners come after.
    pub async fn start(options: GatewayOptions) -> Result<Arc<Self>, StartError> {
        let GatewayOptions {
            file,
            prepared,
            store,
        } = options;
        let organizations = organizations(&store, &prepared.config).await?;
        let ids = prepared.config.channels.keys();
        let specs = prepare::open_channels(&prepared, ids, &organizations).await?;
        warn_of_bare(&prepared.config, &specs);
        save_senders(&store, &specs).await?;
        let notices = quarantine::notices(&prepared.aftermath, &prepared.config, &organizations);
        let settings: Settings = Arc::new(ArcSwap::from_pointee(prepared.config));
        let registry = Arc::new(Registry::default());
        let metrics = Arc::new(Metrics::new());
        let notifier = Notifier::new(store.clone(), metrics.clone());
        let (board, news) = HealthBoard::new(settings.clone());
        let board = Arc::new(board);
        let canaries = Arc::new(Canaries::default());
        let transport = Transport::new(settings.clone(), store.clone(), prepared.trust)?;
        let link_key = store.media_link_key().await?;
        let links = Arc::new(MediaLinks::new(&link_key, settings.clone()));
        let echo = Arc::new(EchoGuard::default());
        let gate = Arc::new(Gate::new(
            store.clone(),
            settings.clone(),
            notifier.clone(),
            echo.clone(),
        ));
        let ingress = Arc::new(Ingress::new(
            store.clone(),
            registry.clone(),
            metrics.clone(),
            notifier.clone(),
            canaries.clone(),
            settings.clone(),
            echo,
        ));
        let gateway = Arc::new(Self {
            replayer: Replayer::new(
                store.clone(),
                registry.clone(),
                ingress.clone(),
                transport.clone(),
            ),
            backfiller: Backfiller::new(
                store.clone(),
                registry.clone(),
                ingress.clone(),
                transport.clone(),
                settings.clone(),
            ),
            prober: Prober::new(
                board.clone(),
                transport.clone(),
                store.clone(),
                settings.clone(),
            ),
            templates: TemplateKeeper::new(
                store.clone(),
                board.clone(),
                transport.clone(),
                notifier.clone(),
                settings.clone(),
            ),
            certificates: Arc::new(Certificates::new(prepared.tls)),
            plugins: ArcSwap::from_pointee(prepared.plugins),
            quarantine: prepared.quarantine,
            running: Mutex::default(),
            arbiters: Arbiters::default(),
            eraser: eraser(&store, &ingress, &settings, &metrics),
            retention: Retention::new(store.clone(), settings.clone(), metrics.clone()),
            keeper: Keeper::new(store.clone(), settings.clone()),
            links,
            canaries,
            stops: Mutex::default(),
            writers: Mutex::default(),
            store,
            registry,
            board,
            metrics,
            notifier,
            gate,
            ingress,
            settings,
            comebacks: Comebacks::default(),
            leaving: watch::Sender::new(false),
            file,
            transport,
            accounts: Arc::default(),
        });
        gateway.start_writers(news).await;
        gateway.notifier.raise_all(notices);
        gateway.launch_all(specs).await;
        gateway.start_followers().await;
        gateway.start_reopening().await;
        gateway.start_backfill().await?;
        Ok(gateway)
    }

    /// A doctor who knows the state now.
    pub fn doctor(&self) -> Doctor {
        Doctor {
            registry: self.registry.clone(),
            ingress: self.ingress.clone(),
            config: self.settings.load_full(),
            plugins: self.plugins.load_full(),
            quarantine: self.quarantine.clone(),
            clock: self.transport.clock().clone(),
        }
    }

    /// The main configuration file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    pub(super) fn outbox_context(&self) -> OutboxContext {
        OutboxContext {
            store: self.store.clone(),
            transport: self.transport.clone(),
            settings: self.settings.clone(),
            health: self.board.clone(),
            metrics: self.metrics.clone(),
            notifier: self.notifier.clone(),
            accounts: self.accounts.clone(),
            links: self.links.clone(),
        }
    }

    pub(super) fn poller(&self) -> Poller {
        Poller::new(self.outbox_context())
    }

    pub(super) fn silence(&self) -> Silence {
        Silence {
            store: self.store.clone(),
            board: self.board.clone(),
            notifier: self.notifier.clone(),
        }
    }

    pub(super) fn canary_keeper(&self) -> CanaryKeeper {
        CanaryKeeper {
            store: self.store.clone(),
            board: self.board.clone(),
            notifier: self.notifier.clone(),
            metrics: self.metrics.clone(),
            canaries: self.canaries.clone(),
            gate: self.gate.clone(),
            settings: self.settings.clone(),
        }
    }

    /// Ends sending: attempts under way are finished, no others begin.
    pub(super) async fn stop_sending(&self) {
        let mut running = self.running.lock().await;
        let ends = running.values_mut().map(RunningChannel::stop_sending);
        futures_util::future::join_all(ends).await;
    }

    /// Ends everything but the store: first what begins new work, then the attempts under way,
    /// then the channels.
    pub async fn stop(&self) {
        self.stops.lock().await.clear();
        let mut running = self.running.lock().await;
        let channels: Vec<RunningChannel> = std::mem::take(&mut *running).into_values().collect();
        let ends = channels.into_iter().map(RunningChannel::stop);
        futures_util::future::join_all(ends).await;
        for writer in self.writers.lock().await.drain(..) {
            let _ = writer.stop.send(());
            let _ = writer.stopped.await;
        }
        if let Err(error) = self.store.save_clock().await {
            tracing::warn!(event = "clock_not_saved", %error, "the clock could not be saved");
        }
        self.registry.publish(BTreeMap::new());
    }
}

/// Remembers which address each channel sends from.
pub(super) async fn save_senders(store: &Store, specs: &[ChannelSpec]) -> Result<(), StoreError> {
    let sender = |spec: &ChannelSpec| {
        let scope = spec.consent_scope().to_owned();
        (spec.org, spec.id.clone(), scope)
    };
    // A channel that could not be opened keeps the address that it had.
    let opened = specs.iter().filter(|spec| spec.facts.is_some());
    store.save_senders(opened.map(sender).collect()).await
}

/// The numbers of all organizations that a configuration names.
pub(super) async fn organizations(
    store: &Store,
    config: &Config,
) -> Result<BTreeMap<String, OrgId>, StoreError> {
    let mut numbers = BTreeMap::new();
    for channel in config.channels.values() {
        if !numbers.contains_key(&channel.organization) {
            let number = store.organization(&channel.organization).await?;
            numbers.insert(channel.organization.clone(), number);
        }
    }
    Ok(numbers)
}
