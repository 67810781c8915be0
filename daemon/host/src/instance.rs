//! One opened channel of a plugin, and the calls on it.

use std::{fmt, sync::Arc, time::Duration};

use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use serde_json::Value;
use trunkline_plugin_api::{
    Event, Facts, Lookup, Media, MediaRef, OpenContext, OutboundMessage, Probe, Receipt, Received,
    ReceivedRef, Sent, StatusReport, Step, Template, Timestamp, Turn, WebhookRequest,
    wire::{ABI_MINOR, Call, Carries, Op, OpenInput, Opened},
};

use super::{
    CallError, Isolation, Plugin,
    blame::{self, Suspect},
    error::read,
    isolation::{Isolated, Start},
    library::{Handle, Output, Table},
    sanity,
    speaker::Speaker,
    worker::Limits,
};

/// One opened channel. Clones share it; calls may run on many threads at once. Every call is
/// computation without I/O, and blocks for as long as the plugin takes.
///
/// After a panic the channel is opened anew by the next call. Its last clone closes it.
#[derive(Clone)]
pub struct Instance(Arc<Inner>);

struct Inner {
    plugin: Plugin,
    channel: String,
    suspect: Suspect,
    /// What the channel is opened with, again after a panic. Holds secrets.
    input: Vec<u8>,
    backend: Backend,
}

/// Where the calls are made.
enum Backend {
    /// In this process. None after a panic, until the next call.
    Here(Mutex<Option<Arc<Handle>>>),
    /// In a process of its own.
    Apart(Arc<Isolated>),
}

/// Looks at an instance without keeping it open: what holds this alone never runs a plugin's code here.
#[derive(Debug, Clone)]
pub struct Observer(Option<Arc<Isolated>>);

impl Observer {
    /// Where its calls are made.
    pub fn isolation(&self) -> Isolation {
        let isolated = self.0.as_ref();
        isolated.map_or(Isolation::None, |isolated| isolated.isolation())
    }

    /// Why no call can succeed any more: its own process failed or ended. It has to be opened anew.
    pub fn failure(&self) -> Option<CallError> {
        self.0.as_ref().and_then(|isolated| isolated.failure())
    }

    /// The id of its own process, where it has one.
    pub fn pid(&self) -> Option<u32> {
        self.0.as_ref().and_then(|isolated| isolated.pid())
    }
}

impl fmt::Debug for Instance {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Instance")
            .field("plugin", &self.0.plugin.id())
            .field("channel", &self.0.channel)
            .finish_non_exhaustive()
    }
}

impl Instance {
    pub(super) fn open(
        plugin: Plugin,
        channel: &str,
        config: &Value,
        isolation: &Isolation,
    ) -> Result<(Self, Facts), CallError> {
        let context = OpenContext {
            channel: channel.into(),
            abi_minor: ABI_MINOR,
            features: Vec::new(),
        };
        let config = config.clone();
        let suspect = Suspect::new(
            plugin.sha256(),
            plugin.id(),
            plugin.version(),
            Some(channel),
        );
        let inner = Inner {
            backend: Backend::new(&plugin, channel, isolation)?,
            plugin,
            suspect,
            channel: channel.into(),
            input: serde_json::to_vec(&OpenInput { context, config })
                .expect("a JSON value can be written as JSON"),
        };
        let opened = inner.open()?;
        Ok((Self(Arc::new(inner)), opened.facts))
    }

    /// The plugin that runs this channel.
    pub fn plugin(&self) -> &Plugin {
        &self.0.plugin
    }

    /// Verifies and reads one webhook.
    pub fn receive(&self, request: &WebhookRequest) -> Result<Received, CallError> {
        let received = self.call(&Call::receive(request))?;
        sanity::received(&received, request.body.len()).map_err(CallError::Garbage)?;
        Ok(received)
    }

    /// Makes one step of sending a message.
    pub fn send(&self, message: &OutboundMessage, turn: &Turn) -> Result<Step<Receipt>, CallError> {
        self.step(&Call::send(message, turn))
    }

