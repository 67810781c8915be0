//! What everyone else holds of a channel: its facts, and a way to its adapter.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use actix::Addr;
use tokio::sync::{Notify, Semaphore, oneshot, watch};
use trunkline_plugin_api::{Capability, Facts};

use super::{
    actor::{Call, ChannelActor},
    limiter::Limiter,
    spec::{ChannelSpec, Unopened, comes_by_webhook, scope},
};
use trunkline_host::{CallError, Entry, Instance, Plugin};

use crate::{
    config::{self, Settings},
    metrics::Metrics,
    model::{ChannelId, EventId, Millis, OrgId},
    store::ChannelRef,
    telemetry::trace,
};

/// Why a call to a channel's adapter brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// The channel does not run.
    #[error("the channel is down: {0}")]
    Down(String),
    /// More calls are under way than the channel takes.
    #[error("the channel is busy")]
    Busy,
    /// The adapter did not answer in time.
    #[error("the plugin did not answer in {} ms", .0.as_millis())]
    Deadline(Duration),
    /// The adapter misbehaved.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl ChannelError {
    /// True where the channel was lost, not where its adapter has answered, well or badly.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Down(_) | Self::Deadline(_) => true,
            Self::Call(error) => {
                matches!(error, CallError::Crashed(_) | CallError::NotStarted(_))
            }
            Self::Busy => false,
        }
    }
}

/// What runs at the moment.
#[derive(Clone)]
pub enum Running {
    /// The actor, in a moment: calls wait for it.
    Starting,
    /// The actor, ready for calls.
    Live(Addr<ChannelActor>),
    /// Nothing for a moment, and why: it is about to be started again.
    Restarting(String),
    /// Nothing, and why.
    Down(String),
}

/// A channel. Shared by all who use it; outlives restarts of its actor.
pub struct Channel {
    /// Its id.
    pub id: ChannelId,
    /// Whose it is.
    pub org: OrgId,
    /// The plugin that serves it.
    pub plugin: Option<Arc<Plugin>>,
    /// What the adapter says of it.
    pub facts: Option<Facts>,
    /// Why it could not be opened, where another try may bring more.
    pub unopened: Option<Unopened>,
    /// Told when something was queued for sending.
    pub queue: Notify,
    /// Told when its provider speaks of a template that is not in its catalogue.
    pub templates: Notify,
    /// How much has come in.
    pub limiter: Limiter,
    config: arc_swap::ArcSwap<config::Channel>,
    permits: Arc<Semaphore>,
    running: watch::Receiver<Running>,
    started_at_ms: std::sync::atomic::AtomicI64,
    restarts: AtomicU32,
    failures: AtomicU32,
    /// The process of its plugin; 0 where it has none.
    worker_pid: AtomicU32,
    heard_at_ms: std::sync::atomic::AtomicI64,
    settings: Settings,
    metrics: Arc<Metrics>,
}

impl Channel {
    pub(super) fn new(
        spec: &ChannelSpec,
        running: watch::Receiver<Running>,
        settings: &Settings,
        metrics: Arc<Metrics>,
    ) -> Self {
        let permits = settings.load().server.permits_per_channel as usize;
        Self {
            id: spec.id.clone(),
            org: spec.org,
            plugin: spec.plugin.clone(),
            facts: spec.facts.clone(),
            unopened: spec.unopened,
            queue: Notify::new(),
            templates: Notify::new(),
            limiter: Limiter::default(),
            config: arc_swap::ArcSwap::new(spec.config.clone()),
            permits: Arc::new(Semaphore::new(permits)),
            running,
            started_at_ms: std::sync::atomic::AtomicI64::new(0),
            restarts: AtomicU32::new(0),
            failures: AtomicU32::new(0),
            worker_pid: AtomicU32::new(0),
            heard_at_ms: std::sync::atomic::AtomicI64::new(0),
            settings: settings.clone(),
            metrics,
        }
    }

    /// The configuration as of the last reload that concerned it.
    pub fn config(&self) -> Arc<config::Channel> {
        self.config.load_full()
    }

