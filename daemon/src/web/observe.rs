//! What every request passes: it gets an id, which its answer, its log lines and what it causes
//! carry, and it is counted.
//!
//! On the admin listener a caller may bring the id (`x-request-id`); on the public one it is always
//! ours, and a webhook's id is that of the webhook event that it becomes.

use std::borrow::Cow;

use actix_web::{
    Error, HttpMessage as _, HttpRequest,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::header::{HeaderName, HeaderValue},
    middleware::Next,
    web,
};
use tracing::Instrument as _;

use crate::{gateway::Gateway, model::EventId};

const HEADER: HeaderName = HeaderName::from_static("x-request-id");
/// Characters of an id that a caller brings.
const ID_CHARS_MAX: usize = 64;

/// The id of a request on the public listener.
#[derive(Clone, Copy)]
struct PublicId(EventId);

/// The id of a request on the admin listener.
#[derive(Clone)]
struct AdminId(String);

/// What a request of the public listener passes.
pub(super) async fn public(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let Some(gateway) = request.app_data::<web::Data<Gateway>>().cloned() else {
        return next.call(request).await;
    };
    let id = gateway.store.new_event_id();
    request.extensions_mut().insert(PublicId(id));
    let route = public_route(request.path());
    let answer = next.call(request).await;
    finish(&gateway, ("public", route.into()), &id.to_string(), answer)
}

/// What a request of the admin listener or its socket passes.
pub(super) async fn admin(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let Some(gateway) = request.app_data::<web::Data<Gateway>>().cloned() else {
        return next.call(request).await;
    };
    let brought = request.headers().get(HEADER).and_then(sane);
    let id = brought.unwrap_or_else(|| gateway.store.new_id().to_string());
    request.extensions_mut().insert(AdminId(id.clone()));
    let listener = if request.peer_addr().is_some() {
        "admin"
    } else {
        "socket"
    };
    let span = tracing::info_span!("api", request = %id);
    let answer = next.call(request).instrument(span).await;
    let pattern = answer.as_ref().ok();
    let pattern = pattern.and_then(|answer| answer.request().match_pattern());
    let route = admin_route(pattern.as_deref()).to_owned();
    finish(&gateway, (listener, route.into()), &id, answer)
}

/// Counts a request and puts its id on the answer.
fn finish<B>(
    gateway: &Gateway,
    (listener, route): (&'static str, Cow<'static, str>),
    id: &str,
    answer: Result<ServiceResponse<B>, Error>,
) -> Result<ServiceResponse<B>, Error> {
    let status = match &answer {
        Ok(answer) => answer.status(),
        Err(error) => error.as_response_error().status_code(),
    };
    let metrics = &gateway.metrics;
    metrics.http_request(listener, route, status.as_u16());
    let mut answer = answer?;
    if let Ok(value) = HeaderValue::from_str(id) {
        answer.headers_mut().insert(HEADER, value);
    }
    Ok(answer)
}

/// The id of a request on the public listener.
pub(super) fn event_id(request: &HttpRequest) -> Option<EventId> {
    request.extensions().get::<PublicId>().map(|id| id.0)
}

/// The id of a request on the admin listener.
pub(super) fn request_id(request: &HttpRequest) -> Option<String> {
    let extensions = request.extensions();
    extensions.get::<AdminId>().map(|id| id.0.clone())
}

/// An id that may be logged, stored and sent back.
fn sane(value: &HeaderValue) -> Option<String> {
    let text = value.to_str().ok()?;
    let is_sane = (1..=ID_CHARS_MAX).contains(&text.len())
        && text
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || b"-_.:".contains(&c));
    is_sane.then(|| text.to_owned())
}

/// A class of paths of the public listener: a closed set, whatever strangers ask for.
fn public_route(path: &str) -> &'static str {
    const CLASSES: [(&str, &str); 4] = [
        ("/webhooks/", "webhooks"),
        ("/chat/", "chat"),
        ("/forms/", "forms"),
        ("/media/", "media"),
    ];
    if path == "/healthz" {
        return "healthz";
    }
    let class = CLASSES.iter().find(|(prefix, _)| path.starts_with(prefix));
    class.map_or("other", |(_, class)| class)
}

/// A class of routes of the admin listener: the first word behind `/api/v1`, which is a route of
/// ours and not what a caller wrote.
fn admin_route(pattern: Option<&str>) -> &str {
    let Some(pattern) = pattern else {
        return "other";
    };
    let rest = pattern.strip_prefix("/api/v1").unwrap_or(pattern);
    let word = rest.trim_start_matches('/').split('/').next();
    word.filter(|word| !word.is_empty()).unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_from_outside_is_taken_only_where_it_is_sane() {
        let of = |text: &str| sane(&HeaderValue::from_str(text).unwrap());
        assert_eq!(of("a1-b_2.c:3").as_deref(), Some("a1-b_2.c:3"));
        assert_eq!(of(&"x".repeat(64)).map(|id| id.len()), Some(64));
        for bad in ["", "a b", "a\"b", "ä", "{}", &"x".repeat(65)] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }

    #[test]
    fn routes_are_a_closed_set() {
        assert_eq!(public_route("/webhooks/sms/token"), "webhooks");
        assert_eq!(public_route("/webhooksx"), "other");
        assert_eq!(public_route("/wp-login.php"), "other");
        assert_eq!(admin_route(Some("/api/v1/messages/{id}")), "messages");
        assert_eq!(admin_route(Some("/metrics")), "metrics");
        assert_eq!(admin_route(None), "other");
    }
}
