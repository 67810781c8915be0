//! The Vonage adapter: SMS through the SMS API, SMS and MMS through the Messages API.
//!
//! A number's inbound messages come by one of the two, as its account is set; a channel speaks the
//! one that `api` names, in both directions.
//!
//! | file | what |
//! |---|---|
//! | `config.rs` | the configuration section and what it makes possible |
//! | `sms/` | SMS API: signed webhooks by query, form or JSON, inbound parts, receipts, sending |
//! | `messages/` | Messages API: webhooks with a token, inbound, statuses, sending |
//! | `token.rs`, `pem.rs` | JSON Web Tokens: made for calls, verified on webhooks |
//! | `probe.rs`, `media.rs` | the live check; attachments |
//! | `rest.rs`, `errors.rs`, `address.rs`, `json.rs` | what those share |
//!
//! What Vonage does not give is not pretended: neither API has an idempotency key or a look-up of
//! a sent message, so a send of unknown outcome stays unknown until a report comes.
//!
//! Sources: Vonage's pages on inbound SMS, delivery receipts, signing messages, concatenation and
//! encoding, signed webhooks, messages status callbacks, API errors, and its SDKs.

#![deny(unsafe_code)]

mod address;
mod config;
mod errors;
mod json;
mod media;
mod messages;
mod pem;
mod probe;
mod rest;
mod sms;
#[cfg(test)]
mod tests;
mod token;

use serde_json::Value;
use trunkline_plugin_api::{
    Adapter, AdapterError, Capability, Facts, Limits, Lookup, Manifest, Media, MediaRef, Medium,
    OpenContext, OutboundMessage, Probe, Receipt, Received, Step, Turn, Verdict, WebhookRequest,
};

pub use config::Config;
use config::Which;

/// One Vonage channel.
pub struct Vonage(config::Settings);

impl Adapter for Vonage {
    type Config = Config;

    fn manifest() -> Manifest {
        Manifest {
            id: String::new(),
            version: String::new(),
            name: "Vonage".into(),
            media: vec![Medium::Sms],
            capabilities: vec![
                Capability::Receive,
                Capability::Send,
                Capability::Probe,
                Capability::FetchMedia,
            ],
            limits: Limits {
                text_chars_max: Some(sms::TEXT_CHARS_MAX),
                ..Limits::default()
            },
            config_schema: Value::Null,
        }
    }

    fn open(config: Config, context: OpenContext) -> Result<(Self, Facts), AdapterError> {
        let (settings, facts) = config.check(&context.channel)?;
        Ok((Self(settings), facts))
    }

    fn receive(&self, request: &WebhookRequest) -> Received {
        let settings = &self.0;
        if settings.secrets.is_empty() {
            let reason = "the channel has no signature_secret, so nothing can be verified";
            return Received::refused(Verdict::NoSecret, 404, reason);
        }
        match settings.which {
            Which::Sms => sms::receive(settings, request),
            Which::Messages => messages::receive(settings, request),
        }
    }

    fn send(&self, message: &OutboundMessage, turn: Turn) -> Step<Receipt> {
        let settings = &self.0;
        let step = match settings.which {
            Which::Sms => sms::send(settings, message, &turn),
            Which::Messages => messages::send(settings, message, &turn),
        };
        match step {
            Step::Fail { error } => Step::fail(errors::name_secret(error, settings)),
            step => step,
        }
    }

    fn probe(&self, turn: Turn) -> Step<Probe> {
        probe::probe(&self.0, &turn)
    }

    /// Vonage documents no look-up of what was sent, so an unknown outcome stays unknown.
    fn find_sent(&self, _: &OutboundMessage, _: Turn) -> Step<Lookup> {
        Step::done(Lookup::Unsure)
    }

    fn fetch_media(&self, media: &MediaRef, turn: Turn) -> Step<Media> {
        media::fetch(&self.0, media, &turn)
    }
}

trunkline_plugin_api::export_adapter!(Vonage, id = "vonage");