    /// Takes over what a reload changed without a restart.
    pub fn update_config(&self, config: Arc<config::Channel>) {
        self.config.store(config);
    }

    /// What the store needs to know of it.
    pub fn reference(&self) -> ChannelRef {
        ChannelRef {
            id: self.id.clone(),
            org: self.org,
            medium: self.medium(),
        }
    }

    /// The configuration of the whole gateway, as it is in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The scope of consent to its messages: the address that they come from, else its id.
    pub fn consent_scope(&self) -> &str {
        scope(self.facts.as_ref(), &self.id)
    }

    /// Its main medium.
    pub fn medium(&self) -> trunkline_plugin_api::Medium {
        let main = self.facts.as_ref().and_then(|facts| facts.media.first());
        main.copied()
            .unwrap_or(trunkline_plugin_api::Medium::Webhook)
    }

    /// Whether its adapter implements a call.
    pub fn can(&self, capability: Capability) -> bool {
        self.plugin
            .as_ref()
            .is_some_and(|plugin| plugin.manifest().capabilities.contains(&capability))
    }

    /// Whether what comes in comes by its webhook.
    pub fn has_webhook(&self) -> bool {
        self.facts.as_ref().is_some_and(comes_by_webhook)
    }

    /// The path of its webhook: with its first token, else its first alias, else bare.
    pub fn webhook_path(&self) -> String {
        let config = self.config();
        match (config.webhook_tokens.first(), config.webhook_paths.first()) {
            (Some(token), _) => format!("/webhooks/{}/{}", self.id, token.expose()),
            (None, Some(alias)) => alias.clone(),
            (None, None) => format!("/webhooks/{}", self.id),
        }
    }

    /// What is held against its plugin's file where the channel is given up for it; none where it has no plugin.
    pub fn entry(&self, reason: String, at_ms: Millis) -> Option<Entry> {
        let plugin = self.plugin.as_ref()?;
        Some(Entry {
            sha256: plugin.sha256().to_owned(),
            plugin: plugin.id().to_owned(),
            version: plugin.version().to_owned(),
            channel: Some(self.id.to_string()),
            reason,
            at_ms,
        })
    }

    /// Why it is down, where it is.
    pub fn down_reason(&self) -> Option<String> {
        match &*self.running.borrow() {
            Running::Live(_) | Running::Starting => None,
            Running::Restarting(reason) | Running::Down(reason) => Some(reason.clone()),
        }
    }

    /// The actor's address; waits for one that is starting.
    async fn address(&self, deadline: Duration) -> Result<Addr<ChannelActor>, ChannelError> {
        if let Running::Live(address) = &*self.running.borrow() {
            return Ok(address.clone());
        }
        let mut running = self.running.clone();
        let settled = running.wait_for(|state| !matches!(state, Running::Starting));
        match tokio::time::timeout(deadline, settled).await {
            Ok(Ok(state)) => match &*state {
                Running::Live(address) => Ok(address.clone()),
                Running::Restarting(reason) | Running::Down(reason) => {
                    Err(ChannelError::Down(reason.clone()))
                }
                Running::Starting => Err(ChannelError::Deadline(deadline)),
            },
            Ok(Err(_)) => Err(ChannelError::Down("it was stopped".into())),
            Err(_) => Err(ChannelError::Deadline(deadline)),
        }
    }

    /// A message came in by it.
    pub(crate) fn heard(&self, at_ms: Millis) {
        self.heard_at_ms.fetch_max(at_ms, Ordering::Relaxed);
    }

    /// When a message last came in by it while the daemon runs; 0 where none did.
    pub fn heard_at_ms(&self) -> Millis {
        self.heard_at_ms.load(Ordering::Relaxed)
    }

    /// Follows whether it runs.
    pub fn watch(&self) -> watch::Receiver<Running> {
        self.running.clone()
    }

    /// When its actor was last started; 0 before the first start.
    pub fn started_at_ms(&self) -> Millis {
        self.started_at_ms.load(Ordering::Relaxed)
    }

