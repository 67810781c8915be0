//! Error answers of the API: HTTP status, Twilio's code and words, in its error body.

use crate::behaviour::Fault;
use crate::reply::Reply;
use serde_json::json;

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: u32,
    pub(super) message: String,
}

impl Refusal {
    /// A 400 with one of the codes of the error dictionary.
    pub(super) fn bad(code: u32, message: impl Into<String>) -> Self {
        Self::with_status(400, code, message)
    }

    /// A refusal with another HTTP status.
    pub(super) fn with_status(status: u16, code: u32, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }

    /// 404 for a path or resource that isn't there.
    pub(super) fn not_found(path: &str) -> Self {
        let message = format!("The requested resource {path} was not found");
        Self::with_status(404, 20404, message)
    }

    /// 401 for wrong or missing credentials.
    pub(super) fn credentials(message: &str) -> Self {
        Self::with_status(401, 20003, message)
    }

    /// The answer.
    pub(super) fn reply(&self) -> Reply {
        let body = json!({
            "code": self.code,
            "message": self.message,
            "more_info": format!("https://www.twilio.com/docs/errors/{}", self.code),
            "status": self.status,
        });
        let reply = Reply::json(self.status, &body);
        match self.status {
            401 => reply.with_header("www-authenticate", "Basic realm=\"Twilio API\""),
            _ => reply,
        }
    }

    /// The answer for a fault: Twilio's error body where it has a code, else what a proxy in front
    /// of the API would send.
    pub(super) fn of_fault(fault: Fault) -> Reply {
        match fault.code {
            Some(code) => Self::with_status(fault.status, code, fault.message).reply(),
            None => Reply::text(fault.status, fault.message),
        }
    }
}
