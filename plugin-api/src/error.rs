//! The closed set of errors: the adapter names the class, the daemon decides what to do.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why a call failed, by what can be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// The channel's configuration can't work (wrong sender, unknown account). Not retried.
    Config,
    /// Credentials refused or expired: the channel is down, its queue is held.
    Credentials,
    /// The address is wrong, unreachable or not allowed. Not retried.
    Recipient,
    /// The provider refuses this text, template or attachment. Not retried.
    Content,
    /// Free-form text outside the provider's reply window. Not retried.
    WindowClosed,
    /// The recipient refused messages. Never retried.
    OptedOut,
    /// Refused for pace or quota and not processed: the whole channel slows down, retried.
    Throttled,
    /// A fault that passes, and the message was surely not accepted. Retried.
    Transient,
    /// The outcome is unknown: the message may have been accepted. Never retried blindly.
    Ambiguous,
    /// The adapter can't do this.
    Unsupported,
    /// Anything the adapter did not expect, its own mistakes included. Not retried.
    #[serde(other)]
    Bug,
}

impl ErrorClass {
    /// The class as it is written in JSON, metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Credentials => "credentials",
            Self::Recipient => "recipient",
            Self::Content => "content",
            Self::WindowClosed => "window_closed",
            Self::OptedOut => "opted_out",
            Self::Throttled => "throttled",
            Self::Transient => "transient",
            Self::Ambiguous => "ambiguous",
            Self::Unsupported => "unsupported",
            Self::Bug => "bug",
        }
    }

    /// True where the same call may be made again by itself.
    pub fn is_retried(self) -> bool {
        matches!(self, Self::Transient | Self::Throttled)
    }
}

/// An error with words for a person and a code for a program. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct AdapterError {
    /// What can be done about it.
    pub class: ErrorClass,
    /// Short and stable, for programs: `invalid_recipient`, `http_503`.
    pub code: String,
    /// What happened and what to do, in one sentence.
    pub message: String,
    /// The provider's own code, as it wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_code: Option<String>,
    /// How long the provider asks to wait, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl AdapterError {
    /// An error of `class` with a code for programs and words for people.
    pub fn new(class: ErrorClass, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            class,
            code: code.into(),
            message: message.into(),
            provider_code: None,
            retry_after_ms: None,
        }
    }

    /// A configuration that can't work; the words say which key, and never quote a secret.
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(ErrorClass::Config, "invalid_config", message)
    }

    /// Adds the provider's own code.
    #[must_use]
    pub fn with_provider_code(mut self, code: impl Into<String>) -> Self {
        self.provider_code = Some(code.into());
        self
    }

    /// The error of a send whose reply nobody saw, since the daemon was restarted meanwhile: the message may
    /// have been accepted.
    pub fn unknown_outcome() -> Self {
        let words = "no clear answer was seen: the provider may have taken the message";
        Self::new(ErrorClass::Ambiguous, "unknown_outcome", words)
    }

    /// Sets the wait that the provider asked for, in milliseconds; none where it named none
    /// ([`crate::HttpReply::retry_after_ms`]).
    #[must_use]
    pub fn with_retry_after(mut self, wait_ms: Option<u64>) -> Self {
        self.retry_after_ms = wait_ms;
        self
    }

    /// Adds the wait that the provider asked for, in milliseconds.
    #[must_use]
    pub fn with_retry_after_ms(mut self, wait_ms: u64) -> Self {
        self.retry_after_ms = Some(wait_ms);
        self
    }
}
