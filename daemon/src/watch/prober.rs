//! Checks every channel by a live call: at start, on the interval, and on demand.

use std::{sync::Arc, time::Instant};

use tokio::sync::oneshot;
use trunkline_plugin_api::{AdapterError, ErrorClass, Probe};

use super::{HealthBoard, board::Checked};
use crate::{
    channel::Channel,
    config::Settings,
    model::Health,
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
    /// interval (jittered by a tenth, so that channels do not march in step), and whenever its
    /// actor comes or goes.
    pub async fn watch(self, channel: Arc<Channel>, mut stop: oneshot::Receiver<()>) {
        let mut running = channel.watch();
        loop {
            if is_enabled(&self.board, &channel) {
                self.check(&channel).await;
            }
            let wait = self
                .settings
                .load()
                .health
                .interval
                .mul_f64(rand::random_range(0.9..1.1));
            tokio::select! {
                _ = &mut stop => return,
                changed = running.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Checks a channel now and returns its health.
    pub async fn check(&self, channel: &Arc<Channel>) -> Health {
        if let Some(reason) = channel.down_reason() {
            self.board.stopped(&channel.id, &reason, self.store.now());
            return self.board.get(&channel.id);
        }
        let began = Instant::now();
        let timeout = self.settings.load().health.timeout;
        let result = tokio::time::timeout(timeout, self.probe(channel)).await;
        let result = result.unwrap_or_else(|_| {
            let timeout_ms = timeout.as_millis();
            Err(AdapterError::new(
                ErrorClass::Transient,
                "probe_timeout",
                format!("the provider did not answer the check in {timeout_ms} ms"),
            ))
        });
        let checked = Checked {
            at_ms: self.store.now(),
            took_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            result,
        };
        self.board.checked(&channel.id, checked);
        self.board.get(&channel.id)
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
        let step = |instance: &crate::plugin::Instance, turn: &trunkline_plugin_api::Turn| {
            instance.probe(turn)
        };
        let start = serde_json::Value::Null;
        drive(
            channel,
            &self.transport,
            "probe",
            start,
            || self.store.now(),
            step,
            no_memory,
        )
        .await
        .map_err(crate::outbound::DriveError::into_adapter_error)
    }
}

fn is_enabled(board: &HealthBoard, channel: &Channel) -> bool {
    board.get(&channel.id).status != crate::model::HealthStatus::Disabled
}
