//! The table of an adapter's tests, and short ways to write its rows.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Kit, NOW_MS, Run};
use crate::{
    Adapter, AdapterError, Content, HttpReply, Identity, OutboundMessage, Receipt, Received, Reply,
    Request, TransportError, TransportKind, WebhookRequest,
};

/// Everything [`check`] looks at.
#[derive(Debug, Clone, Default)]
pub struct Fixtures {
    /// Webhooks and what must come of them; at least one should be genuine.
    pub inbound: Vec<Inbound>,
    /// Messages and the exact calls they must lead to.
    pub sends: Vec<Exchange>,
    /// What the proof of a webhook covers.
    pub tampering: Tampering,
}

/// A webhook in, a result out.
#[derive(Debug, Clone)]
pub struct Inbound {
    /// Names the row where it fails.
    pub name: &'static str,
    /// The webhook.
    pub request: WebhookRequest,
    /// What must come of it.
    pub want: Received,
}

/// A message and scripted replies in, requests and an outcome out.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// Names the row where it fails.
    pub name: &'static str,
    /// The message.
    pub message: OutboundMessage,
    /// The provider's replies, one a request.
    pub replies: Vec<Reply>,
    /// The requests, exactly.
    pub requests: Vec<Request>,
    /// How it must end.
    pub outcome: Result<Receipt, AdapterError>,
}

/// What the proof of a webhook covers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tampering {
    /// A signature over the body: a change must be refused, or change nothing.
    #[default]
    Refused,
    /// A shared secret beside the body: a changed body can't be told.
    Unseen,
}

/// Runs the whole table on one channel, then fuzzes, tampers, and runs it on many threads.
pub fn check<A: Adapter>(config: Value, fixtures: &Fixtures) {
    let kit = Kit::<A>::open(config);
    for row in &fixtures.inbound {
        let received = kit.receive(&row.request);
        assert_eq!(received, row.want, "inbound row {:?}", row.name);
        kit.fuzz(&row.request);
        let genuine = row.want.verdict.is_authentic() && row.want.unparsed.is_none();
        if genuine && fixtures.tampering == Tampering::Refused {
            kit.tamper(&row.request);
        }
    }
    for row in &fixtures.sends {
        let Run {
            requests, outcome, ..
        } = kit.send(&row.message, row.replies.iter().cloned());
        assert_eq!(requests, row.requests, "send row {:?}", row.name);
        assert_eq!(outcome, row.outcome, "send row {:?}", row.name);
    }
    let requests: Vec<_> = fixtures
        .inbound
        .iter()
        .map(|row| row.request.clone())
        .collect();
    kit.threads(&requests);
    kit.misuse();
}

/// A webhook by POST at [`NOW_MS`]. Add headers with `request.headers.push(...)`.
pub fn post(url: &str, content_type: &str, body: impl Into<Vec<u8>>) -> WebhookRequest {
    WebhookRequest {
        method: "POST".into(),
        url: url.into(),
        headers: vec![("content-type".into(), content_type.into())],
        received_at_ms: NOW_MS,
        body: body.into().into(),
    }
}

/// A webhook by POST with an already encoded form as its body.
pub fn form(url: &str, encoded: &str) -> WebhookRequest {
    post(url, "application/x-www-form-urlencoded", encoded)
}

/// A text message to a person, as the daemon hands it to `send`.
pub fn message(space: &str, identifier: &str, text: &str) -> OutboundMessage {
    OutboundMessage {
        id: "0198b2a0-0000-7000-8000-000000000001".into(),
        to: Identity {
            space: space.into(),
            identifier: identifier.into(),
        },
        content: Content::text(text),
        idempotency_key: "0198b2a0-0000-7000-8000-000000000001.0".into(),
        accepted_at_ms: NOW_MS,
        ..OutboundMessage::default()
    }
}

/// A provider's answer without headers.
pub fn reply(status: u16, body: impl Into<Vec<u8>>) -> Reply {
    Reply::Http(HttpReply {
        status,
        body: body.into(),
        ..HttpReply::default()
    })
}

/// A provider's answer in JSON.
pub fn json_reply(status: u16, body: &Value) -> Reply {
    Reply::Http(HttpReply {
        status,
        headers: vec![("content-type".into(), "application/json".into())],
        body: body.to_string().into_bytes(),
        file: None,
    })
}

/// No answer from the provider.
pub fn transport(kind: TransportKind) -> Reply {
    Reply::Error(TransportError {
        kind,
        detail: "scripted".into(),
    })
}
