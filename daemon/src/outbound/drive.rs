//! Drives an adapter's step machine to its end, whatever the call.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::Value;
use tokio::time::Instant;
use trunkline_plugin_api::{AdapterError, ErrorClass, Reply, Request, Step, Turn};

use super::Transport;
use trunkline_host::{CallError, Instance};

use crate::{
    channel::{Channel, ChannelError, Sight},
    store::StoreError,
    telemetry::trace::{self, Trace},
};

/// Provider calls that one run may make.
const STEPS_MAX: usize = 16;
/// Bytes of a cursor, as JSON.
const CURSOR_BYTES_MAX: usize = 4096;
/// Bytes of the cursor of a list of templates: it holds the pages read so far, and is never saved.
const CATALOGUE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// So long, beyond the watchdog's time, a reply waits for a channel that is started again.
const COMEBACK: Duration = Duration::from_secs(10);
/// A step that was under way when its channel was lost is made so often again: it may be what ended it.
const REPEATS_MAX: u32 = 1;

/// Why a run brought no result.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// The adapter says so.
    #[error("{0}")]
    Adapter(AdapterError),
    /// The channel could not be asked. Nothing is known to have been sent by the step that failed;
    /// `calls` earlier ones were.
    #[error("{error}")]
    Channel {
        /// Why not.
        error: ChannelError,
        /// Provider calls made before.
        calls: usize,
    },
    /// The store failed. A call whose cursor could not be saved was not made; `calls` earlier ones
    /// were.
    #[error("{error}")]
    Store {
        /// Why.
        error: StoreError,
        /// Provider calls made before.
        calls: usize,
    },
}

impl From<StoreError> for DriveError {
    fn from(error: StoreError) -> Self {
        Self::Store { error, calls: 0 }
    }
}

impl DriveError {
    /// What this means for the message.
    pub fn into_adapter_error(self) -> AdapterError {
        match self {
            Self::Adapter(error)
            | Self::Channel {
                error: ChannelError::Call(CallError::Failed(error)),
                ..
            } => error,
            Self::Channel { error, calls: 0 } => {
                let class = match &error {
                    ChannelError::Call(CallError::Unsupported) => ErrorClass::Unsupported,
                    _ => ErrorClass::Transient,
                };
                AdapterError::new(class, "channel", error.to_string())
            }
            Self::Channel { error, .. } => AdapterError::new(
                ErrorClass::Ambiguous,
                "channel",
                format!("the adapter failed after a call was made: {error}"),
            ),
            Self::Store { error, calls } => {
                let class = match calls {
                    0 => ErrorClass::Transient,
                    _ => ErrorClass::Ambiguous,
                };
                AdapterError::new(class, "store", error.to_string())
            }
        }
    }
}

/// Runs `step` until it is done. `save` makes a cursor durable before its request is performed, and
/// what it gives is held for as long as the call takes; calls that need no such memory pass one
/// that does nothing.
pub async fn drive<T, S, Save, Saved, Held>(
    channel: &Channel,
    transport: &Transport,
    what: &'static str,
    start: Value,
    now: impl Fn() -> i64,
    step: S,
    save: Save,
) -> Result<T, DriveError>
where
    T: Send + 'static,
    S: Fn(&Instance, &Turn) -> Result<Step<T>, CallError> + Clone + Send + 'static,
    Save: Fn(Value) -> Saved,
    Saved: Future<Output = Result<Held, StoreError>>,
{
    let random = hex_random();
    let mut cursor = start;
    let mut reply: Option<Reply> = None;
    for calls in 0..=STEPS_MAX {
        let turn = Turn {
            cursor: cursor.clone(),
            reply: reply.take(),
            now_ms: now(),
            random: random.clone(),
        };
        let next = ask(channel, what, &step, turn)
            .await
            .map_err(|error| DriveError::Channel { error, calls })?;
        match next {
            Step::Done { result } => return Ok(result),
            Step::Fail { error } => return Err(DriveError::Adapter(error)),
            Step::Call {
                request,
                cursor: next,
            } => {
                check_cursor(what, &next)?;
                let held = save(next.clone())
                    .await
                    .map_err(|error| DriveError::Store { error, calls })?;
                cursor = next;
                let span = called(&request);
                let answer = transport.perform(channel, request).await;
                span.note("answer", || answered(&answer));
                drop(span);
                reply = Some(answer);
                drop(held);
            }
        }
    }
    Err(DriveError::Adapter(AdapterError::new(
        ErrorClass::Bug,
        "steps",
        format!("the adapter made {STEPS_MAX} calls in {what} without an end"),
    )))
}

