//! The trait that every adapter implements.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::{
    AdapterError, Event, Facts, Lookup, Manifest, Media, MediaRef, OpenContext, OutboundMessage,
    Probe, Receipt, Received, ReceivedRef, Sent, StatusReport, Step, Template, Timestamp, Turn,
    WebhookRequest,
};

/// One provider's protocol as pure functions.
///
/// A value of this type is one configured channel. Calls may come from several threads at once,
/// so state is whatever [`Adapter::open`] computed and nothing that changes afterwards.
pub trait Adapter: Send + Sync + Sized + 'static {
    /// The `[channel.X.config]` section. Unknown keys should be refused
    /// (`#[serde(deny_unknown_fields)]`); secrets are [`crate::Secret`] or [`crate::SecretList`].
    type Config: DeserializeOwned + JsonSchema;

    /// Describes the adapter: media, capabilities, limits and the configuration's JSON Schema.
    fn manifest() -> Manifest;

    /// Opens one channel. Secrets in `config` are resolved.
    ///
    /// A configuration that lacks only one half (no inbound secret, no send credentials) is valid:
    /// say so in the facts. An error is for a configuration that can never work.
    fn open(config: Self::Config, context: OpenContext) -> Result<(Self, Facts), AdapterError>;

    /// Verifies one webhook and reads the events in it.
    fn receive(&self, request: &WebhookRequest) -> Received;

    /// Sends one message (or one part of it), one provider call a step.
    fn send(&self, message: &OutboundMessage, turn: Turn) -> Step<Receipt>;

    /// Checks by a live call whether the provider would take a message now.
    fn probe(&self, turn: Turn) -> Step<Probe>;

    /// Asks the provider for the state of a message sent earlier.
    fn delivery_status(&self, sent: &Sent, turn: Turn) -> Step<Vec<StatusReport>> {
        let _ = (sent, turn);
        Step::unsupported("delivery_status")
    }

    /// Looks up whether a send of unknown outcome reached the provider. Only an authoritative
    /// [`Lookup::Absent`] permits another send.
    fn find_sent(&self, message: &OutboundMessage, turn: Turn) -> Step<Lookup> {
        let _ = (message, turn);
        Step::unsupported("find_sent")
    }

    /// Lists inbound messages that the provider holds since a time, oldest first.
    fn list_inbound(&self, since: Timestamp, turn: Turn) -> Step<Vec<Event>> {
        let _ = (since, turn);
        Step::unsupported("list_inbound")
    }

    /// Lists the message templates that the provider knows.
    fn templates(&self, turn: Turn) -> Step<Vec<Template>> {
        let _ = turn;
        Step::unsupported("templates")
    }

    /// Fetches one attachment of an [`crate::InboundMessage`] with the channel's credentials. The bytes
    /// go to a file of the daemon ([`crate::ReplyTo::File`]) and never through a call.
    fn fetch_media(&self, media: &MediaRef, turn: Turn) -> Step<Media> {
        let _ = (media, turn);
        Step::unsupported("fetch_media")
    }

    /// Tells the provider that an [`crate::InboundMessage`] was read.
    fn mark_read(&self, message: &ReceivedRef, turn: Turn) -> Step<()> {
        let _ = (message, turn);
        Step::unsupported("mark_read")
    }

    /// Makes the events of a webhook that could only announce them ([`Received::follow_up`]), by asking the
    /// provider. Failing keeps the webhook pending, and the daemon comes back with it.
    fn complete(&self, follow_up: &serde_json::Value, turn: Turn) -> Step<Vec<Event>> {
        let _ = (follow_up, turn);
        Step::unsupported("complete")
    }
}
