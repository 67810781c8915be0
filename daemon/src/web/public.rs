//! Webhooks. The order of checks is part of the promise: first the path and its token, where all
//! that is wrong gives the same 404; then the method, then the size, then the adapter's proof.

use std::time::Duration;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, StatusCode, header},
    web,
};
use futures_util::StreamExt as _;
use tracing::error;
use trunkline_plugin_api::{Response, WebhookRequest};

use super::{files, observe, wire};
use crate::{
    channel::{Channel, Lookup, Routes},
    gateway::Gateway,
    inbound::Answer,
    metrics::Reason,
};

/// Bytes of a refused body that are read to be thrown away.
const DRAIN_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Time for that.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);
/// After this many seconds a provider may come back.
const RETRY_AFTER_S: &str = "2";
/// Headers that an adapter is given.
const HEADERS_MAX: usize = 100;

/// Takes whatever comes to the public listener.
pub(super) async fn webhook(
    gateway: web::Data<Gateway>,
    request: HttpRequest,
    payload: web::Payload,
) -> HttpResponse {
    let routes = gateway.registry.routes();
    let Lookup::Channel(channel) = find(&routes, request.path()) else {
        return not_found(payload).await;
    };
    let refused = |reason| gateway.metrics.rejected(&channel.id, reason);
    if let Some(refusal) = refuse_method(&channel, request.method()) {
        refused(Reason::Method);
        return refusal;
    }
    let limit = body_limit(&gateway, &channel);
    let body = match wire::read(&gateway, &request, payload, limit).await {
        Ok(body) => body,
        Err(error) => {
            refused(match error.status {
                StatusCode::PAYLOAD_TOO_LARGE => Reason::TooLarge,
                _ => Reason::Body,
            });
            return refuse_body(error.status, error.rest).await;
        }
    };
    let webhook = to_webhook(&gateway, &request, body);
    let id = observe::event_id(&request).unwrap_or_else(|| gateway.store.new_event_id());
    match gateway.ingress.take(&channel, id, webhook).await {
        Answer::Adapter(response) => answer(response),
        Answer::Unavailable => unavailable(),
    }
}

/// Hands a file to whoever has the link that was made for a provider. A wrong link, one that is over
/// and a file that is gone are the same 404 as any other wrong path.
pub(super) async fn media(
    gateway: web::Data<Gateway>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    payload: web::Payload,
) -> HttpResponse {
    let store = &gateway.store;
    let Some((org, hash)) = gateway.links.open(&path.0, store.now()) else {
        return not_found(payload).await;
    };
    let Ok(Some(record)) = store.media(org, &hash) else {
        return not_found(payload).await;
    };
    match files::serve(store, &request, &hash, &record, "private, no-store") {
        Ok(answer) => answer,
        Err(error) => {
            error!(event = "media_unreadable", %error, "a media file that was linked to can't be read");
            not_found(payload).await
        }
    }
}

/// `/webhooks/{channel}/{token}`, `/webhooks/{channel}`, or an alias.
fn find(routes: &Routes, path: &str) -> Lookup {
    if let Lookup::Channel(channel) = routes.by_alias(path) {
        return Lookup::Channel(channel);
    }
    let Some(rest) = path.strip_prefix("/webhooks/") else {
        return Lookup::NotFound;
    };
    let (id, token) = match rest.split_once('/') {
        Some((id, token)) => (id, Some(token)),
        None => (rest, None),
    };
    routes.by_token(id, token)
}

fn refuse_method(channel: &Channel, method: &Method) -> Option<HttpResponse> {
    let get = channel
        .facts
        .as_ref()
        .is_some_and(|facts| facts.accepts_get);
    let allowed = *method == Method::POST || (get && *method == Method::GET);
    if allowed {
        return None;
    }
    let allow = if get { "GET, POST" } else { "POST" };
    Some(
        HttpResponse::MethodNotAllowed()
            .insert_header((header::ALLOW, allow))
            .finish(),
    )
}

/// The channel's own limit, else the adapter's, else the server's.
fn body_limit(gateway: &Gateway, channel: &Channel) -> usize {
    let adapter = channel
        .facts
        .as_ref()
        .and_then(|facts| facts.body_bytes_max);
    let own = channel.config().body_bytes_max.or(adapter);
    let limit = own.unwrap_or_else(|| gateway.settings.load().server.body_bytes_max);
    usize::try_from(limit).unwrap_or(usize::MAX)
}

/// The one answer for every path that leads nowhere: the same bytes whatever the method, the size
/// and the body.
pub(super) async fn not_found(payload: web::Payload) -> HttpResponse {
    refuse_body(StatusCode::NOT_FOUND, payload).await
}

/// Answers after reading what is left of the body, up to a bound: a connection that is closed on
/// unread bytes is reset, and the caller never sees the answer. The connection ends either way.
pub(super) async fn refuse_body(status: StatusCode, mut payload: web::Payload) -> HttpResponse {
    // Who was too slow once is not waited for again.
    if status != StatusCode::REQUEST_TIMEOUT {
        drain(&mut payload).await;
    }
    HttpResponse::build(status).force_close().finish()
}

/// Reads what is left of a body and throws it away, up to a bound.
pub(super) async fn drain(payload: &mut web::Payload) {
    let drain = async {
        let mut read = 0;
        while let Some(Ok(chunk)) = payload.next().await {
            read += chunk.len();
            if read > DRAIN_BYTES_MAX {
                break;
            }
        }
    };
    // Who is slower than this is not waited for.
    let _ = tokio::time::timeout(DRAIN_TIMEOUT, drain).await;
}

/// What the adapter sees: the URL as the provider called it, whatever proxy is in between.
fn to_webhook(gateway: &Gateway, request: &HttpRequest, body: Vec<u8>) -> WebhookRequest {
    let target = request
        .uri()
        .path_and_query()
        .map_or("/", |target| target.as_str());
    let headers = request
        .headers()
        .iter()
        .take(HEADERS_MAX)
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.as_str().to_owned(), value)
        })
        .collect();
    WebhookRequest {
        method: request.method().as_str().to_owned(),
        url: gateway.settings.load().server.public_url.join(target),
        headers,
        received_at_ms: gateway.store.wall(),
        body: body.into(),
    }
}

/// The adapter's answer; what is not HTTP in it is left out.
fn answer(response: Response) -> HttpResponse {
    let status = StatusCode::from_u16(response.status).unwrap_or(StatusCode::OK);
    let mut builder = HttpResponse::build(status);
    for (name, value) in &response.headers {
        builder.insert_header((name.as_str(), value.as_str()));
    }
    builder.body(response.body)
}

fn unavailable() -> HttpResponse {
    HttpResponse::ServiceUnavailable()
        .insert_header((header::RETRY_AFTER, RETRY_AFTER_S))
        .finish()
}
