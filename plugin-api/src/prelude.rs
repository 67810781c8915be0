//! What every adapter names: `use trunkline_plugin_api::prelude::*;`.

pub use crate::{
    Adapter, AdapterError, Capability, Content, ErrorClass, Event, Facts, HttpReply, HttpRequest,
    Identity, InboundMessage, Manifest, Medium, OpenContext, OutboundMessage, Probe, ProbeState,
    Receipt, Received, Reply, Request, Response, Secret, SecretList, Sender, Step, Timestamp, Turn,
    Verdict, WebhookRequest,
};
