//! What the daemon carries for an adapter: HTTP, mail, or a frame to a chat session, and what comes
//! back.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{AdapterError, Body, ErrorClass, Secret};

/// A request that the daemon performs for the adapter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "transport", rename_all = "snake_case")]
pub enum Request {
    /// An HTTP call.
    Http(HttpRequest),
    /// One mail to an SMTP server.
    Smtp(SmtpRequest),
    /// A frame to a live chat session.
    Push(PushRequest),
    /// No call at all: the SHA-256 of a body that the daemon would send, for signatures that cover
    /// it (SigV4). The bytes of media never reach the adapter, so it asks for their digest.
    Digest(DigestRequest),
}

/// One header of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Name.
    pub name: String,
    /// Value.
    pub value: String,
    /// Carries a credential: never logged, traced, saved or sent to another host.
    #[serde(default)]
    pub sensitive: bool,
}

/// Where a reply's body goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyTo {
    /// Back to the adapter (bounded).
    #[default]
    Adapter,
    /// Into a file of the daemon; the reply names it.
    File,
}

/// An HTTP call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpRequest {
    /// Upper-case method.
    pub method: String,
    /// Absolute URL.
    pub url: String,
    /// Headers in order.
    #[serde(default)]
    pub headers: Vec<Header>,
    /// The body.
    #[serde(default)]
    pub body: Body,
    /// Where the reply's body goes.
    #[serde(default)]
    pub reply_to: ReplyTo,
    /// How many redirects to follow; sensitive headers never go to another host. 0 is none.
    #[serde(default)]
    pub redirects_max: u8,
}

impl HttpRequest {
    /// A call without body.
    pub fn new(method: &str, url: impl Into<String>) -> Self {
        Self {
            method: method.into(),
            url: url.into(),
            ..Self::default()
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push(Header {
            name: name.into(),
            value: value.into(),
            sensitive: false,
        });
        self
    }

    /// Adds a header that carries a credential.
    #[must_use]
    pub fn sensitive_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push(Header {
            name: name.into(),
            value: value.into(),
            sensitive: true,
        });
        self
    }

    /// Adds `authorization: Bearer` with a secret, marked as a credential.
    #[must_use]
    pub fn bearer(self, secret: &Secret) -> Self {
        self.sensitive_header("authorization", format!("Bearer {}", secret.expose()))
    }

    /// Sets the body to JSON and says so in `content-type`.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json")
            .body(body.to_string())
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.body = Body::Bytes {
            bytes: bytes.into(),
        };
        self
    }
}

/// How an SMTP connection is secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SmtpTls {
    /// Not at all (a relay on this machine).
    None,
    /// By STARTTLS, required.
    StartTls,
    /// From the first byte.
    Implicit,
}

/// One mail to an SMTP server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmtpRequest {
    /// Server name.
    pub host: String,
    /// Port.
    pub port: u16,
    /// How the connection is secured.
    pub tls: SmtpTls,
    /// User name, where it authenticates. Sensitive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Password. Sensitive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// Envelope sender.
    pub mail_from: String,
    /// Envelope recipients; empty only checks that the server takes us (EHLO, STARTTLS, AUTH, NOOP).
    /// All are asked about; where one is refused nothing is sent and the reply is that refusal, a lasting
    /// one before a passing one. So a mail goes to all of its recipients or to none.
    pub rcpt_to: Vec<String>,
    /// The mail in RFC 5322 form.
    #[serde(default)]
    pub data: Body,
}

/// A frame to a live chat session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushRequest {
    /// The visitor's identifier.
    pub to: String,
    /// The frame.
    pub payload: Value,
}

/// A body whose digest is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestRequest {
    /// The body.
    pub body: Body,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "transport", rename_all = "snake_case")]
pub enum Reply {
    /// An HTTP answer, whatever its status.
    Http(HttpReply),
    /// The SMTP server's last answer.
    Smtp(SmtpReply),
    /// What became of a frame.
    Push(PushReply),
    /// Digest and size of a body.
    Digest(FileReply),
    /// No answer at all.
    Error(TransportError),
}

