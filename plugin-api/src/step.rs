//! The step machine: how an adapter talks to its provider without doing any I/O.
//!
//! Each call gets a [`Turn`] and answers with a [`Step`]. The daemon saves the cursor, performs
//! the request and calls again with the reply. The request itself is never saved: after a restart
//! it is made anew from the cursor. What can be asked and answered is in `transport.rs`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{AdapterError, ErrorClass, HttpReply, HttpRequest, Receipt, Reply, Request, Timestamp};

/// What the adapter wants next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step<T> {
    /// Perform this request, then call again with the reply and this cursor.
    Call {
        /// What to perform.
        request: Request,
        /// Where to go on; small, holds no secret.
        #[serde(default)]
        cursor: Value,
    },
    /// Finished.
    Done {
        /// The outcome.
        result: T,
    },
    /// Failed.
    Fail {
        /// Why.
        error: AdapterError,
    },
}

impl<T> Step<T> {
    /// Asks for an HTTP call.
    pub fn call(request: HttpRequest, cursor: Value) -> Self {
        Self::Call {
            request: Request::Http(request),
            cursor,
        }
    }

    /// Finishes with a result.
    pub fn done(result: T) -> Self {
        Self::Done { result }
    }

    /// Fails.
    pub fn fail(error: AdapterError) -> Self {
        Self::Fail { error }
    }

    /// Fails because the adapter has no such call.
    pub fn unsupported(call: &str) -> Self {
        Self::fail(AdapterError::new(
            ErrorClass::Unsupported,
            "unsupported",
            format!("this adapter does not implement {call}"),
        ))
    }
}

impl Step<Receipt> {
    /// Finishes a send that the provider has taken under this id. Where its answer has none, the outcome is
    /// unknown.
    pub fn sent(external_id: Option<&str>) -> Self {
        match external_id.filter(|id| !id.is_empty()) {
            Some(id) => Self::done(Receipt::new(id)),
            None => Self::fail(AdapterError::unknown_outcome()),
        }
    }
}

/// What the adapter is given at each step.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// The cursor of the last [`Step::Call`]; null at the first step.
    #[serde(default)]
    pub cursor: Value,
    /// The outcome of the last request; none at the first step, and none after a restart, where
    /// the outcome of the request behind the cursor is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<Reply>,
    /// The time now.
    pub now_ms: Timestamp,
    /// 16 random bytes, lower-case hex; the same for every step of one run.
    pub random: String,
}

impl Turn {
    /// The HTTP answer, or the error that having none means for a send; none where there was no reply:
    /// at the first step (the cursor is null), and after a restart (it is not).
    pub fn http(&self) -> Option<Result<&HttpReply, AdapterError>> {
        self.reply.as_ref().map(Reply::http)
    }
}

/// What a live check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeState {
    /// Messages go out.
    Healthy,
    /// They go out with trouble.
    Degraded,
    /// They do not.
    Down,
}

/// The result of a live check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// The state.
    pub state: ProbeState,
    /// The account's name or id at the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The name that recipients see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The number or address that recipients see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The provider's quality rating.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<String>,
    /// Why it is not healthy and what to do, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// How many more calls the provider allows now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit_remaining: Option<i64>,
}

impl Probe {
    /// A result with nothing but a state.
    pub fn new(state: ProbeState) -> Self {
        Self {
            state,
            account: None,
            display_name: None,
            address: None,
            quality: None,
            detail: None,
            rate_limit_remaining: None,
        }
    }
}

/// Whether a send of unknown outcome reached the provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "lookup", rename_all = "snake_case")]
pub enum Lookup {
    /// It did; here is what the provider holds.
    Found {
        /// As if it had been answered.
        receipt: Receipt,
    },
    /// It surely did not, and no longer can.
    Absent,
    /// It can't be told.
    Unsure,
}
