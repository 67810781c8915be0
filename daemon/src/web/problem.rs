//! Errors of the API: RFC 9457 problem+json, each with a `code` for programs.

use std::fmt;

use actix_web::{HttpRequest, HttpResponse, ResponseError, http::StatusCode, web};
use serde_json::{Value, json};

use crate::{
    gateway::{ReloadError, SwitchError},
    inbound::{BackfillError, ReplayError},
    outbound::AcceptError,
    store::StoreError,
    watch::RefreshError,
};

/// When a caller may come back, in seconds, where the store or a channel is not there.
const RETRY_AFTER_S: &str = "5";

/// An error as the API shows it.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    errors: Vec<String>,
    link: Option<String>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            errors: Vec::new(),
            link: None,
        }
    }

    /// Adds a link that helps.
    pub(super) fn with_link(mut self, link: Option<String>) -> Self {
        self.link = link;
        self
    }

    pub(super) fn not_found(what: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            format!("there is no such {what}"),
        )
    }

    /// This daemon can't do it now.
    pub(super) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
    }

    pub(super) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail)
    }

    pub(super) fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "detail": self.detail,
            "code": self.code,
        });
        if !self.errors.is_empty() {
            body["errors"] = Value::from(self.errors.clone());
        }
        if let Some(link) = &self.link {
            body["link"] = Value::from(link.as_str());
        }
        let mut response = HttpResponse::build(self.status);
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.insert_header(("retry-after", RETRY_AFTER_S));
        }
        response
            .content_type("application/problem+json")
            .body(body.to_string())
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "store", error.to_string())
    }
}

impl From<AcceptError> for Problem {
    fn from(error: AcceptError) -> Self {
        match error {
            AcceptError::Refused { code, detail } => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
            }
            AcceptError::WindowClosed { detail } => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "window_closed", detail)
            }
            AcceptError::KeyConflict => Self::conflict("idempotency_conflict", error.to_string()),
            AcceptError::Store(error) => error.into(),
        }
    }
}

impl From<ReplayError> for Problem {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::NotFound => Self::not_found("webhook event"),
            ReplayError::Store(error) => error.into(),
            ReplayError::NotGenuine(_) => Self::conflict("not_genuine", error.to_string()),
            ReplayError::Body(_) => Self::conflict("body_lost", error.to_string()),
            ReplayError::Channel(_) => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "channel_down",
                error.to_string(),
            ),
            ReplayError::Provider(_) => {
                Self::new(StatusCode::BAD_GATEWAY, "provider", error.to_string())
            }
        }
    }
}

impl From<BackfillError> for Problem {
    fn from(error: BackfillError) -> Self {
        match error {
            BackfillError::Store(error) => error.into(),
            BackfillError::Since(words) => Self::invalid(words),
            BackfillError::Busy => Self::conflict("busy", error.to_string()),
            BackfillError::Unsupported => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "unsupported",
                error.to_string(),
            ),
            BackfillError::Provider(_) => {
                Self::new(StatusCode::BAD_GATEWAY, "provider", error.to_string())
            }
        }
    }
}

impl From<RefreshError> for Problem {
    fn from(error: RefreshError) -> Self {
        let (status, code) = match error {
            RefreshError::Store(error) => return error.into(),
            RefreshError::Unsupported(_) => (StatusCode::UNPROCESSABLE_ENTITY, "unsupported"),
            RefreshError::NoCredentials(_) => (StatusCode::UNPROCESSABLE_ENTITY, "no_credentials"),
            RefreshError::Provider(_) => (StatusCode::BAD_GATEWAY, "provider"),
        };
        Self::new(status, code, error.to_string())
    }
}

impl From<SwitchError> for Problem {
    fn from(error: SwitchError) -> Self {
        match error {
            SwitchError::Store(error) => error.into(),
            SwitchError::Quarantine(_) => Self::unavailable(error.to_string()),
            SwitchError::Config(_) => Self::conflict("channel_config", error.to_string()),
        }
    }
}

impl From<ReloadError> for Problem {
    fn from(error: ReloadError) -> Self {
        match error {
            ReloadError::Store(error) => error.into(),
            ReloadError::Config(errors) => Self {
                errors: errors.0.iter().map(ToString::to_string).collect(),
                ..Self::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "configuration",
                    "the configuration is wrong; the old one keeps running",
                )
            },
        }
    }
}

/// What no route takes.
pub(super) async fn not_found(_: HttpRequest) -> Result<HttpResponse, Problem> {
    Err(Problem::not_found("page"))
}

/// Bodies that are no JSON of the right shape.
pub(super) fn json_config(limit: usize) -> web::JsonConfig {
    web::JsonConfig::default()
        .limit(limit)
        .error_handler(|error, _| match &error {
            actix_web::error::JsonPayloadError::Overflow { .. }
            | actix_web::error::JsonPayloadError::OverflowKnownLength { .. } => Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
                error.to_string(),
            )
            .into(),
            _ => Problem::invalid(format!("the body is not what is expected: {error}")).into(),
        })
}

/// Queries with values that can't be read.
pub(super) fn query_config() -> web::QueryConfig {
    web::QueryConfig::default()
        .error_handler(|error, _| Problem::invalid(format!("the query is wrong: {error}")).into())
}

/// Paths with ids that can't be read are the same as ids that do not exist.
pub(super) fn path_config() -> web::PathConfig {
    web::PathConfig::default().error_handler(|_, _| Problem::not_found("object").into())
}
