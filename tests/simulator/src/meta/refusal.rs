//! Error answers of the Graph API: HTTP status, Meta's code and words, in its error object.

use super::account::random_hex;
use crate::behaviour::Fault;
use crate::reply::Reply;
use serde_json::json;

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: u32,
    pub(super) message: String,
    /// `error_data.details`.
    pub(super) details: String,
}

impl Refusal {
    /// A 400 with one of Meta's codes.
    pub(super) fn bad(code: u32, message: &str, details: impl Into<String>) -> Self {
        Self {
            status: 400,
            code,
            message: message.to_owned(),
            details: details.into(),
        }
    }

    /// A parameter that is missing.
    pub(super) fn missing(details: impl Into<String>) -> Self {
        Self::bad(131_008, "Required parameter is missing", details)
    }

    /// A parameter whose value can't be.
    pub(super) fn invalid(details: impl Into<String>) -> Self {
        Self::bad(131_009, "Parameter value is not valid", details)
    }

    /// A parameter that is not known, or of the wrong type.
    pub(super) fn parameter(details: impl Into<String>) -> Self {
        Self::bad(100, "Invalid parameter", details)
    }

    /// An object that does not exist, or that the token may not see.
    pub(super) fn unknown_object(id: &str) -> Self {
        let words = format!(
            "Unsupported request. Object with ID '{id}' does not exist, cannot be loaded due to missing permissions, or does not support this operation"
        );
        Self::bad(100, &words, "")
    }

    /// 401 for a wrong, missing or ended token.
    pub(super) fn token(words: &str) -> Self {
        Self {
            status: 401,
            code: 190,
            message: words.to_owned(),
            details: String::new(),
        }
    }

    /// The answer.
    pub(super) fn reply(&self) -> Reply {
        let mut error = json!({
            "message": format!("(#{}) {}", self.code, self.message),
            "type": "OAuthException",
            "code": self.code,
            "fbtrace_id": random_hex(),
        });
        if !self.details.is_empty() {
            error["error_data"] = json!({"messaging_product": "whatsapp", "details": self.details});
        }
        Reply::json(self.status, &json!({ "error": error }))
    }

    /// The answer for a fault: Meta's error object where it has a code, else what a proxy in front of
    /// the API would send.
    pub(super) fn of_fault(fault: Fault) -> Reply {
        match fault.code {
            Some(code) => Self {
                status: fault.status,
                code,
                message: fault.message,
                details: String::new(),
            }
            .reply(),
            None => Reply::text(fault.status, fault.message),
        }
    }
}
