//! Plain HTTP: a token for a visitor, and the conversation where no WebSocket passes; server-sent
//! events one way, one POST for each frame the other way.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use futures_util::stream;
use serde::Deserialize;
use serde_json::json;

use super::{
    door::{self, Door, Entry},
    feed::Feed,
    frame::{ClientFrame, FRAME_BYTES_MAX},
    refusal::Refusal,
    take::Guest,
    token::Visitor,
};
use crate::{gateway::Gateway, web::wire};

/// Bytes of what asks for a token.
const SESSION_BYTES_MAX: usize = 1024;

#[derive(Debug, Default, Deserialize)]
struct SessionRequest {
    /// The token that the page kept.
    #[serde(default)]
    token: Option<String>,
}

/// Where a page goes on.
#[derive(Debug, Deserialize)]
pub(super) struct Resume {
    /// The id of the last message that it has.
    #[serde(default)]
    after: Option<String>,
}

/// Gives the visitor a token: the one that they have, where it is good, else a new one. A wrong one is
/// refused; the page forgets it and asks again.
pub(super) async fn session(
    door: web::Data<Door>,
    request: HttpRequest,
    payload: web::Payload,
) -> HttpResponse {
    let given = give_token(&door, &request, payload).await;
    given.unwrap_or_else(|refusal| refusal.answer(None))
}

async fn give_token(
    door: &Door,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Refusal> {
    let entry = door.enter(request)?;
    let body = body(&door.gateway, request, payload, SESSION_BYTES_MAX).await?;
    let asked: SessionRequest = if body.is_empty() {
        SessionRequest::default()
    } else {
        serde_json::from_slice(&body)
            .map_err(|_| Refusal::invalid("the body is not {\"token\": ...}"))?
    };
    let (token, is_new) = match asked.token {
        Some(token) => {
            door.visitor(&entry, &token).await?;
            (token, false)
        }
        None => known_or_new(door, request, &entry).await?,
    };
    let cookie = door::cookie(&door.gateway, &entry.channel, &token);
    Ok(HttpResponse::Ok()
        .insert_header((header::SET_COOKIE, cookie))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(json!({"token": token, "new": is_new})))
}

/// The token of the cookie where it is good, else a new one. Says whether it is new.
async fn known_or_new(
    door: &Door,
    request: &HttpRequest,
    entry: &Entry,
) -> Result<(String, bool), Refusal> {
    if let Some(token) = door::from_cookie(request, &entry.channel)
        && door.visitor(entry, &token).await.is_ok()
    {
        return Ok((token, false));
    }
    let (token, _) = door.welcome(entry).await?;
    Ok((token, true))
}

/// The visitor that a request carries the token of.
async fn proved(door: &Door, request: &HttpRequest, entry: &Entry) -> Result<Visitor, Refusal> {
    let token = door::token_of(request, &entry.channel).ok_or_else(Refusal::token)?;
    door.visitor(entry, &token).await
}

/// The frames for a page, as server-sent events.
pub(super) async fn events(
    door: web::Data<Door>,
    request: HttpRequest,
    resume: Option<web::Query<Resume>>,
) -> HttpResponse {
    let door = door.into_inner();
    let after = resume.and_then(|resume| resume.into_inner().after);
    match feed(&door, &request, after.as_deref()).await {
        Ok(feed) => HttpResponse::Ok()
            .content_type("text/event-stream")
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .insert_header(("x-accel-buffering", "no"))
            .streaming(lines(feed)),
        Err(refusal) => refusal.answer(None),
    }
}

async fn feed(
    door: &Arc<Door>,
    request: &HttpRequest,
    after: Option<&str>,
) -> Result<Feed, Refusal> {
    let entry = door.enter(request)?;
    let visitor = proved(door, request, &entry).await?;
    Feed::open(door, &entry, &visitor, after).await
}

/// A frame is JSON on one line, so it is one `data` line. Where the page does not read, nothing more is
/// asked of the feed, its queue fills, and it ends.
fn lines(feed: Feed) -> impl stream::Stream<Item = Result<web::Bytes, actix_web::Error>> {
    stream::unfold(feed, |mut feed| async move {
        let frame = feed.next().await?;
        let line = web::Bytes::from(format!("data: {frame}\n\n"));
        Some((Ok(line), feed))
    })
}

/// Takes one frame.
pub(super) async fn message(
    door: web::Data<Door>,
    request: HttpRequest,
    payload: web::Payload,
) -> HttpResponse {
    let mut client = None;
    match take(&door, &request, payload, &mut client).await {
        Ok(answer) => answer,
        Err(refusal) => refusal.answer(client.as_deref()),
    }
}

async fn take(
    door: &Door,
    request: &HttpRequest,
    payload: web::Payload,
    client: &mut Option<String>,
) -> Result<HttpResponse, Refusal> {
    let entry = door.enter(request)?;
    let visitor = proved(door, request, &entry).await?;
    let body = body(&door.gateway, request, payload, FRAME_BYTES_MAX).await?;
    let frame = ClientFrame::parse(&body)?;
    if let ClientFrame::Message(written) = &frame {
        *client = Some(written.client.clone());
    }
    let guest = Guest {
        door,
        channel: &entry.channel,
        visitor: &visitor,
        address: entry.address,
    };
    let answer = guest.take(frame).await?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(answer.unwrap_or_else(|| json!({"type": "ok"}))))
}

/// The body, bounded in size and time.
pub(super) async fn body(
    gateway: &Gateway,
    request: &HttpRequest,
    payload: web::Payload,
    limit: usize,
) -> Result<Vec<u8>, Refusal> {
    wire::read(gateway, request, payload, limit)
        .await
        .map_err(|refused| {
            let words = "the body is too large, ended early, or did not come in time";
            Refusal::new(refused.status, "body", words)
        })
}
