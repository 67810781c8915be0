//! The generic webhook adapter: any system that speaks HTTP and JSON.
//!
//! | file | what |
//! |---|---|
//! | `config.rs` | the configuration section and what it makes possible |
//! | `proof.rs`, `standard.rs` | is a webhook genuine; Standard Webhooks signatures, ours included |
//! | `receive.rs`, `fields.rs`, `status.rs` | what a webhook says |
//! | `send.rs`, `probe.rs` | posts to the configured URL, and its live check |
//!
//! Sources: the Standard Webhooks specification 1.0.0, Svix's documentation, and GitHub's page
//! "Validating webhook deliveries".

#![forbid(unsafe_code)]

mod config;
mod fields;
mod probe;
mod proof;
mod receive;
mod send;
mod standard;
mod status;
#[cfg(test)]
mod tests;

use trunkline_plugin_api::{
    Adapter, AdapterError, Capability, Facts, Manifest, Medium, OpenContext, OutboundMessage,
    Probe, Receipt, Received, Step, Turn, WebhookRequest,
};

pub use config::Config;

/// The identity space of the people behind a generic webhook.
const SPACE: &str = "webhook";

/// The longest id or sender that is taken from outside, in bytes.
const ID_BYTES_MAX: usize = 256;

/// One generic webhook channel.
pub struct Webhook(config::Settings);

impl Adapter for Webhook {
    type Config = Config;

    fn manifest() -> Manifest {
        let capabilities = [Capability::Receive, Capability::Send, Capability::Probe];
        Manifest::new("Webhook", [Medium::Webhook], capabilities)
    }

    fn open(config: Config, _: OpenContext) -> Result<(Self, Facts), AdapterError> {
        let (settings, facts) = config.check()?;
        Ok((Self(settings), facts))
    }

    fn receive(&self, request: &WebhookRequest) -> Received {
        receive::receive(&self.0, request)
    }

    fn send(&self, message: &OutboundMessage, turn: Turn) -> Step<Receipt> {
        send::send(self.0.target.as_ref(), message, &turn)
    }

    fn probe(&self, turn: Turn) -> Step<Probe> {
        probe::probe(self.0.target.as_ref(), &turn)
    }
}

trunkline_plugin_api::export_adapter!(Webhook, id = "webhook");
