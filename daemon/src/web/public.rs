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

use super::{files, observe};
use crate::{
    channel::{Channel, Lookup, Routes},
    gateway::Gateway,
    inbound::Answer,
    metrics::Reason,
};

/// Time for a body once its head is there.
pub(super) const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of a refused body that are read to be thrown away.
const DRAIN_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Time for that.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);
/// After this many seconds a provider may come back.
const RETRY_AFTER_S: &str = "2";
/// Bytes of a body of unknown length that are read before it is taken for a large one.
const KNOWN_BYTES_MAX: usize = 256 * 1024;
/// Bytes of a request's target and headers.
const HEAD_BYTES_MAX: usize = 48 * 1024;
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
    if head_bytes(&request) > HEAD_BYTES_MAX {
        refused(Reason::Headers);
        return refuse_body(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, payload).await;
    }
    let limit = body_limit(&gateway, &channel);
    let body = match tokio::time::timeout(BODY_TIMEOUT, read(&request, payload, limit)).await {
        Ok(Ok(body)) => body,
        Ok(Err((status, rest))) => {
            refused(match status {
                StatusCode::PAYLOAD_TOO_LARGE => Reason::TooLarge,
                _ => Reason::Body,
            });
            return refuse_body(status, rest).await;
        }
        Err(_) => {
            refused(Reason::Body);
            return HttpResponse::new(StatusCode::REQUEST_TIMEOUT);
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

/// Bytes of the target and the headers: all of them are kept with a genuine request.
fn head_bytes(request: &HttpRequest) -> usize {
    let headers = request.headers().iter();
    let headers: usize = headers
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    let target = request.uri().path_and_query();
    headers + target.map_or(0, |target| target.as_str().len())
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

/// Reads the body up to the limit; 413 beyond it, before it is read where its length is announced.
pub(super) async fn read(
    request: &HttpRequest,
    mut payload: web::Payload,
    limit: usize,
) -> Result<Vec<u8>, (StatusCode, web::Payload)> {
    let announced = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<u64>().ok());
    if announced.is_some_and(|len| len > limit as u64) {
        return Err((StatusCode::PAYLOAD_TOO_LARGE, payload));
    }
    let expected = announced
        .and_then(|len| usize::try_from(len).ok())
        .unwrap_or(0);
    let mut body = Vec::with_capacity(expected);
    while let Some(chunk) = payload.next().await {
        let Ok(chunk) = chunk else {
            return Err((StatusCode::BAD_REQUEST, payload));
        };
        if body.len() + chunk.len() > limit {
            return Err((StatusCode::PAYLOAD_TOO_LARGE, payload));
        }
        if announced.is_none() && body.len() > KNOWN_BYTES_MAX && body.capacity() < limit {
            // Once, up to what is allowed: memory that is not written to costs nothing, while a
            // vector that grows by doubling is there twice when it moves.
            body.reserve_exact(limit - body.len());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The one answer for every path that leads nowhere: the same bytes whatever the method, the size
/// and the body.
pub(super) async fn not_found(payload: web::Payload) -> HttpResponse {
    refuse_body(StatusCode::NOT_FOUND, payload).await
}

/// Answers after reading what is left of the body, up to a bound: a connection that is closed on
/// unread bytes is reset, and the caller never sees the answer. The connection ends either way.
async fn refuse_body(status: StatusCode, mut payload: web::Payload) -> HttpResponse {
    drain(&mut payload).await;
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
        received_at_ms: gateway.store.now(),
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