impl Reply {
    /// The HTTP answer, or the error that having none means for a send.
    pub fn http(&self) -> Result<&HttpReply, AdapterError> {
        match self {
            Self::Http(reply) => Ok(reply),
            Self::Error(error) => Err(error.to_adapter_error()),
            _ => Err(wrong_transport()),
        }
    }

    /// The SMTP server's answer, or the error that having none means for a send.
    pub fn smtp(&self) -> Result<&SmtpReply, AdapterError> {
        match self {
            Self::Smtp(reply) => Ok(reply),
            Self::Error(error) => Err(error.to_adapter_error()),
            _ => Err(wrong_transport()),
        }
    }

    /// What became of a frame, or the error that not knowing means for a send.
    pub fn push(&self) -> Result<&PushReply, AdapterError> {
        match self {
            Self::Push(reply) => Ok(reply),
            Self::Error(error) => Err(error.to_adapter_error()),
            _ => Err(wrong_transport()),
        }
    }

    /// The digest asked for, or the error that having none means for a send.
    pub fn digest(&self) -> Result<&FileReply, AdapterError> {
        match self {
            Self::Digest(reply) => Ok(reply),
            Self::Error(error) => Err(error.to_adapter_error()),
            _ => Err(wrong_transport()),
        }
    }
}

fn wrong_transport() -> AdapterError {
    AdapterError::new(
        ErrorClass::Bug,
        "wrong_transport",
        "a request was answered over another transport",
    )
}

/// An HTTP answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpReply {
    /// Status code.
    pub status: u16,
    /// Names in lower case, values, in order.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// The body where it goes to the adapter; crosses the plugin boundary as part 1.
    #[serde(skip)]
    pub body: Vec<u8>,
    /// The file where it went into one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileReply>,
}

impl HttpReply {
    /// The first value of a header, by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body as JSON; null where it is none, so that members can be looked for at once.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// Digest and size of a reply's body that went into a file, or of a body that was asked about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileReply {
    /// SHA-256 of the bytes, lower-case hex.
    pub sha256: String,
    /// Size in bytes.
    pub size: u64,
}

/// The SMTP server's last answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmtpReply {
    /// Three-digit code.
    pub code: u16,
    /// Enhanced code (`5.1.1`), where given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enhanced: Option<String>,
    /// The words.
    pub text: String,
}

/// What became of a frame.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushReply {
    /// How many live sessions took it.
    pub sessions: u32,
}

/// How a request failed without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransportKind {
    /// The name did not resolve.
    Dns,
    /// No connection.
    Connect,
    /// No trust.
    Tls,
    /// Time ran out before the request was written: surely not processed.
    TimeoutBeforeSend,
    /// Time ran out, or the connection broke, after the request was written: outcome unknown.
    TimeoutAfterSend,
    /// The answer was larger than allowed.
    TooLarge,
    /// The address is not one that the channel may call.
    Forbidden,
}

/// No answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransportError {
    /// How.
    pub kind: TransportKind,
    /// In words, without credentials.
    #[serde(default)]
    pub detail: String,
}

impl TransportError {
    /// The error that this means for a send: transient where the request surely was not
    /// processed, ambiguous where it may have been.
    pub fn to_adapter_error(&self) -> AdapterError {
        let (class, code) = match self.kind {
            TransportKind::Dns => (ErrorClass::Transient, "dns"),
            TransportKind::Connect => (ErrorClass::Transient, "connect"),
            TransportKind::Tls => (ErrorClass::Transient, "tls"),
            TransportKind::TimeoutBeforeSend => (ErrorClass::Transient, "timeout_before_send"),
            TransportKind::TimeoutAfterSend => (ErrorClass::Ambiguous, "timeout_after_send"),
            TransportKind::TooLarge => (ErrorClass::Ambiguous, "too_large"),
            TransportKind::Forbidden => (ErrorClass::Config, "address_forbidden"),
        };
        AdapterError::new(
            class,
            code,
            format!("no answer from the provider: {}", self.detail),
        )
    }
}
