//! A webhook as it comes in, and what the adapter makes of it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Event, RawBody, Timestamp};

/// One HTTP request as it reached the public listener.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookRequest {
    /// `POST` or `GET`, upper case; or the method of one of the daemon's front doors
    /// ([`crate::Front::method`]), which needs no further proof.
    pub method: String,
    /// The URL as the provider called it: the configured `public_url` followed by path and query
    /// byte for byte as received. URL signatures are computed over this.
    pub url: String,
    /// Names in lower case, values as received, in the order received.
    pub headers: Vec<(String, String)>,
    /// When the daemon received it.
    pub received_at_ms: Timestamp,
    /// The body exactly as received; crosses the plugin boundary as part 1, and is read there in
    /// place.
    #[serde(skip)]
    pub body: RawBody,
}

impl WebhookRequest {
    /// The first value of a header, by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The query of the URL without its `?`, empty where there is none.
    pub fn query(&self) -> &str {
        self.url.split_once('?').map_or("", |(_, query)| query)
    }
}

/// Whether the webhook really came from the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The signature is right: the request is kept and the provider gets the response.
    Authentic,
    /// A valid handshake with nothing to keep (Meta's GET challenge): answered and forgotten.
    Challenge,
    /// No signature at all.
    Unsigned,
    /// A signature that is wrong.
    Mismatch,
    /// A right signature whose signed time is outside the tolerance.
    Expired,
    /// The channel has no inbound secret, so nothing can be proved.
    NoSecret,
}

impl Verdict {
    /// True where the adapter vouches for the request.
    pub fn is_authentic(self) -> bool {
        matches!(self, Self::Authentic | Self::Challenge)
    }
}

/// The HTTP answer to the provider.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    /// HTTP status code.
    pub status: u16,
    /// Header names and values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// The body; crosses the plugin boundary as part 1.
    #[serde(skip)]
    pub body: Vec<u8>,
}

impl Response {
    /// An answer with a status and no body.
    pub fn status(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    /// An answer with a body of the given content type.
    pub fn with_body(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: vec![("content-type".into(), content_type.into())],
            body: body.into(),
        }
    }
}

/// What an adapter makes of one webhook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Received {
    /// Whether it is genuine.
    pub verdict: Verdict,
    /// Why it is not, in words without secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The answer; sent only after the events are stored.
    pub response: Response,
    /// What is in it, in the provider's order. Each carries its own id for deduplication.
    #[serde(
        default,
        deserialize_with = "crate::event::read::list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub events: Vec<Event>,
    /// Set where the request is genuine but could not be read: why. The raw request is kept and
    /// can be replayed through a newer adapter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unparsed: Option<String>,
    /// Not null where the request only announces what came in: whatever `complete` needs to ask the provider for
    /// it. The request is kept and answered; its events are stored when the provider has told them.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub follow_up: Value,
}

impl Received {
    /// A genuine request with its events.
    pub fn authentic(response: Response, events: Vec<Event>) -> Self {
        Self {
            verdict: Verdict::Authentic,
            reason: None,
            response,
            events,
            unparsed: None,
            follow_up: Value::Null,
        }
    }

    /// A genuine request that could not be read.
    pub fn unparsed(response: Response, why: impl Into<String>) -> Self {
        Self {
            unparsed: Some(why.into()),
            ..Self::authentic(response, Vec::new())
        }
    }

    /// A request that is not genuine, answered with `status` and no body.
    pub fn refused(verdict: Verdict, status: u16, reason: impl Into<String>) -> Self {
        Self {
            verdict,
            reason: Some(reason.into()),
            response: Response::status(status),
            events: Vec::new(),
            unparsed: None,
            follow_up: Value::Null,
        }
    }
}
