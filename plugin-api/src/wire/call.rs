//! The inputs of each call, borrowed where the host writes them, owned where the plugin reads them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Carries, Op, encode};
use crate::{
    Facts, MediaRef, OpenContext, OutboundMessage, ReceivedRef, Reply, Sent, Timestamp, Turn,
    WebhookRequest,
};

/// One call, ready to cross.
#[derive(Debug)]
pub struct Call<'a> {
    /// Which.
    pub op: Op,
    /// Part 0.
    pub json: Vec<u8>,
    /// Part 1; borrowed, so that a body is not copied.
    pub raw: &'a [u8],
}

impl<'a> Call<'a> {
    /// `receive`: the request itself, its body as part 1.
    pub fn receive(request: &'a WebhookRequest) -> Self {
        Self {
            op: Op::Receive,
            json: json(request),
            raw: &request.body,
        }
    }

    /// `send`: `{"message", "turn"}`.
    pub fn send(message: &OutboundMessage, turn: &'a Turn) -> Self {
        Self::step(Op::Send, &OfMessage { message, turn }, turn)
    }

    /// `probe`: `{"turn"}`.
    pub fn probe(turn: &'a Turn) -> Self {
        Self::step(Op::Probe, &OfTurn { turn }, turn)
    }

    /// `delivery_status`: `{"sent", "turn"}`.
    pub fn delivery_status(sent: &Sent, turn: &'a Turn) -> Self {
        Self::step(Op::DeliveryStatus, &OfSent { sent, turn }, turn)
    }

    /// `find_sent`: `{"message", "turn"}`.
    pub fn find_sent(message: &OutboundMessage, turn: &'a Turn) -> Self {
        Self::step(Op::FindSent, &OfMessage { message, turn }, turn)
    }

    /// `list_inbound`: `{"since_ms", "turn"}`.
    pub fn list_inbound(since_ms: Timestamp, turn: &'a Turn) -> Self {
        Self::step(Op::ListInbound, &OfTime { since_ms, turn }, turn)
    }

    /// `templates`: `{"turn"}`.
    pub fn templates(turn: &'a Turn) -> Self {
        Self::step(Op::Templates, &OfTurn { turn }, turn)
    }

    /// `fetch_media`: `{"media", "turn"}`.
    pub fn fetch_media(media: &MediaRef, turn: &'a Turn) -> Self {
        Self::step(Op::FetchMedia, &OfMedia { media, turn }, turn)
    }

    /// `mark_read`: `{"message", "turn"}`.
    pub fn mark_read(message: &ReceivedRef, turn: &'a Turn) -> Self {
        Self::step(Op::MarkRead, &OfMessage { message, turn }, turn)
    }

    /// `complete`: `{"follow_up", "turn"}`.
    pub fn complete(follow_up: &Value, turn: &'a Turn) -> Self {
        Self::step(Op::Complete, &OfFollowUp { follow_up, turn }, turn)
    }

    fn step(op: Op, input: &impl Serialize, turn: &'a Turn) -> Self {
        let raw: &[u8] = match &turn.reply {
            Some(Reply::Http(reply)) => &reply.body,
            _ => &[],
        };
        Self {
            op,
            json: json(input),
            raw,
        }
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    encode(value).expect("the types of the interface have string keys only")
}

/// What `open` is given.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OpenInput {
    /// Who is opened, and by what kind of host.
    pub context: OpenContext,
    /// The `[channel.X.config]` section, secrets resolved.
    pub config: Value,
}

/// What `open` answers: the facts, and beside them what the plugin speaks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Opened {
    /// The facts.
    #[serde(flatten)]
    pub facts: Facts,
    /// The minor version of the interface that the plugin speaks.
    #[serde(default)]
    pub abi_minor: u32,
    /// Those of the host's features that the plugin will use.
    #[serde(default)]
    pub features: Vec<String>,
}

/// An input that is about a message, sent or received.
#[derive(Serialize, Deserialize)]
pub(super) struct OfMessage<M, T> {
    pub(super) message: M,
    pub(super) turn: T,
}

/// An input that is about a send of earlier.
#[derive(Serialize, Deserialize)]
pub(super) struct OfSent<S, T> {
    pub(super) sent: S,
    pub(super) turn: T,
}

/// An input that is about a time.
#[derive(Serialize, Deserialize)]
pub(super) struct OfTime<T> {
    pub(super) since_ms: Timestamp,
    pub(super) turn: T,
}

/// An input that is about an attachment.
#[derive(Serialize, Deserialize)]
pub(super) struct OfMedia<M, T> {
    pub(super) media: M,
    pub(super) turn: T,
}

/// An input that is about a webhook which only announced what came in.
#[derive(Serialize, Deserialize)]
pub(super) struct OfFollowUp<F, T> {
    pub(super) follow_up: F,
    pub(super) turn: T,
}

/// An input that is about the channel as a whole.
#[derive(Serialize, Deserialize)]
pub(super) struct OfTurn<T> {
    pub(super) turn: T,
}

/// The raw bytes of a step's input belong to the reply in its turn.
macro_rules! carries_in_turn {
    ($($input:ty: $subject:ident),*) => {$(
        impl<$subject> Carries for $input {
            const WHAT: &'static str = "the call's input";

            fn raw_slot(&mut self) -> Option<&mut Vec<u8>> {
                self.turn.raw_slot()
            }
        }
    )*};
}
carries_in_turn!(OfMessage<M, Turn>: M, OfSent<S, Turn>: S, OfMedia<M, Turn>: M, OfFollowUp<F, Turn>: F);

impl Carries for OfTime<Turn> {
    const WHAT: &'static str = "the call's input";

    fn raw_slot(&mut self) -> Option<&mut Vec<u8>> {
        self.turn.raw_slot()
    }
}

impl Carries for OfTurn<Turn> {
    const WHAT: &'static str = "the call's input";

    fn raw_slot(&mut self) -> Option<&mut Vec<u8>> {
        self.turn.raw_slot()
    }
}
