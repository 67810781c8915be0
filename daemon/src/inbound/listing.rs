//! Asks a provider what came in: one page at a time, not too fast, and again after what may pass.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use serde_json::Value;
use tracing::warn;
use trunkline_plugin_api::{AdapterError, ErrorClass, Event};

use crate::{
    channel::Channel,
    config::Settings,
    model::Millis,
    outbound::{DriveError, Transport, drive},
    store::Store,
};

/// Between two calls to a provider for one list.
pub(super) const PAUSE: Duration = Duration::from_millis(200);
/// How often a list that takes more calls than one run may make is gone on with.
const RUNS_MAX: usize = 40;

/// How long a back-fill may try.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// No page is asked for after this time.
    pub time_max: Duration,
    /// Tries of one page.
    pub attempts_max: u32,
}

/// Lists what came in.
#[derive(Clone)]
pub(super) struct Lister {
    pub(super) store: Store,
    pub(super) transport: Transport,
    pub(super) settings: Settings,
}

impl Lister {
    /// One page, tried again after what may pass.
    pub(super) async fn page(
        &self,
        channel: &Channel,
        since_ms: Millis,
        patience: Patience,
        began: Instant,
    ) -> Result<Vec<Event>, AdapterError> {
        let mut attempts = 0;
        loop {
            let error = match self.once(channel, since_ms).await {
                Ok(events) => return Ok(events),
                Err(error) => error.into_adapter_error(),
            };
            attempts += 1;
            let wait = self.wait(&error, attempts);
            let is_late = began.elapsed() + wait > patience.time_max;
            if !may_pass(&error) || attempts >= patience.attempts_max || is_late {
                return Err(error);
            }
            warn!(event = "backfill_postponed", channel = %channel.id, %error, wait_ms = wait.as_millis(), "inbound messages could not be listed yet");
            tokio::time::sleep(wait).await;
        }
    }

    fn wait(&self, error: &AdapterError, attempts: u32) -> Duration {
        let settings = self.settings.load();
        let doubled = 1 << attempts.saturating_sub(1).min(20);
        let window = settings.outbound.backoff_base.saturating_mul(doubled);
        let window = window.min(settings.outbound.backoff_max);
        match error.retry_after_ms {
            Some(asked) => Duration::from_millis(asked),
            None => window.mul_f64(rand::random_range(0.5..1.0)),
        }
    }

    /// The oldest messages since a time: as many as the adapter gives at once. A list that takes
    /// more calls than one run may make is gone on with from its cursor.
    async fn once(&self, channel: &Channel, since_ms: Millis) -> Result<Vec<Event>, DriveError> {
        let cursor = Arc::new(Mutex::new(Value::Null));
        for run in 1.. {
            let (start, next) = (cursor.lock().clone(), cursor.clone());
            let listed = drive(
                channel,
                &self.transport,
                "list_inbound",
                start,
                || self.store.wall(),
                move |instance, turn| instance.list_inbound(since_ms, turn),
                move |cursor: Value| {
                    let is_first = std::mem::replace(&mut *next.lock(), cursor).is_null();
                    async move {
                        if !is_first {
                            tokio::time::sleep(PAUSE).await;
                        }
                        Ok(())
                    }
                },
            )
            .await;
            match listed {
                Err(DriveError::Adapter(error)) if error.code == "steps" && run < RUNS_MAX => {}
                other => return other,
            }
        }
        Ok(Vec::new())
    }
}

/// Whether asking again may help. A list changes nothing at the provider, so that it may also be
/// asked for again where it is not known whether it was answered.
fn may_pass(error: &AdapterError) -> bool {
    error.class.is_retried() || error.class == ErrorClass::Ambiguous
}
