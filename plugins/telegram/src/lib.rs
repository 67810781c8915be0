//! The Telegram adapter: a bot's chats through the Bot API.
//!
//! | file | what |
//! |---|---|
//! | `config.rs` | the configuration section and what it makes possible |
//! | `receive.rs` | is an update genuine, and which kind is it |
//! | `message.rs`, `kinds.rs` | messages, edited ones too |
//! | `signals.rs` | buttons, reactions, people who block the bot |
//! | `send.rs`, `content.rs`, `upload.rs` | messages out |
//! | `probe.rs`, `media.rs`, `typing.rs` | the other calls |
//! | `api.rs`, `errors.rs`, `ids.rs`, `fields.rs` | what those share |
//!
//! A person is the chat: `chat.id` is what a message is sent to. In a private chat it is the user's id too; a group
//! is one contact, answered in the group, and `from` in the metadata says which member wrote.
//!
//! Message ids of Telegram's are unique in a chat alone, so ids here are `CHAT:MESSAGE`.
//!
//! The bot's token is part of every URL. A URL is never put into a cursor, an error or the log here, and what the
//! daemon says of a failed call is masked before it becomes an error's words.
//!
//! Source: "Telegram Bot API", core.telegram.org/bots/api (setWebhook, Update, available methods, ResponseParameters,
//! sending files); "Bots FAQ", core.telegram.org/bots/faq (limits).

#![deny(unsafe_code)]

mod api;
mod config;
mod content;
mod errors;
mod fields;
mod ids;
mod kinds;
mod media;
mod message;
mod probe;
mod receive;
mod send;
mod signals;
#[cfg(test)]
mod tests;
mod typing;
mod upload;

use trunkline_plugin_api::{
    Adapter, AdapterError, Capability, Facts, Limits, Manifest, Media, MediaRef, Medium,
    OpenContext, OutboundMessage, Probe, Receipt, Received, ReceivedRef, Step, Turn,
    WebhookRequest,
};

pub use config::Config;

/// The largest file that a bot may upload (Bot API, sending files).
const MEDIA_BYTES_MAX: u64 = 50 * 1024 * 1024;

/// One bot.
pub struct Telegram(config::Settings);

impl Adapter for Telegram {
    type Config = Config;

    fn manifest() -> Manifest {
        let capabilities = [
            Capability::Receive,
            Capability::Send,
            Capability::Probe,
            Capability::FetchMedia,
            Capability::MarkRead,
        ];
        Manifest {
            limits: Limits {
                text_chars_max: Some(content::TEXT_CHARS_MAX),
                media_count_max: Some(1),
                media_bytes_max: Some(MEDIA_BYTES_MAX),
            },
            ..Manifest::new("Telegram", [Medium::Chat], capabilities)
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
        self.masked(send::send(&self.0, message, &turn))
    }

    fn probe(&self, turn: Turn) -> Step<Probe> {
        self.masked(probe::probe(&self.0, &turn))
    }

    fn fetch_media(&self, media: &MediaRef, turn: Turn) -> Step<Media> {
        self.masked(media::fetch(&self.0, media, &turn))
    }

    fn mark_read(&self, message: &ReceivedRef, turn: Turn) -> Step<()> {
        self.masked(typing::show(&self.0, message, &turn))
    }
}

impl Telegram {
    /// Errors leave this adapter here alone, without the token that a URL in their words may hold.
    fn masked<T>(&self, step: Result<Step<T>, AdapterError>) -> Step<T> {
        let error = match step {
            Ok(Step::Fail { error }) | Err(error) => error,
            Ok(step) => return step,
        };
        Step::fail(AdapterError {
            message: self.0.mask(&error.message),
            ..error
        })
    }
}

trunkline_plugin_api::export_adapter!(Telegram, id = "telegram");
