//! What a Trunkline adapter is written against.
//!
//! An adapter speaks one provider's protocol and nothing else: every call is a pure function of
//! its inputs. It opens no socket, reads no clock and keeps no state between calls, so it can be
//! tested from a table, fuzzed and replayed.
//!
//! ```text
//! webhook ──> Adapter::receive ──> Received { verdict, response, events }
//! message ──> Adapter::send ─────> Step::Call(request) ── the daemon performs it ──┐
//!                   ^                                                              │
//!                   └──────────────── Turn { cursor, reply } <─────────────────────┘
//!                                 ... until Step::Done(receipt) or Step::Fail(error)
//! ```
//!
//! [`Adapter`] is the trait, [`export_adapter!`] turns an implementation into a shared library
//! with the C interface of `include/trunkline_plugin.h`, `testkit` (a feature) checks it.

#![deny(unsafe_code)]

mod adapter;
#[cfg(feature = "url")]
pub mod api_base;
mod body;
mod error;
mod event;
mod export;
mod facts;
#[allow(unsafe_code, reason = "the C interface")]
pub mod ffi;
mod message;
pub mod note;
pub mod prelude;
mod raw_body;
mod retry_after;
mod secret;
pub mod sign;
mod step;
#[cfg(feature = "testkit")]
pub mod testkit;
mod transport;
mod webhook;
pub mod wire;

pub use adapter::Adapter;
pub use body::{Body, Piece, PieceEncoding};
pub use error::{AdapterError, ErrorClass};
pub use event::{
    Consent, ConsentChange, Event, InboundMessage, Note, Reaction, ReportedStatus, Sender,
    StatusReport, TemplateUpdate,
};
pub use facts::{Capability, Facts, Front, Limits, Manifest, Medium, OpenContext};
pub use ffi::{LogLevel, log};
pub use message::{
    Content, Identity, Interactive, Location, Media, MediaEncoding, MediaRange, MediaRef,
    OutboundMessage, Part, ReactionCall, Receipt, ReceivedRef, Sent, Template, TemplateCall,
};
pub use raw_body::RawBody;
pub use secret::{Secret, SecretList};
pub use step::{Lookup, Probe, ProbeState, Step, Turn};
pub use transport::{
    DigestRequest, FileReply, Header, HttpReply, HttpRequest, PushReply, PushRequest, Reply,
    ReplyTo, Request, SmtpReply, SmtpRequest, SmtpTls, TransportError, TransportKind,
};
pub use webhook::{Received, Response, Verdict, WebhookRequest};

/// Milliseconds since the Unix epoch, UTC.
pub type Timestamp = i64;

#[doc(hidden)]
pub use {schemars, serde_json};