    /// Makes one step of checking the provider.
    pub fn probe(&self, turn: &Turn) -> Result<Step<Probe>, CallError> {
        self.step(&Call::probe(turn))
    }

    /// Makes one step of asking for a sent message's state.
    pub fn delivery_status(
        &self,
        sent: &Sent,
        turn: &Turn,
    ) -> Result<Step<Vec<StatusReport>>, CallError> {
        self.step(&Call::delivery_status(sent, turn))
    }

    /// Makes one step of looking up a send of unknown outcome.
    pub fn find_sent(
        &self,
        message: &OutboundMessage,
        turn: &Turn,
    ) -> Result<Step<Lookup>, CallError> {
        self.step(&Call::find_sent(message, turn))
    }

    /// Makes one step of listing what came in since a time.
    pub fn list_inbound(
        &self,
        since: Timestamp,
        turn: &Turn,
    ) -> Result<Step<Vec<Event>>, CallError> {
        let call = Call::list_inbound(since, turn);
        let step: Step<Vec<Event>> = self.step(&call)?;
        if let Step::Done { result } = &step {
            sanity::events(result, call.raw.len()).map_err(CallError::Garbage)?;
        }
        Ok(step)
    }

    /// Makes one step of listing templates.
    pub fn templates(&self, turn: &Turn) -> Result<Step<Vec<Template>>, CallError> {
        self.step(&Call::templates(turn))
    }

    /// Makes one step of fetching an attachment.
    pub fn fetch_media(&self, media: &MediaRef, turn: &Turn) -> Result<Step<Media>, CallError> {
        self.step(&Call::fetch_media(media, turn))
    }

    /// Makes one step of marking a message as read.
    pub fn mark_read(&self, message: &ReceivedRef, turn: &Turn) -> Result<Step<()>, CallError> {
        self.step(&Call::mark_read(message, turn))
    }

    fn step<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<Step<T>, CallError> {
        let step: Step<T> = self.call(call)?;
        if let Step::Call { request, .. } = &step {
            sanity::request(request).map_err(CallError::Garbage)?;
        }
        Ok(step)
    }

    /// Makes one step of completing a webhook that only announced what came in.
    pub fn complete(&self, follow_up: &Value, turn: &Turn) -> Result<Step<Vec<Event>>, CallError> {
        let step: Step<Vec<Event>> = self.call(&Call::complete(follow_up, turn))?;
        if let Step::Done { result } = &step {
            // The reply's body is gone by then: no attachment can be inside of it.
            sanity::events(result, 0).map_err(CallError::Garbage)?;
        }
        Ok(step)
    }

    fn call<T: Carries + DeserializeOwned>(&self, call: &Call<'_>) -> Result<T, CallError> {
        let parts = [call.json.as_slice(), call.raw];
        self.0.call(call.op, &parts)
    }

    /// What looks at it while others keep it open.
    pub fn observer(&self) -> Observer {
        Observer(match &self.0.backend {
            Backend::Here(_) => None,
            Backend::Apart(isolated) => Some(Arc::clone(isolated)),
        })
    }

    /// Where its calls are made.
    pub fn isolation(&self) -> Isolation {
        self.observer().isolation()
    }

    /// Why no call can succeed any more: its own process failed or ended. It has to be opened anew.
    pub fn failure(&self) -> Option<CallError> {
        self.observer().failure()
    }

    /// The id of its own process, where it has one.
    pub fn pid(&self) -> Option<u32> {
        self.observer().pid()
    }

    /// How long a call in its own process may take from here on. Nothing in this process ends a call.
    pub fn set_timeout(&self, timeout: Duration) {
        if let Backend::Apart(isolated) = &self.0.backend {
            isolated.set_timeout(timeout);
        }
    }
}

