//! The WhatsApp adapter: Meta's Cloud API, one business phone number a channel.
//!
//! | file | what |
//! |---|---|
//! | `config.rs` | the configuration section and what it makes possible |
//! | `receive.rs` | is a webhook genuine, and the way through its batches |
//! | `inbound.rs`, `kinds.rs`, `sender.rs` | messages and reactions |
//! | `status.rs`, `account.rs` | states of sent messages; templates, preferences, alerts |
//! | `send.rs`, `content.rs`, `template.rs`, `upload.rs` | messages out |
//! | `probe.rs`, `templates.rs`, `media.rs`, `read.rs` | the other calls |
//! | `graph.rs`, `errors.rs`, `fields.rs` | what those share: requests, the error table, reading JSON |
//!
//! A channel's address is its `phone_number_id`: one webhook may carry messages of several numbers, and each
//! event names its own. People have an identity in the space `whatsapp`: their number in E.164 with a plus, or
//! the business-scoped user id verbatim where they hide it.
//!
//! Sources: Meta's pages on the WhatsApp Business Platform (webhooks and their reference, messages, templates,
//! media, phone numbers, business-scoped user ids, error codes).

#![deny(unsafe_code)]

mod account;
mod config;
mod content;
mod errors;
mod fields;
mod graph;
mod inbound;
mod kinds;
mod media;
mod probe;
mod read;
mod receive;
mod send;
mod sender;
mod status;
mod template;
mod templates;
#[cfg(test)]
mod tests;
mod upload;

use serde_json::Value;
use trunkline_plugin_api::{
    Adapter, AdapterError, Capability, Facts, Limits, Lookup, Manifest, Media, MediaRef, Medium,
    OpenContext, OutboundMessage, Probe, Receipt, Received, ReceivedRef, Step, Template, Turn,
    WebhookRequest,
};

pub use config::Config;

/// One business phone number.
pub struct WhatsApp(config::Settings);

impl Adapter for WhatsApp {
    type Config = Config;

    fn manifest() -> Manifest {
        Manifest {
            id: String::new(),
            version: String::new(),
            name: "WhatsApp (Meta Cloud API)".into(),
            media: vec![Medium::Whatsapp],
            capabilities: vec![
                Capability::Receive,
                Capability::Send,
                Capability::Probe,
                Capability::Templates,
                Capability::FetchMedia,
                Capability::MarkRead,
            ],
            limits: Limits {
                text_chars_max: Some(config::TEXT_CHARS_MAX),
                media_count_max: Some(1),
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
            Step::Fail { error } => Step::fail(errors::name_token(error, &self.0)),
            step => step,
        }
    }

    fn probe(&self, turn: Turn) -> Step<Probe> {
        probe::probe(&self.0, &turn)
    }

    /// Meta has no call that finds a sent message, and no idempotency key.
    fn find_sent(&self, _: &OutboundMessage, _: Turn) -> Step<Lookup> {
        Step::done(Lookup::Unsure)
    }

    fn templates(&self, turn: Turn) -> Step<Vec<Template>> {
        templates::templates(&self.0, &turn)
    }

    fn fetch_media(&self, media: &MediaRef, turn: Turn) -> Step<Media> {
        media::fetch(&self.0, media, &turn)
    }

    fn mark_read(&self, message: &ReceivedRef, turn: Turn) -> Step<()> {
        read::mark_read(&self.0, message, &turn)
    }
}

/// The largest attachment of all: documents. Images take 5 MB, audio and video 16 MB.
const MEDIA_BYTES_MAX: u64 = 100 * 1024 * 1024;

trunkline_plugin_api::export_adapter!(WhatsApp, id = "whatsapp");
