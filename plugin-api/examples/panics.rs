//! An adapter that panics wherever it is told to. The daemon's tests load it: a panic must end
//! one call, never the daemon. Only a second panic while the first unwinds can't be caught by anybody.

#![forbid(unsafe_code)]

use std::panic::panic_any;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use trunkline_plugin_api::{
    Adapter, AdapterError, Capability, Event, Facts, LogLevel, Lookup, Manifest, Media, MediaRef,
    Medium, OpenContext, OutboundMessage, Probe, ProbeState, Receipt, Received, ReceivedRef,
    Response, Sent, StatusReport, Step, Template, Timestamp, Turn, WebhookRequest, export_adapter,
    log,
};

export_adapter!(Panics, id = "panics");

#[derive(Deserialize, JsonSchema)]
struct Panics {
    #[serde(default)]
    on_open: bool,
    #[serde(default)]
    on_close: bool,
    /// The calls that panic.
    #[serde(default)]
    in_calls: Vec<String>,
}

impl Panics {
    /// Panics where this call is one of those that shall.
    fn at(&self, call: &str) {
        assert!(
            !self.in_calls.iter().any(|name| name == call),
            "told to panic in {call}"
        );
    }
}

impl Drop for Panics {
    fn drop(&mut self) {
        assert!(!self.on_close, "closed");
    }
}

impl Adapter for Panics {
    type Config = Self;

    fn manifest() -> Manifest {
        let calls = [
            Capability::Receive,
            Capability::Send,
            Capability::Probe,
            Capability::ListInbound,
            Capability::Templates,
        ];
        Manifest::new("Panics", [Medium::Webhook], calls)
    }

    fn open(config: Self, _: OpenContext) -> Result<(Self, Facts), AdapterError> {
        assert!(!config.on_open, "opened");
        let mut facts = Facts::new(Medium::Webhook, "webhook");
        (facts.can_receive, facts.can_send) = (true, true);
        Ok((config, facts))
    }

    fn receive(&self, request: &WebhookRequest) -> Received {
        self.at("receive");
        log(LogLevel::Info, "panics", "a webhook\nin two lines");
        match &*request.body {
            b"str" => panic!("plain words"),
            b"string" => panic!("{} words", request.method),
            b"double" => {
                let _second = PanicsWhenDropped;
                panic!("the first of two")
            }
            b"other" => panic_any(PanicsWhenDropped),
            _ => Received::authentic(Response::status(200), Vec::new()),
        }
    }

    fn send(&self, _: &OutboundMessage, _: Turn) -> Step<Receipt> {
        self.at("send");
        Step::unsupported("send")
    }

    fn probe(&self, _: Turn) -> Step<Probe> {
        self.at("probe");
        Step::Done {
            result: Probe::new(ProbeState::Healthy),
        }
    }

    fn delivery_status(&self, _: &Sent, _: Turn) -> Step<Vec<StatusReport>> {
        self.at("delivery_status");
        Step::unsupported("delivery_status")
    }

    fn find_sent(&self, _: &OutboundMessage, _: Turn) -> Step<Lookup> {
        self.at("find_sent");
        Step::unsupported("find_sent")
    }

    fn list_inbound(&self, _: Timestamp, _: Turn) -> Step<Vec<Event>> {
        self.at("list_inbound");
        Step::unsupported("list_inbound")
    }

    fn templates(&self, _: Turn) -> Step<Vec<Template>> {
        self.at("templates");
        Step::unsupported("templates")
    }

    fn fetch_media(&self, _: &MediaRef, _: Turn) -> Step<Media> {
        self.at("fetch_media");
        Step::unsupported("fetch_media")
    }

    fn mark_read(&self, _: &ReceivedRef, _: Turn) -> Step<()> {
        self.at("mark_read");
        Step::unsupported("mark_read")
    }

    fn complete(&self, _: &Value, _: Turn) -> Step<Vec<Event>> {
        self.at("complete");
        Step::unsupported("complete")
    }
}

/// The worst payload: dropping it panics again.
struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("dropped");
    }
}
