//! Requests and answers of the simulator's own endpoints, free of the web framework.

use crate::behaviour::{End, Fault, Plan};
use actix_web::web::Bytes;

/// A request as it arrived.
#[derive(Debug)]
pub(crate) struct Incoming {
    /// HTTP method, upper case.
    pub(crate) method: String,
    /// Path without query, as sent.
    pub(crate) path: String,
    /// Query without the question mark, as sent.
    pub(crate) query: String,
    /// Headers, names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// The whole body.
    pub(crate) body: Bytes,
}

impl Incoming {
    /// The first header of this (lower-case) name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// What goes back.
#[derive(Debug)]
pub(crate) enum Reply {
    /// An HTTP answer.
    Answer {
        /// HTTP status.
        status: u16,
        /// Headers besides length and date.
        headers: Vec<(&'static str, String)>,
        /// The body.
        body: Vec<u8>,
    },
    /// The connection is reset without an answer.
    Reset,
}

impl Reply {
    /// A JSON answer.
    pub(crate) fn json(status: u16, value: &serde_json::Value) -> Self {
        Self::Answer {
            status,
            headers: vec![("content-type", "application/json".to_owned())],
            body: value.to_string().into_bytes(),
        }
    }

    /// A plain-text answer.
    pub(crate) fn text(status: u16, text: impl Into<String>) -> Self {
        Self::Answer {
            status,
            headers: vec![("content-type", "text/plain; charset=utf-8".to_owned())],
            body: text.into().into_bytes(),
        }
    }

    /// Adds a header to an answer.
    #[must_use]
    pub(crate) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.push((name, value.into()));
        }
        self
    }

    /// Ends a call as planned: waits, then gives the true answer, the fault or a reset. `answer` is
    /// none where the call was not accepted; then the plan's end is never the true answer.
    pub(crate) async fn finish(
        plan: Plan,
        answer: Option<Self>,
        fault: impl FnOnce(Fault) -> Self,
    ) -> Self {
        if !plan.delay.is_zero() {
            tokio::time::sleep(plan.delay).await;
        }
        match (plan.end, answer) {
            (End::Answer, Some(answer)) => answer,
            (End::Fault(told), _) => {
                let retry_after = told.retry_after;
                let reply = fault(told);
                match retry_after {
                    Some(wait) => reply.with_header("retry-after", wait.to_string()),
                    None => reply,
                }
            }
            (End::Answer, None) | (End::Reset, _) => Self::Reset,
        }
    }
}