    /// How often its actor was started again.
    pub fn restarts(&self) -> u32 {
        self.restarts.load(Ordering::Relaxed)
    }

    pub(super) fn note_start(&self, now_ms: Millis, is_restart: bool) {
        self.started_at_ms.store(now_ms, Ordering::Relaxed);
        if is_restart {
            self.restarts.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The id of its plugin's own process, where it has one.
    pub fn worker_pid(&self) -> Option<u32> {
        let pid = self.worker_pid.load(Ordering::Relaxed);
        (pid != 0).then_some(pid)
    }

    pub(super) fn note_worker(&self, pid: Option<u32>) {
        self.worker_pid.store(pid.unwrap_or(0), Ordering::Relaxed);
    }

    /// Panics, garbage and oversized answers in a row.
    pub(super) fn failures(&self) -> u32 {
        self.failures.load(Ordering::Relaxed)
    }

    pub(super) fn forget_failures(&self) {
        self.failures.store(0, Ordering::Relaxed);
    }

    /// Calls the adapter on the channel's thread and waits for its answer, up to the deadline.
    pub async fn call<R: Send + 'static>(
        &self,
        what: &'static str,
        run: impl FnOnce(&Instance) -> Result<R, CallError> + Send + 'static,
    ) -> Result<R, ChannelError> {
        self.call_for(what, None, run).await
    }

    /// The same for a request, whose id the log names.
    pub async fn call_for<R: Send + 'static>(
        &self,
        what: &'static str,
        request: Option<EventId>,
        run: impl FnOnce(&Instance) -> Result<R, CallError> + Send + 'static,
    ) -> Result<R, ChannelError> {
        let span = trace::child("plugin");
        span.note("op", || what);
        let result = self.make_call(what, request, run).await;
        let outcome = outcome(&result);
        self.metrics.plugin_call(&self.id, what, outcome);
        if outcome != "ok" {
            span.fail(outcome);
        }
        result
    }

    async fn make_call<R: Send + 'static>(
        &self,
        what: &'static str,
        request: Option<EventId>,
        run: impl FnOnce(&Instance) -> Result<R, CallError> + Send + 'static,
    ) -> Result<R, ChannelError> {
        let _permit = self.permits.try_acquire().map_err(|_| ChannelError::Busy)?;
        let watchdog = self.settings.load().plugins.call_watchdog;
        let deadline = watchdog + watchdog / 2;
        let address = self.address(deadline).await?;
        let (answer, answered) = oneshot::channel();
        let run = Box::new(move |instance: &Instance| {
            // Nobody waits any more where the deadline has passed.
            let _ = answer.send(run(instance));
        });
        address.do_send(Call { what, request, run });
        match tokio::time::timeout(deadline, answered).await {
            Ok(Ok(result)) => self.judge(result),
            Ok(Err(_)) => Err(ChannelError::Down("its actor was stopped".into())),
            Err(_) => Err(ChannelError::Deadline(deadline)),
        }
    }

    /// Counts answers that only a broken plugin gives; a good one forgets them.
    fn judge<R>(&self, result: Result<R, CallError>) -> Result<R, ChannelError> {
        if result.as_ref().is_err_and(CallError::is_fault) {
            self.failures.fetch_add(1, Ordering::Relaxed);
        } else {
            self.forget_failures();
        }
        result.map_err(ChannelError::from)
    }
}

/// What came of a call, for metrics and traces: one of a closed set.
fn outcome<R>(result: &Result<R, ChannelError>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(ChannelError::Down(_)) => "down",
        Err(ChannelError::Busy) => "busy",
        Err(ChannelError::Deadline(_)) => "deadline",
        Err(ChannelError::Call(error)) => match error {
            CallError::NotStarted(_) => "down",
            CallError::Failed(_) => "failed",
            CallError::Unsupported => "unsupported",
            CallError::Panic(_) | CallError::Crashed(_) => "panic",
            CallError::Garbage(_)
            | CallError::TooLarge
            | CallError::BadInput(_)
            | CallError::NotLoaded(_) => "garbage",
        },
    }
}
