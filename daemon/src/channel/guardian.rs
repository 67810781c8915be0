//! One guardian for each channel: starts its actor on a thread of its own, sees it end, panic or
//! hang, starts it again with backoff, and gives up beyond a limit.
//!
//! Guardians live on their own thread, never on a channel's: what hangs there can't reach them.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{Addr, Arbiter, AsyncContext, Context, dev::ContextFut};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{error, info, warn};

use super::{
    actor::{ChannelActor, Pulse, Stop},
    handle::{Channel, Running},
    isolation::{isolation, opening_patience},
    restart::{Fault, History, Verdict},
    spec::ChannelSpec,
};
use trunkline_host::{CallError, Instance, Isolation, Observer, OpenError, Quarantine};

use crate::{config::Settings, metrics::Metrics, store::Store};

/// Asks a guardian to end its channel.
pub struct Guardian {
    stop: mpsc::Sender<oneshot::Sender<()>>,
    is_replaced: Arc<Mutex<bool>>,
}

impl Guardian {
    /// Starts a channel on a new thread, watched from the `guardians` arbiter.
    pub fn start(
        spec: ChannelSpec,
        settings: Settings,
        guardians: &Arbiter,
        store: Store,
        metrics: Arc<Metrics>,
        quarantine: Arc<Quarantine>,
    ) -> (Arc<Channel>, Self) {
        let state = match &spec.instance {
            Ok(_) => Running::Starting,
            Err(reason) => Running::Down(reason.clone()),
        };
        let (live, running) = watch::channel(state);
        let channel = Arc::new(Channel::new(&spec, running, &settings, metrics.clone()));
        let (stop, stops) = mpsc::channel(1);
        let is_replaced = Arc::new(Mutex::new(false));
        let watcher = Watcher {
            channel: channel.clone(),
            live,
            store,
            metrics,
            quarantine,
            is_replaced: is_replaced.clone(),
            history: History::new(settings.load().plugins.failures_max),
            settings,
        };
        guardians.spawn(watcher.run(spec.instance.ok(), stops));
        (channel, Self { stop, is_replaced })
    }

    /// Another takes its place: from here on it puts nothing into quarantine. Waits for what it is writing.
    pub fn replace(&self) {
        *self.is_replaced.lock() = true;
    }

    /// Ends the channel's actor after the calls it has already taken.
    pub async fn stop(self) {
        let (done, finished) = oneshot::channel();
        if self.stop.send(done).await.is_ok() {
            // An abandoned guardian counts as stopped.
            let _ = finished.await;
        }
    }
}

struct Watcher {
    channel: Arc<Channel>,
    settings: Settings,
    live: watch::Sender<Running>,
    store: Store,
    metrics: Arc<Metrics>,
    quarantine: Arc<Quarantine>,
    is_replaced: Arc<Mutex<bool>>,
    history: History,
}

/// How a run of the actor ended.
enum End {
    Asked(oneshot::Sender<()>),
    Fault(Fault),
    /// Too many panics or garbage answers in a row.
    Distrusted(u32),
}

/// A running actor and what tells of its end.
struct Run {
    /// No instance: the last clone closes the channel, which is plugin code.
    observer: Observer,
    arbiter: Arbiter,
    address: Addr<ChannelActor>,
    pulse: Arc<Pulse>,
    ended: oneshot::Receiver<Fault>,
}

impl Watcher {
    async fn run(
        mut self,
        instance: Option<Instance>,
        mut stops: mpsc::Receiver<oneshot::Sender<()>>,
    ) {
        let mut next = instance;
        let mut is_restart = false;
        while let Some(instance) = next.take() {
            let end = match self.launch(instance, is_restart).await {
                Ok(run) => self.watch(run, &mut stops).await,
                Err(fault) => End::Fault(fault),
            };
            is_restart = true;
            next = match end {
                End::Asked(done) => return self.finish(done),
                End::Distrusted(failures) => {
                    self.quarantine(format!(
                        "it panicked or answered garbage {failures} times in a row"
                    ))
                    .await;
                    None
                }
                End::Fault(fault) => match self.after(&fault, &mut stops).await {
                    Ok(next) => next,
                    Err(done) => return self.finish(done),
                },
            };
        }
        if let Some(done) = stops.recv().await {
            self.finish(done);
        }
    }

