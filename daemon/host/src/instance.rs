//! One opened channel of a plugin, and the calls on it.

use std::{fmt, sync::Arc};

use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use serde_json::Value;
use trunkline_plugin_api::{
    Event, Facts, Lookup, Media, MediaRef, OpenContext, OutboundMessage, Probe, Receipt, Received,
    ReceivedRef, Sent, StatusReport, Step, Template, Timestamp, Turn, WebhookRequest,
    wire::{ABI_MINOR, Call, Carries, OpenInput, Opened},
};

use super::{
    CallError, Plugin,
    blame::{self, Suspect},
    error::read,
    library::{Handle, Speaker},
    sanity,
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
    /// None after a panic, until the next call.
    handle: Mutex<Option<Arc<Handle>>>,
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
            plugin,
            suspect,
            channel: channel.into(),
            input: serde_json::to_vec(&OpenInput { context, config })
                .expect("a JSON value can be written as JSON"),
            handle: Mutex::new(None),
        };
        let (handle, opened) = inner.open()?;
        *inner.handle.lock() = Some(handle);
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
        let handle = self.0.handle()?;
        let parts = [call.json.as_slice(), call.raw];
        let limit = self.0.plugin.output_bytes_max;
        let output = blame::run(&self.0.suspect, call.op.as_str(), || {
            handle.call(call.op.number(), parts, limit)
        });
        let result = read(&output);
        if let Err(CallError::Panic(_)) = &result {
            self.0.give_up(&handle);
        }
        result
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let handle = self.handle.lock().take();
        blame::run(&self.suspect, "close", || drop(handle));
    }
}

impl Inner {
    fn open(&self) -> Result<(Arc<Handle>, Opened), CallError> {
        blame::run(&self.suspect, "open", || self.open_plugin())
    }

    fn open_plugin(&self) -> Result<(Arc<Handle>, Opened), CallError> {
        let speaker = Speaker {
            plugin: self.plugin.id().into(),
            channel: self.channel.clone(),
        };
        let limit = self.plugin.output_bytes_max;
        let (output, handle) = self.plugin.table.open(speaker, &self.input, limit);
        let opened: Opened = read(&output)?;
        sanity::facts(&opened.facts).map_err(CallError::Garbage)?;
        let handle =
            handle.ok_or_else(|| CallError::Garbage("open gave facts but no handle".into()))?;
        Ok((Arc::new(handle), opened))
    }

    /// The open handle; the lock is held while opening, so that it happens once.
    fn handle(&self) -> Result<Arc<Handle>, CallError> {
        let mut place = self.handle.lock();
        if let Some(handle) = &*place {
            return Ok(Arc::clone(handle));
        }
        let (handle, _) = self.open()?;
        *place = Some(Arc::clone(&handle));
        Ok(handle)
    }

    /// Other calls may still be running on the handle: they end on it, later ones get a new one.
    fn give_up(&self, handle: &Arc<Handle>) {
        handle.abandon();
        let mut place = self.handle.lock();
        if place
            .as_ref()
            .is_some_and(|there| Arc::ptr_eq(there, handle))
        {
            *place = None;
        }
    }
}
