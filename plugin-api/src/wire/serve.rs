//! The plugin's side: parts in, the adapter's method, parts out. Nothing here is unsafe, so the
//! test kit runs the very same code as a loaded plugin.

use serde::Serialize;

use super::{
    ABI_MINOR, Carries, Code, Op, OpenInput, Opened, PARTS_MAX, WireError,
    call::{OfFollowUp, OfMedia, OfMessage, OfSent, OfTime, OfTurn},
    decode, encode, without_value,
};
use crate::{
    Adapter, AdapterError, ErrorClass, MediaRef, OutboundMessage, RawBody, ReceivedRef, Sent, Turn,
    WebhookRequest,
};

/// A return code and the parts that go with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What the function returns.
    pub code: Code,
    /// Part 0: JSON, or plain text for [`Code::BadInput`] and [`Code::Panic`].
    pub json: Vec<u8>,
    /// Part 1; not written where empty.
    pub raw: Vec<u8>,
}

impl Answer {
    /// A result.
    pub fn ok<T: Carries + Serialize>(mut value: T) -> Self {
        let raw = value.raw_slot().map(std::mem::take).unwrap_or_default();
        match encode(&value) {
            Ok(json) => Self {
                code: Code::Ok,
                json,
                raw,
            },
            Err(error) => Self::error(&AdapterError::new(
                ErrorClass::Bug,
                "unwritable",
                format!("{} can't be written as JSON: {error}", T::WHAT),
            )),
        }
    }

    /// An error of the adapter.
    pub fn error(error: &AdapterError) -> Self {
        Self {
            code: Code::Error,
            json: serde_json::to_vec(error).expect("an error is strings and numbers"),
            raw: Vec::new(),
        }
    }

    /// Plain words under a code.
    pub fn words(code: Code, words: impl Into<String>) -> Self {
        Self {
            code,
            json: words.into().into_bytes(),
            raw: Vec::new(),
        }
    }
}

/// Describes an adapter, with what the macro knows filled in.
pub fn describe<A: Adapter>(id: &str, version: &str) -> Answer {
    let schema = schemars::SchemaGenerator::default().into_root_schema_for::<A::Config>();
    let mut manifest = A::manifest();
    manifest.id = id.into();
    manifest.version = version.into();
    manifest.config_schema = schema.to_value();
    Answer::ok(manifest)
}

/// Opens a channel from the JSON of an [`OpenInput`]; the answer goes to the host in both cases.
pub fn open<A: Adapter>(input: &[u8]) -> Result<(A, Answer), Answer> {
    let OpenInput { context, config } = serde_json::from_slice(input)
        .map_err(|error| Answer::words(Code::BadInput, without_value(&error)))?;
    let config = serde_json::from_value(config).map_err(|error| {
        let message = format!("the configuration can't be read: {}", without_value(&error));
        Answer::error(&AdapterError::new(
            ErrorClass::Config,
            "config_unreadable",
            message,
        ))
    })?;
    let (adapter, facts) = A::open(config, context).map_err(|error| Answer::error(&error))?;
    let opened = Opened {
        facts,
        abi_minor: ABI_MINOR,
        features: Vec::new(),
    };
    Ok((adapter, Answer::ok(opened)))
}

/// Runs one call.
pub fn answer<A: Adapter>(adapter: &A, op: u32, parts: &[&[u8]]) -> Answer {
    let Some(op) = Op::from_number(op) else {
        return Answer::words(Code::Unsupported, "");
    };
    run(adapter, op, parts).unwrap_or_else(|error| Answer::words(Code::BadInput, error.to_string()))
}

/// Runs `receive` on a request whose body is already at hand: the host's own bytes in a loaded
/// plugin. The request ends before this returns, and the adapter only ever borrows it.
pub fn receive<A: Adapter>(adapter: &A, json: &[u8], body: RawBody) -> Answer {
    match decode::<WebhookRequest>(json, &[]) {
        Ok(request) => Answer::ok(adapter.receive(&WebhookRequest { body, ..request })),
        Err(error) => Answer::words(Code::BadInput, error.to_string()),
    }
}

fn run<A: Adapter>(adapter: &A, op: Op, parts: &[&[u8]]) -> Result<Answer, WireError> {
    if parts.len() > PARTS_MAX {
        return Err(WireError::TooMany);
    }
    let json = parts.first().copied().ok_or(WireError::Missing)?;
    let raw = parts.get(1).copied().unwrap_or_default();
    Ok(match op {
        Op::Receive => receive(adapter, json, raw.into()),
        Op::Send => {
            let input: OfMessage<OutboundMessage, Turn> = decode(json, raw)?;
            Answer::ok(adapter.send(&input.message, input.turn))
        }
        Op::Probe => {
            let input: OfTurn<Turn> = decode(json, raw)?;
            Answer::ok(adapter.probe(input.turn))
        }
        Op::DeliveryStatus => {
            let input: OfSent<Sent, Turn> = decode(json, raw)?;
            Answer::ok(adapter.delivery_status(&input.sent, input.turn))
        }
        Op::FindSent => {
            let input: OfMessage<OutboundMessage, Turn> = decode(json, raw)?;
            Answer::ok(adapter.find_sent(&input.message, input.turn))
        }
        Op::ListInbound => {
            let input: OfTime<Turn> = decode(json, raw)?;
            Answer::ok(adapter.list_inbound(input.since_ms, input.turn))
        }
        Op::Templates => {
            let input: OfTurn<Turn> = decode(json, raw)?;
            Answer::ok(adapter.templates(input.turn))
        }
        Op::FetchMedia => {
            let input: OfMedia<MediaRef, Turn> = decode(json, raw)?;
            Answer::ok(adapter.fetch_media(&input.media, input.turn))
        }
        Op::MarkRead => {
            let input: OfMessage<ReceivedRef, Turn> = decode(json, raw)?;
            Answer::ok(adapter.mark_read(&input.message, input.turn))
        }
        Op::Complete => {
            let input: OfFollowUp<serde_json::Value, Turn> = decode(json, raw)?;
            Answer::ok(adapter.complete(&input.follow_up, input.turn))
        }
    })
}