    /// A call longer than this is a hang.
    fn watchdog(&self) -> Duration {
        self.settings.load().plugins.call_watchdog
    }

    /// After this the thread of a call is left behind. A process of its own is killed before.
    fn patience(&self, observer: &Observer) -> Duration {
        match observer.isolation() {
            Isolation::None => self.watchdog(),
            Isolation::Process { .. } => self.watchdog() * 2,
        }
    }

    fn finish(&self, done: oneshot::Sender<()>) {
        self.live
            .send_replace(Running::Down("it was stopped".into()));
        let _ = done.send(());
    }

    fn give_up(&self, reason: String) {
        error!(event = "channel_given_up", channel = %self.channel.id, %reason, "channel given up");
        self.channel.note_worker(None);
        self.live.send_replace(Running::Down(reason));
    }

    /// Gives the channel up for what its plugin did, also after a restart of the daemon.
    async fn quarantine(&self, reason: String) {
        let Some(entry) = self.channel.entry(reason.clone(), self.store.now()) else {
            return self.give_up(reason);
        };
        let words = entry.words();
        let (quarantine, is_replaced) = (self.quarantine.clone(), self.is_replaced.clone());
        let add = move || {
            // Held while it is written: a successor sees the entry, or there is none.
            let is_replaced = is_replaced.lock();
            if *is_replaced {
                return Ok(());
            }
            quarantine.add(entry)
        };
        let added = tokio::task::spawn_blocking(add).await;
        if let Err(error) = added.unwrap_or_else(|error| Err(std::io::Error::other(error))) {
            error!(event = "quarantine_not_saved", channel = %self.channel.id, %error, "a restart of the daemon would start this channel again");
        }
        self.give_up(words);
    }

    /// Starts the actor on a new arbiter.
    async fn launch(&self, instance: Instance, is_restart: bool) -> Result<Run, Fault> {
        let pulse = Arc::new(Pulse::new());
        let observer = instance.observer();
        self.channel.note_worker(observer.pid());
        let actor = ChannelActor {
            channel: self.channel.id.to_string(),
            instance,
            pulse: pulse.clone(),
            settings: self.settings.clone(),
            metrics: self.metrics.clone(),
        };
        let arbiter = Arbiter::new();
        let (tell_address, address) = oneshot::channel();
        let (tell_end, ended) = oneshot::channel();
        arbiter.spawn_fn(move || {
            actix::spawn(run_actor(actor, tell_address, tell_end));
        });
        let address = address.await.map_err(|_| Fault::Ended)?;
        self.channel.note_start(self.store.now(), is_restart);
        self.channel.forget_failures();
        self.live.send_replace(Running::Live(address.clone()));
        if is_restart {
            self.metrics.actor_restart(&self.channel.id);
            info!(event = "channel_restarted", channel = %self.channel.id, "channel restarted");
        } else {
            info!(event = "channel_started", channel = %self.channel.id, "channel started");
        }
        Ok(Run {
            observer,
            arbiter,
            address,
            pulse,
            ended,
        })
    }

    /// Waits for the end of a run, looking for hangs and distrust in between.
    async fn watch(&self, mut run: Run, stops: &mut mpsc::Receiver<oneshot::Sender<()>>) -> End {
        let tick =
            (self.watchdog() / 8).clamp(Duration::from_millis(5), Duration::from_millis(250));
        let mut ticks = tokio::time::interval(tick);
        loop {
            tokio::select! {
                fault = &mut run.ended => {
                    run.arbiter.stop();
                    let fault = fault.unwrap_or(Fault::Ended);
                    return End::Fault(run.observer.failure().map_or(fault, Fault::from));
                }
                asked = stops.recv() => {
                    let done = asked.unwrap_or_else(|| oneshot::channel().0);
                    self.drain(run).await;
                    return End::Asked(done);
                }
                _ = ticks.tick() => {
                    self.channel.note_worker(run.observer.pid());
                    if let Some(error) = run.observer.failure() {
                        run.arbiter.stop();
                        return End::Fault(Fault::from(error));
                    }
                    let patience = self.patience(&run.observer);
                    if run.pulse.running_for().is_some_and(|took| took > patience) {
                        // The thread is stuck inside the plugin: it can only be left behind.
                        return End::Fault(Fault::Hang("a call"));
                    }
                    let failures = self.channel.failures();
                    if failures >= self.settings.load().plugins.failures_max {
                        run.arbiter.stop();
                        return End::Distrusted(failures);
                    }
                }
            }
        }
    }

