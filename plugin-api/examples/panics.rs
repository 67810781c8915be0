//! An adapter that panics wherever it is told to. The daemon's tests load it: a panic must end
//! one call, never the daemon.

#![forbid(unsafe_code)]

use std::panic::panic_any;

use schemars::JsonSchema;
use serde::Deserialize;
use trunkline_plugin_api::{
    Adapter, AdapterError, Facts, LogLevel, Manifest, Medium, OpenContext, OutboundMessage, Probe,
    Receipt, Received, Response, Step, Turn, WebhookRequest, export_adapter, log,
};

export_adapter!(Panics, id = "panics");

#[derive(Deserialize, JsonSchema)]
struct Panics {
    #[serde(default)]
    on_open: bool,
    #[serde(default)]
    on_close: bool,
}

impl Drop for Panics {
    fn drop(&mut self) {
        assert!(!self.on_close, "closed");
    }
}

impl Adapter for Panics {
    type Config = Self;

    fn manifest() -> Manifest {
        Manifest::new("Panics", [Medium::Webhook], [])
    }

    fn open(config: Self, _: OpenContext) -> Result<(Self, Facts), AdapterError> {
        assert!(!config.on_open, "opened");
        Ok((config, Facts::new(Medium::Webhook, "webhook")))
    }

    fn receive(&self, request: &WebhookRequest) -> Received {
        log(LogLevel::Info, "panics", "a webhook\nin two lines");
        match &*request.body {
            b"str" => panic!("plain words"),
            b"string" => panic!("{} words", request.method),
            b"other" => panic_any(PanicsWhenDropped),
            _ => Received::authentic(Response::status(200), Vec::new()),
        }
    }

    fn send(&self, _: &OutboundMessage, _: Turn) -> Step<Receipt> {
        Step::unsupported("send")
    }

    fn probe(&self, _: Turn) -> Step<Probe> {
        Step::unsupported("probe")
    }
}

/// The worst payload: dropping it panics again.
struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("dropped");
    }
}
