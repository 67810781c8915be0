//! What the chat refuses, as an HTTP answer and as a frame; for people as well as for the page.

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use serde_json::{Value, json};

/// Something that was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// As HTTP says it.
    pub(super) status: StatusCode,
    /// For the page's script.
    pub(super) code: &'static str,
    /// For people.
    pub(super) words: &'static str,
    /// After how many seconds it may work, where time helps.
    pub(super) retry_after_s: Option<u32>,
}

impl Refusal {
    pub(super) const fn new(status: StatusCode, code: &'static str, words: &'static str) -> Self {
        Self {
            status,
            code,
            words,
            retry_after_s: None,
        }
    }

    const fn after(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "there is no such page")
    }

    pub(super) fn foreign_origin() -> Self {
        let words = "this site may not use the chat; its origin is not among allowed_origins";
        Self::new(StatusCode::FORBIDDEN, "foreign_origin", words)
    }

    pub(super) fn token() -> Self {
        let words = "this visitor's token is not one of ours";
        Self::new(StatusCode::UNAUTHORIZED, "token", words)
    }

    pub(super) fn slow_down() -> Self {
        let words = "that is too much at once; try again in a moment";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "slow_down", words).after(5)
    }

    pub(super) fn unavailable() -> Self {
        let words = "the message could not be stored now; it is tried again";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", words).after(2)
    }

    pub(super) fn full() -> Self {
        let words = "there are too many open pages; close one, or try again in a moment";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "full", words).after(10)
    }

    pub(super) fn invalid(words: &'static str) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", words)
    }

    /// True where the same thing may be taken later.
    pub(super) fn passes(&self) -> bool {
        self.retry_after_s.is_some()
    }

    /// As a frame; about a message, where `client` names one.
    pub(super) fn frame(&self, client: Option<&str>) -> Value {
        json!({
            "type": "refused",
            "code": self.code,
            "detail": self.words,
            "client": client,
            "retry_after": self.retry_after_s,
        })
    }

    /// As an HTTP answer.
    pub(super) fn answer(&self, client: Option<&str>) -> HttpResponse {
        let mut builder = HttpResponse::build(self.status);
        if let Some(seconds) = self.retry_after_s {
            builder.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        builder
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
        if self.status == StatusCode::NOT_FOUND {
            return builder.finish();
        }
        builder.json(self.frame(client))
    }
}
