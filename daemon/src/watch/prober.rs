//! Checks every channel by a live call: at start, on the interval, and on demand.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;
use tracing::debug;
use trunkline_plugin_api::{AdapterError, ErrorClass, Probe, ProbeState};

use super::{HealthBoard, board::Checked};
use crate::{
    channel::Channel,
    config::Settings,
    model::{Health, HealthStatus},
    outbound::{Transport, drive, no_memory},
    store::Store,
};

/// Makes checks. Cheap to clone.
#[derive(Clone)]
pub struct Prober {
    board: Arc<HealthBoard>,
    transport: Transport,
    store: Store,
    settings: Settings,
}

/// What a test of the connection brought.
#[derive(Debug, Clone)]
pub struct Tested {
    /// The channel's health after it.
    pub health: Health,
    /// Why the channel can't send, where it can't.
    pub problem: Option<String>,
}

impl Prober {
    /// A prober that writes to `board`.
    pub fn new(
        board: Arc<HealthBoard>,
        transport: Transport,
        store: Store,
        settings: Settings,
    ) -> Self {
        Self {
            board,
            transport,
            store,
            settings,
        }
    }

    /// Checks a channel again and again until `stop` is dropped or fires: at once, on the
    /// interval (a little earlier by chance, so that channels do not march in step), sooner while it
    /// is in trouble, and whenever its actor comes or goes or its sends begin to fail.
    pub async fn watch(self, channel: Arc<Channel>, mut stop: oneshot::Receiver<()>) {
        let mut running = channel.watch();
        let wake = self.board.wakes(&channel.id);
        loop {
            tokio::select! {
                biased;
                _ = &mut stop => return,
                () = self.look(&channel) => {}
            }
            let interval = self.settings.load().health.interval;
            let wait = self.board.wait(&channel.id, interval);
            let wait = wait.mul_f64(rand::random_range(0.85..1.0));
            tokio::select! {
                // First: a channel that is stopped in order goes down too.
                biased;
                _ = &mut stop => return,
                changed = running.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
                () = wake.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Checks a channel now, where it is switched on.
    pub async fn look(&self, channel: &Arc<Channel>) {
        if self.board.status(&channel.id) == HealthStatus::Disabled {
            return;
        }
        if let Err(problem) = self.check(channel, false).await {
            debug!(channel = %channel.id, problem, "the check was not good");
        }
    }

    /// Checks a channel because a person asks, switched on or not. The result is kept in its
    /// history.
    pub async fn test(&self, channel: &Arc<Channel>) -> Tested {
        let found = self.check(channel, true).await;
        Tested {
            health: self.board.get(&channel.id),
            problem: found.err(),
        }
    }

    /// Checks a channel that is not used yet; its health is left alone. Waits as long as
    /// `[reload] probe_timeout` says.
    pub(crate) async fn try_out(&self, channel: &Channel) -> Result<Probe, AdapterError> {
        let timeout = self.settings.load().reload.probe_timeout;
        let result = tokio::time::timeout(timeout, self.probe(channel)).await;
        result.unwrap_or_else(|_| Err(late(timeout)))
    }

    /// Checks a channel now. The error says in words why it can't send.
    async fn check(&self, channel: &Arc<Channel>, is_test: bool) -> Result<(), String> {
        if let Some(reason) = channel.down_reason() {
            self.board.stopped(&channel.id, &reason, self.store.now());
            return Err(reason);
        }
        let began = Instant::now();
        let timeout = self.settings.load().health.timeout;
        let result = tokio::time::timeout(timeout, self.probe(channel)).await;
        let result = result.unwrap_or_else(|_| Err(late(timeout)));
        let found = match &result {
            Ok(probe) if probe.state == ProbeState::Healthy => Ok(()),
            Ok(probe) => Err(probe.detail.clone().unwrap_or_default()),
            Err(error) => Err(error.message.clone()),
        };
        let checked = Checked {
            at_ms: self.store.now(),
            is_test,
            took_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            result,
        };
        self.board.checked(&channel.id, checked);
        found
    }

    async fn probe(&self, channel: &Channel) -> Result<Probe, AdapterError> {
        let can_send = channel.facts.as_ref().is_some_and(|facts| facts.can_send);
        if !can_send {
            return Err(AdapterError::new(
                ErrorClass::Config,
                "no_credentials",
                "No credentials configured",
            ));
        }
        let step = |instance: &trunkline_host::Instance, turn: &trunkline_plugin_api::Turn| {
            instance.probe(turn)
        };
        let start = serde_json::Value::Null;
        drive(
            channel,
            &self.transport,
            "probe",
            start,
            || self.store.wall(),
            step,
            no_memory,
        )
        .await
        .map_err(crate::outbound::DriveError::into_adapter_error)
    }
}

fn late(timeout: Duration) -> AdapterError {
    let timeout_ms = timeout.as_millis();
    AdapterError::new(
        ErrorClass::Transient,
        "probe_timeout",
        format!("the provider did not answer the check in {timeout_ms} ms"),
    )
}