    /// Lets the actor finish the calls it has taken, up to the watchdog's time.
    async fn drain(&self, run: Run) {
        run.address.do_send(Stop);
        let _ = tokio::time::timeout(self.watchdog(), run.ended).await;
        run.arbiter.stop();
    }

    /// After a fault: the wait and a newly opened adapter, nothing where it is given up, or the
    /// request to stop that came meanwhile.
    async fn after(
        &mut self,
        fault: &Fault,
        stops: &mut mpsc::Receiver<oneshot::Sender<()>>,
    ) -> Result<Option<Instance>, oneshot::Sender<()>> {
        let mut fault = fault.clone();
        loop {
            match self.history.after(&fault, Instant::now()) {
                Verdict::GiveUp(reason) => {
                    match fault {
                        Fault::Hang(_) | Fault::Open(_) | Fault::Crash(_) => {
                            self.quarantine(reason).await;
                        }
                        Fault::Panic(_) | Fault::Ended | Fault::Shortage(_) => self.give_up(reason),
                    }
                    return Ok(None);
                }
                Verdict::Restart(wait) => {
                    let wait = wait.mul_f64(rand::random_range(0.5..1.0));
                    warn!(event = "channel_failed", channel = %self.channel.id, reason = %fault.words(), wait_ms = wait.as_millis(), "channel failed; it will be restarted");
                    self.channel.note_worker(None);
                    self.live.send_replace(Running::Restarting(fault.words()));
                    tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        Some(done) = stops.recv() => return Err(done),
                    }
                    match self.reopen().await {
                        Ok(instance) => return Ok(Some(instance)),
                        Err(failed) => fault = failed,
                    }
                }
            }
        }
    }

    /// Opens the adapter anew, away from this thread: opening is plugin code too.
    async fn reopen(&self) -> Result<Instance, Fault> {
        let Some(plugin) = self.channel.plugin.clone() else {
            return Err(Fault::Open("its plugin is gone".into()));
        };
        let config = self.channel.config();
        let isolation = isolation(&config, &self.settings.load().plugins);
        let patience = opening_patience(&isolation, self.watchdog());
        let opening = tokio::task::spawn_blocking(move || {
            let opened = plugin.open_in(&config.id, config.config.expose(), &isolation);
            opened.map(|(instance, _)| instance).map_err(fault_of)
        });
        match tokio::time::timeout(patience, opening).await {
            Ok(Ok(opened)) => opened,
            Ok(Err(panic)) => Err(Fault::Open(panic.to_string())),
            Err(_) => Err(Fault::Open("it hung while being opened".into())),
        }
    }
}

fn fault_of(error: OpenError) -> Fault {
    match error {
        OpenError::Fault {
            error: CallError::NotStarted(words),
            ..
        } => Fault::Shortage(words),
        error => Fault::Open(error.to_string()),
    }
}

/// The life of an actor on its arbiter: its context's future in a local task, so that a panic in
/// a handler ends that task and is seen here.
async fn run_actor(
    actor: ChannelActor,
    tell_address: oneshot::Sender<Addr<ChannelActor>>,
    tell_end: oneshot::Sender<Fault>,
) {
    let context: Context<ChannelActor> = Context::new();
    if tell_address.send(context.address()).is_err() {
        return;
    }
    let life: ContextFut<ChannelActor, Context<ChannelActor>> = context.into_future(actor);
    let fault = match actix::spawn(life).await {
        Err(error) if error.is_panic() => Fault::Panic(panic_words(error.into_panic())),
        Ok(()) | Err(_) => Fault::Ended,
    };
    let _ = tell_end.send(fault);
}

fn panic_words(panic: Box<dyn std::any::Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(words) => *words,
        Err(panic) => panic
            .downcast::<&'static str>()
            .map_or_else(|_| "without words".into(), |words| (*words).into()),
    }
}
