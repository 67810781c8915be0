//! The Twilio adapter: SMS, MMS and WhatsApp through Twilio's Programmable Messaging.
//!
//! | file | what |
//! |---|---|
//! | `config.rs` | the configuration section and what it makes possible |
//! | `params.rs`, `signature.rs` | is a webhook genuine, and what does its signature cover |
//! | `receive.rs`, `inbound.rs`, `status.rs` | what a webhook says |
//! | `send.rs`, `lookup.rs`, `backfill.rs`, `probe.rs`, `media.rs`, `templates.rs` | calls to Twilio |
//! | `rest.rs`, `errors.rs`, `address.rs` | what those share: requests, the error table, addresses |
//!
//! Addresses of ours keep Twilio's `whatsapp:` prefix, so that one number can be an SMS and a
//! WhatsApp channel; people are told apart by their identity's space and carry no prefix.
//!
//! Sources: Twilio's pages on messaging webhooks, status callbacks, webhook security, connection
//! overrides, the Message and Account resources, and its error dictionary.

#![deny(unsafe_code)]

mod address;
mod backfill;
mod config;
mod errors;
mod inbound;
mod lookup;
mod media;
mod params;
mod probe;
mod receive;
mod rest;
mod send;
mod signature;
mod status;
mod templates;
#[cfg(test)]
mod tests;

use serde_json::Value;
use trunkline_plugin_api::{
    Adapter, AdapterError, Capability, Event, Facts, Limits, Lookup, Manifest, Media, MediaRef,
    Medium, OpenContext, OutboundMessage, Probe, Receipt, Received, Sent, StatusReport, Step,
    Template, Timestamp, Turn, WebhookRequest,
};

pub use config::Config;

/// One Twilio channel.
pub struct Twilio(config::Settings);

impl Adapter for Twilio {
    type Config = Config;

    fn manifest() -> Manifest {
        Manifest {
            id: String::new(),
            version: String::new(),
            name: "Twilio".into(),
            media: vec![Medium::Sms, Medium::Whatsapp],
            capabilities: vec![
                Capability::Receive,
                Capability::Send,
                Capability::Probe,
                Capability::DeliveryStatus,
                Capability::FindSent,
                Capability::ListInbound,
                Capability::Templates,
                Capability::FetchMedia,
            ],
            limits: Limits {
                text_chars_max: Some(config::BODY_CHARS_MAX),
                media_count_max: u32::try_from(send::MEDIA_COUNT_MAX).ok(),
                media_bytes_max: Some(MEDIA_BYTES_MAX),
            },
            config_schema: Value::Null,
        }
    }

    fn open(config: Config, context: OpenContext) -> Result<(Self, Facts), AdapterError> {
        let (settings, facts) = config.check(&context.channel)?;
        Ok((Self(settings), facts))
    }

    fn receive(&self, request: &WebhookRequest) -> Received {
        receive::receive(&self.0, request)
    }

    fn send(&self, message: &OutboundMessage, turn: Turn) -> Step<Receipt> {
        match send::send(&self.0, message, &turn) {
            Step::Fail { error } => Step::fail(errors::name_secret(error, &self.0)),
            step => step,
        }
    }

    fn probe(&self, turn: Turn) -> Step<Probe> {
        probe::probe(&self.0, &turn)
    }

    fn delivery_status(&self, sent: &Sent, turn: Turn) -> Step<Vec<StatusReport>> {
        status::poll(&self.0, sent, &turn)
    }

    fn find_sent(&self, message: &OutboundMessage, turn: Turn) -> Step<Lookup> {
        lookup::find_sent(&self.0, message, &turn)
    }

    fn list_inbound(&self, since: Timestamp, turn: Turn) -> Step<Vec<Event>> {
        backfill::list_inbound(&self.0, since, &turn)
    }

    fn templates(&self, turn: Turn) -> Step<Vec<Template>> {
        templates::list(&self.0, &turn)
    }

    fn fetch_media(&self, media: &MediaRef, turn: Turn) -> Step<Media> {
        media::fetch(&self.0, media, &turn)
    }
}

/// The largest attachment that Twilio takes for MMS: images; other types only 500 kB.
const MEDIA_BYTES_MAX: u64 = 5 * 1024 * 1024;

trunkline_plugin_api::export_adapter!(Twilio, id = "twilio");
