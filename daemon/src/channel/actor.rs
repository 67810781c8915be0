//! The actor that calls into one channel's plugin, one call at a time, on a thread of its own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use actix::{Actor, Context, Handler, Message};
use tracing::warn;

use trunkline_host::Instance;

use crate::{config::Settings, metrics::Metrics, model::EventId};

/// A call to be made on the channel's thread. The closure carries its own way to answer.
pub(super) struct Call {
    /// What is called, for the log.
    pub(super) what: &'static str,
    /// The request that it is made for, for the log.
    pub(super) request: Option<EventId>,
    /// The call.
    pub(super) run: Box<dyn FnOnce(&Instance) + Send>,
}

impl Message for Call {
    type Result = ();
}

/// Ends the actor after the calls before it.
pub(super) struct Stop;

impl Message for Stop {
    type Result = ();
}

/// When the call under way began, so that a guardian sees one that hangs.
#[derive(Debug)]
pub(super) struct Pulse {
    origin: Instant,
    /// Microseconds since `origin` plus one; 0 while no call is under way.
    began: AtomicU64,
}

impl Pulse {
    pub(super) fn new() -> Self {
        Self {
            origin: Instant::now(),
            began: AtomicU64::new(0),
        }
    }

    fn begin(&self) -> Instant {
        let now = Instant::now();
        let micros = u64::try_from((now - self.origin).as_micros()).unwrap_or(u64::MAX - 1);
        self.began.store(micros + 1, Ordering::Release);
        now
    }

    fn end(&self) {
        self.began.store(0, Ordering::Release);
    }

    /// How long the call under way has been running.
    pub(super) fn running_for(&self) -> Option<Duration> {
        let began = self.began.load(Ordering::Acquire).checked_sub(1)?;
        Some(
            self.origin
                .elapsed()
                .saturating_sub(Duration::from_micros(began)),
        )
    }
}

/// One channel's adapter.
pub struct ChannelActor {
    pub(super) channel: String,
    pub(super) instance: Instance,
    pub(super) pulse: Arc<Pulse>,
    pub(super) settings: Settings,
    pub(super) metrics: Arc<Metrics>,
}

impl Actor for ChannelActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        // The permits taken before sending are what bounds the queue; the mailbox must not.
        context.set_mailbox_capacity(0);
    }
}

impl Handler<Call> for ChannelActor {
    type Result = ();

    fn handle(&mut self, call: Call, context: &mut Self::Context) {
        let watchdog = self.settings.load().plugins.call_watchdog;
        self.instance.set_timeout(watchdog);
        let began = self.pulse.begin();
        (call.run)(&self.instance);
        self.pulse.end();
        let took = began.elapsed();
        self.metrics.plugin_took(call.what, took);
        if took > self.settings.load().plugins.call_budget {
            let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            let request = call.request.map(tracing::field::display);
            warn!(event = "plugin_call_slow", channel = %self.channel, request, call = call.what, took_ms, "a plugin call took longer than its budget");
        }
        if self.instance.failure().is_some() {
            // The guardian has the words, and starts it again.
            actix::ActorContext::stop(context);
        }
    }
}

impl Handler<Stop> for ChannelActor {
    type Result = ();

    fn handle(&mut self, _: Stop, context: &mut Self::Context) {
        actix::ActorContext::stop(context);
    }
}