impl Backend {
    fn new(plugin: &Plugin, channel: &str, isolation: &Isolation) -> Result<Self, CallError> {
        let (memory_bytes_max, timeout) = match *isolation {
            Isolation::None => return Ok(Self::Here(Mutex::new(None))),
            Isolation::Process {
                memory_bytes_max,
                timeout,
            } => (memory_bytes_max, timeout),
        };
        let program = plugin.code.worker.clone().ok_or_else(|| {
            CallError::Crashed("this program can't start a process for it".into())
        })?;
        Ok(Self::Apart(Arc::new(Isolated::new(Start {
            program,
            file: plugin.code.copy.clone(),
            limits: Limits {
                output_bytes_max: plugin.output_bytes_max,
                memory_bytes_max,
                timeout,
                threads: 0,
            },
            speaker: speaker(plugin, channel),
        }))))
    }
}

fn speaker(plugin: &Plugin, channel: &str) -> Speaker {
    Speaker {
        plugin: plugin.id().into(),
        channel: channel.to_owned(),
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Backend::Here(place) = &self.backend {
            let handle = place.lock().take();
            blame::run(&self.suspect, "close", || drop(handle));
        }
    }
}

impl Inner {
    fn open(&self) -> Result<Opened, CallError> {
        match &self.backend {
            Backend::Here(place) => {
                let (handle, opened) = self.open_here()?;
                *place.lock() = Some(handle);
                Ok(opened)
            }
            Backend::Apart(isolated) => opened(&isolated.open(&self.input)?),
        }
    }

    fn call<T: Carries + DeserializeOwned>(&self, op: Op, parts: &[&[u8]]) -> Result<T, CallError> {
        match &self.backend {
            Backend::Here(place) => {
                let handle = self.handle(place)?;
                let limit = self.plugin.output_bytes_max;
                let output = blame::run(&self.suspect, op.as_str(), || {
                    handle.call(op.number(), parts, limit)
                });
                let result = read(&output);
                if let Err(CallError::Panic(_)) = &result {
                    give_up(place, &handle);
                }
                result
            }
            Backend::Apart(isolated) => {
                let result = read(&isolated.call(op.number(), parts, &self.input)?);
                if let Err(CallError::Panic(_)) = &result {
                    isolated.give_up();
                }
                result
            }
        }
    }

    fn open_here(&self) -> Result<(Arc<Handle>, Opened), CallError> {
        let table = self.plugin.code.table()?;
        blame::run(&self.suspect, "open", || self.open_with(&table))
    }

    fn open_with(&self, table: &Table) -> Result<(Arc<Handle>, Opened), CallError> {
        let say = speaker(&self.plugin, &self.channel).into_say();
        let limit = self.plugin.output_bytes_max;
        let (output, handle) = table.open(say, &self.input, limit);
        let opened = opened(&output)?;
        let handle =
            handle.ok_or_else(|| CallError::Garbage("open gave facts but no handle".into()))?;
        Ok((Arc::new(handle), opened))
    }

    /// The open handle; the lock is held while opening, so that it happens once.
    fn handle(&self, place: &Mutex<Option<Arc<Handle>>>) -> Result<Arc<Handle>, CallError> {
        let mut place = place.lock();
        if let Some(handle) = &*place {
            return Ok(Arc::clone(handle));
        }
        let (handle, _) = self.open_here()?;
        *place = Some(Arc::clone(&handle));
        Ok(handle)
    }
}

fn opened(output: &Output) -> Result<Opened, CallError> {
    let opened: Opened = read(output)?;
    sanity::facts(&opened.facts).map_err(CallError::Garbage)?;
    Ok(opened)
}

/// Other calls may still be running on the handle: they end on it, later ones get a new one.
fn give_up(place: &Mutex<Option<Arc<Handle>>>, handle: &Arc<Handle>) {
    handle.abandon();
    let mut place = place.lock();
    if place
        .as_ref()
        .is_some_and(|there| Arc::ptr_eq(there, handle))
    {
        *place = None;
    }
}
