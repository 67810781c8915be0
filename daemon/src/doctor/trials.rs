//! Single trials: where an adapter is asked, and for how long.
//!
//! The channel's own adapter is asked on the channel's thread. One that was opened with something else never
//! is: opening may start a process, and what takes long there would count as a hang of the channel.

use std::{
    thread,
    time::{Duration, Instant},
};

use tokio::{sync::oneshot, time::timeout};
use trunkline_host::{Instance, Isolation};
use trunkline_plugin_api::{Verdict, WebhookRequest};

use super::secrets::Candidate;
use crate::{
    channel::{self, Channel, ChannelError},
    config::Plugins,
};

/// Time that trials may take on the channel's thread before others get their turn.
const TURN: Duration = Duration::from_millis(2);

/// Why trying ends early.
pub(super) enum Stop {
    /// This request has had its share.
    Share,
    /// No more of them at all; why.
    All(String),
}

/// What one turn brought.
pub(super) struct Tried {
    /// At least one.
    pub(super) count: usize,
    /// The last one matched.
    pub(super) matched: bool,
}

/// How a channel's candidates are opened.
pub(super) struct Place {
    isolation: Isolation,
    /// For one opening or one turn.
    patience: Duration,
}

impl Place {
    /// As the channel itself is opened.
    pub(super) fn of(channel: &Channel, plugins: &Plugins) -> Self {
        let isolation = channel::isolation(&channel.config(), plugins);
        let patience = match isolation {
            Isolation::None => plugins.call_watchdog,
            // It ends itself after the watchdog's time, for the start and for the call.
            Isolation::Process { .. } => plugins.call_watchdog * 3,
        };
        Self {
            isolation,
            patience,
        }
    }

    /// Opens a channel's adapter with a candidate; an error where the adapter refuses it.
    pub(super) async fn open(
        &self,
        channel: &Channel,
        candidate: &Candidate,
    ) -> Result<Result<Instance, ()>, Stop> {
        let Some(plugin) = channel.plugin.clone() else {
            return Ok(Err(()));
        };
        let (id, section) = (channel.id.clone(), candidate.section.clone());
        let isolation = self.isolation.clone();
        let run = move || plugin.open_in(id.as_str(), &section, &isolation);
        let opened = self.apart(run).await?;
        // A section that makes no sense is no candidate.
        Ok(opened.map(|(opened, _)| opened).map_err(|_| ()))
    }

    /// Tries URLs until one matches, the turn is over, or the adapter fails: the channel's own, or the one given.
    /// What fails here is not held against the plugin: it did nothing but look at a request that is not genuine.
    pub(super) async fn take_turn(
        &self,
        channel: &Channel,
        given: Option<Instance>,
        request: WebhookRequest,
        urls: Vec<String>,
    ) -> Result<Tried, Stop> {
        let tried = if let Some(given) = given {
            self.apart(move || try_all(&given, request, urls)).await?
        } else {
            let run = move |live: &Instance| Ok(try_all(live, request, urls));
            let called = channel.call("receive", run).await;
            called.map_err(|error| stopped(&error))?
        };
        tried.map_err(|words| Stop::All(format!("the adapter could not try it: {words}")))
    }

    /// Runs a plugin's code on a thread that can be left behind. That ends the trials: one examination leaves
    /// one thread behind at most.
    async fn apart<R: Send + 'static>(
        &self,
        run: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, Stop> {
        let (tell, told) = oneshot::channel();
        let thread = thread::Builder::new().name("doctor".into()).spawn(move || {
            // Nobody waits any more where it took too long.
            let _ = tell.send(run());
        });
        if let Err(error) = thread {
            let words = format!("it could not be tried again: no thread for it: {error}");
            return Err(Stop::All(words));
        }
        let words = match timeout(self.patience, told).await {
            Ok(Ok(result)) => return Ok(result),
            Ok(Err(_)) => "its thread ended",
            Err(_) => "the adapter gave no answer in time",
        };
        Err(Stop::All(format!("it could not be tried again: {words}")))
    }
}

fn try_all(
    instance: &Instance,
    mut request: WebhookRequest,
    urls: Vec<String>,
) -> Result<Tried, String> {
    let began = Instant::now();
    let mut count = 0;
    for url in urls {
        request.url = url;
        count += 1;
        let received = instance.receive(&request);
        let verdict = received.map_err(|error| error.to_string())?.verdict;
        if verdict.is_authentic() || verdict == Verdict::Expired {
            return Ok(Tried {
                count,
                matched: true,
            });
        }
        if began.elapsed() > TURN {
            break;
        }
    }
    Ok(Tried {
        count,
        matched: false,
    })
}

fn stopped(error: &ChannelError) -> Stop {
    Stop::All(format!("it could not be tried again: {error}"))
}
