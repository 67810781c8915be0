//! The native chat adapter: visitors of the daemon's own page. There is no provider and there are no
//! credentials; the daemon's chat door speaks to browsers, this adapter gives what is said there its
//! meaning.
//!
//! | file | what |
//! |---|---|
//! | `config.rs` | the configuration section |
//! | `receive.rs` | a visitor's frame: a message, or marks on ours |
//! | `send.rs` | frames to the visitor: messages, read marks |

#![forbid(unsafe_code)]

mod config;
mod receive;
mod send;
#[cfg(test)]
mod tests;

use trunkline_plugin_api::{
    Adapter, AdapterError, Capability, Facts, Manifest, Medium, OpenContext, OutboundMessage,
    Probe, ProbeState, Receipt, Received, ReceivedRef, Step, Turn, WebhookRequest,
};

pub use config::Config;

/// The identity space of visitors.
const SPACE: &str = "chat";

/// One chat channel. It holds nothing: title, greeting and origins are the door's to use.
#[derive(Debug)]
pub struct Chat;

impl Adapter for Chat {
    type Config = Config;

    fn manifest() -> Manifest {
        let capabilities = [
            Capability::Receive,
            Capability::Send,
            Capability::Probe,
            Capability::MarkRead,
        ];
        Manifest::new("Chat", [Medium::Chat], capabilities)
    }

    fn open(config: Config, _: OpenContext) -> Result<(Self, Facts), AdapterError> {
        Ok((Self, config.check()?))
    }

    fn receive(&self, request: &WebhookRequest) -> Received {
        receive::receive(request)
    }

    fn send(&self, message: &OutboundMessage, turn: Turn) -> Step<Receipt> {
        send::send(message, &turn)
    }

    /// There is nothing to ask: where the daemon runs, the chat does.
    fn probe(&self, _: Turn) -> Step<Probe> {
        Step::done(Probe::new(ProbeState::Healthy))
    }

    fn mark_read(&self, message: &ReceivedRef, turn: Turn) -> Step<()> {
        send::mark_read(message, &turn)
    }
}

trunkline_plugin_api::export_adapter!(Chat, id = "chat");