/// Has the adapter make one step. Steps are pure: where a provider has answered, and the channel is lost
/// before the step was made, it is made again with the same reply once the channel is back.
async fn ask<T, S>(
    channel: &Channel,
    what: &'static str,
    step: &S,
    turn: Turn,
) -> Result<Step<T>, ChannelError>
where
    T: Send + 'static,
    S: Fn(&Instance, &Turn) -> Result<Step<T>, CallError> + Clone + Send + 'static,
{
    let turn = Arc::new(turn);
    let mut deadline = None;
    let mut repeats = 0;
    loop {
        let sight = Sight::of(channel);
        let has_begun = Arc::new(AtomicBool::new(false));
        let run = {
            let (step, turn, has_begun) = (step.clone(), turn.clone(), has_begun.clone());
            move |instance: &Instance| {
                has_begun.store(true, Ordering::Relaxed);
                step(instance, &turn)
            }
        };
        let error = match channel.call(what, run).await {
            Ok(next) => return Ok(next),
            Err(error) => error,
        };
        let is_own = has_begun.load(Ordering::Relaxed);
        repeats += u32::from(is_own);
        // One that hangs by itself would cost another thread.
        let is_hang = is_own && matches!(error, ChannelError::Deadline(_));
        if turn.reply.is_none() || !error.is_outage() || is_hang || repeats > REPEATS_MAX {
            return Err(error);
        }
        let watchdog = channel.settings().load().plugins.call_watchdog;
        let deadline = *deadline.get_or_insert_with(|| Instant::now() + watchdog + COMEBACK);
        if !sight.comes_back(deadline).await {
            return Err(error);
        }
    }
}

/// The span of a call: where it goes, and nothing that it says.
fn called(request: &Request) -> Trace {
    let span = trace::child("call");
    match request {
        Request::Http(http) => {
            span.note("kind", || "http");
            span.note("method", || http.method.clone());
            span.note("host", || host(&http.url));
        }
        Request::Smtp(smtp) => {
            span.note("kind", || "smtp");
            span.note("host", || smtp.host.clone());
        }
        Request::Push(_) => span.note("kind", || "push"),
        Request::Digest(_) => span.note("kind", || "digest"),
    }
    span
}

fn host(url: &str) -> String {
    let url = url::Url::parse(url).ok();
    let host = url.as_ref().and_then(url::Url::host_str);
    host.unwrap_or_default().to_owned()
}

fn answered(reply: &Reply) -> String {
    match reply {
        Reply::Http(http) => http.status.to_string(),
        Reply::Smtp(smtp) => smtp.code.to_string(),
        Reply::Push(_) | Reply::Digest(_) => "done".to_owned(),
        Reply::Error(error) => format!("{:?}", error.kind).to_lowercase(),
    }
}

fn check_cursor(what: &str, cursor: &Value) -> Result<(), DriveError> {
    let max = match what {
        "templates" => CATALOGUE_BYTES_MAX,
        _ => CURSOR_BYTES_MAX,
    };
    let len = cursor.to_string().len();
    if len <= max {
        return Ok(());
    }
    Err(DriveError::Adapter(AdapterError::new(
        ErrorClass::Bug,
        "cursor",
        format!("the adapter's cursor has {len} bytes, more than {max}"),
    )))
}

fn hex_random() -> String {
    data_encoding::HEXLOWER.encode(&rand::random::<[u8; 16]>())
}

/// A `save` for calls that need no memory.
pub(crate) fn no_memory(_: Value) -> std::future::Ready<Result<(), StoreError>> {
    std::future::ready(Ok(()))
}
