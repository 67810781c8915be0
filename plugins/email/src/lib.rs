//! The e-mail adapter: out by SMTP submission, Amazon SES or Resend; in by Resend's webhook, by raw mail
//! that an MTA posts, and by the daemon's LMTP listener.
//!
//! | file | what |
//! |---|---|
//! | `config.rs`, `address.rs` | the configuration section and what it makes possible; addresses and message ids |
//! | `proof.rs`, `svix.rs` | is a webhook genuine |
//! | `receive.rs` | which of the three ways in a request came by |
//! | `mime/` | headers, the parts of a mail, its texts and attachments |
//! | `mail.rs`, `automatic.rs`, `report.rs` | a mail as a message; written by a machine; bounces, complaints, receipts |
//! | `resend_events.rs`, `resend_mail.rs`, `media.rs` | what Resend reports, and the mails and attachments it holds |
//! | `compose.rs`, `smtp.rs`, `resend.rs`, `ses.rs`, `sigv4.rs` | sending |
//! | `errors.rs`, `probe.rs` | the error tables, the live checks |
//!
//! The Message-ID of a mail that was sent holds our id, so that answers, bounces and receipts find it.
//!
//! Sources: RFC 5322, 2045 to 2047, 2033, 3463, 3464, 3834, 5965, 8058 and 8098; Resend's API reference and
//! webhook pages; the SES API v2 reference, and the AWS page on signature version 4.

#![forbid(unsafe_code)]

mod address;
mod automatic;
mod compose;
mod config;
mod errors;
mod mail;
mod media;
mod mime;
mod probe;
mod proof;
mod receive;
mod report;
mod resend;
mod resend_events;
mod resend_mail;
mod send;
mod ses;
mod sigv4;
mod smtp;
mod svix;
#[cfg(test)]
mod tests;

use serde_json::Value;
use trunkline_plugin_api::{
    Adapter, AdapterError, Capability, Event, Facts, Limits, Manifest, Media, MediaRef, Medium,
    OpenContext, OutboundMessage, Probe, Receipt, Received, Step, Turn, WebhookRequest,
};

pub use config::Config;

/// The identity space of the people behind an e-mail channel.
const SPACE: &str = "email";

/// The largest mail that is sent, as SES and Resend take it: 40 MB with base64, so about this much.
const MEDIA_BYTES_MAX: u64 = 28 * 1024 * 1024;

/// One e-mail channel.
pub struct Email(config::Settings);

impl Adapter for Email {
    type Config = Config;

    fn manifest() -> Manifest {
        Manifest {
            id: String::new(),
            version: String::new(),
            name: "E-mail".into(),
            media: vec![Medium::Email],
            capabilities: vec![
                Capability::Receive,
                Capability::Send,
                Capability::Probe,
                Capability::FetchMedia,
                Capability::Complete,
            ],
            limits: Limits {
                text_chars_max: None,
                media_count_max: None,
                media_bytes_max: Some(MEDIA_BYTES_MAX),
            },
            config_schema: Value::Null,
        }
    }

    fn open(config: Config, _: OpenContext) -> Result<(Self, Facts), AdapterError> {
        let (settings, facts) = config.check()?;
        Ok((Self(settings), facts))
    }

    fn receive(&self, request: &WebhookRequest) -> Received {
        receive::receive(&self.0, request)
    }

    fn send(&self, message: &OutboundMessage, turn: Turn) -> Step<Receipt> {
        send::send(&self.0, message, &turn)
    }

    fn probe(&self, turn: Turn) -> Step<Probe> {
        probe::probe(&self.0, &turn)
    }

    fn fetch_media(&self, media: &MediaRef, turn: Turn) -> Step<Media> {
        media::fetch(&self.0, media, &turn)
    }

    fn complete(&self, follow_up: &Value, turn: Turn) -> Step<Vec<Event>> {
        resend_mail::complete(&self.0, follow_up, &turn)
    }
}

trunkline_plugin_api::export_adapter!(Email, id = "email");
