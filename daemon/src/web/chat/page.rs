//! The page itself. With scripts it comes alive; without them it is a form that posts a message and
//! shows the conversation, and is reloaded to see answers.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web,
};
use askama::Template;
use jiff::Timestamp;
use serde_json::Value;

use super::{
    door::{self, Door, Entry},
    frame::{ClientFrame, TEXT_BYTES_MAX, Written},
    history,
    refusal::Refusal,
    stream,
    take::Guest,
    token::Visitor,
};
use crate::web::public;

/// Bytes of a posted form: text in percent-encoding takes three times its size.
const FORM_BYTES_MAX: usize = 3 * TEXT_BYTES_MAX + 4096;

#[derive(Template)]
#[template(path = "chat/page.html")]
struct Page<'a> {
    channel: &'a str,
    title: &'a str,
    greeting: &'a str,
    lines: &'a [Line],
    /// The id of the next message, so that a form sent twice is one message.
    client: &'a str,
    text: &'a str,
    notice: &'a str,
    text_max: usize,
}

/// A message as the page without scripts shows it.
struct Line {
    is_own: bool,
    text: String,
    files: Vec<File>,
    time: String,
    state: String,
}

struct File {
    url: String,
    name: String,
}

/// Shows the page.
pub(super) async fn show(
    door: web::Data<Door>,
    request: HttpRequest,
    payload: web::Payload,
) -> HttpResponse {
    let Ok(channel) = door.channel(&request) else {
        return public::webhook(web::Data::from(door.gateway.clone()), request, payload).await;
    };
    // A page is opened from anywhere; only what it does is asked where it comes from.
    let entry = Entry::new(&door.gateway, channel, &request);
    let visitor = known(&door, &request, &entry).await;
    render(&door, &entry, visitor.as_ref(), StatusCode::OK, "", "").await
}

/// Takes what the form posts, and shows the conversation with it.
pub(super) async fn write(
    door: web::Data<Door>,
    request: HttpRequest,
    payload: web::Payload,
) -> HttpResponse {
    if door.channel(&request).is_err() {
        return public::webhook(web::Data::from(door.gateway.clone()), request, payload).await;
    }
    let entry = match door.enter(&request) {
        Ok(entry) => entry,
        Err(refusal) => return refusal.answer(None),
    };
    let mut text = String::new();
    match take(&door, &entry, &request, payload, &mut text).await {
        // Seen by a reload, which then posts nothing again.
        Ok(token) => HttpResponse::SeeOther()
            .insert_header((
                header::SET_COOKIE,
                door::cookie(&door.gateway, &entry.channel, &token),
            ))
            .insert_header((header::LOCATION, entry.channel.id.as_str()))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .finish(),
        Err(refusal) => {
            let visitor = known(&door, &request, &entry).await;
            let (status, words) = (refusal.status, refusal.words);
            render(&door, &entry, visitor.as_ref(), status, words, &text).await
        }
    }
}

/// The visitor whose cookie the request carries, where it is good.
async fn known(door: &Door, request: &HttpRequest, entry: &Entry) -> Option<Visitor> {
    let token = door::from_cookie(request, &entry.channel)?;
    door.visitor(entry, &token).await.ok()
}

/// Takes a posted message; gives the token of who wrote it, a new one where they had none. `text` is
/// filled for showing it again where it is refused.
async fn take(
    door: &Door,
    entry: &Entry,
    request: &HttpRequest,
    payload: web::Payload,
    text: &mut String,
) -> Result<String, Refusal> {
    let body = stream::body(&door.gateway, request, payload, FORM_BYTES_MAX).await?;
    let mut written = Written::default();
    for (key, value) in form_urlencoded::parse(&body) {
        match key.as_ref() {
            "text" => *text = value.into_owned(),
            "client" => written.client = value.into_owned(),
            "name" => written.name = Some(value.into_owned()),
            "email" => written.email = Some(value.into_owned()),
            _ => {}
        }
    }
    // Browsers post line ends as CR LF, whatever was typed.
    written.text = Some(text.replace("\r\n", "\n"));
    written.check()?;
    let given = door::from_cookie(request, &entry.channel);
    let known = match &given {
        Some(token) => door.visitor(entry, token).await.ok(),
        None => None,
    };
    let (token, visitor) = match (given, known) {
        (Some(token), Some(visitor)) => (token, visitor),
        _ => door.welcome(entry).await?,
    };
    let guest = Guest {
        door,
        channel: &entry.channel,
        visitor: &visitor,
        address: entry.address,
    };
    guest.take(ClientFrame::Message(written)).await?;
    Ok(token)
}

async fn render(
    door: &Door,
    entry: &Entry,
    visitor: Option<&Visitor>,
    status: StatusCode,
    notice: &str,
    text: &str,
) -> HttpResponse {
    let lines = match visitor {
        Some(visitor) => lines(door, entry, visitor.clone()).await,
        None => Vec::new(),
    };
    let client = data_encoding::HEXLOWER.encode(&rand::random::<[u8; 16]>());
    let page = Page {
        channel: entry.channel.id.as_str(),
        title: &entry.face.title,
        greeting: &entry.face.greeting,
        lines: &lines,
        client: &client,
        text,
        notice,
        text_max: TEXT_BYTES_MAX,
    };
    let Ok(html) = page.render() else {
        return HttpResponse::InternalServerError().finish();
    };
    let public_url = &door.gateway.settings.load().server.public_url;
    HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        .insert_header((
            header::CONTENT_SECURITY_POLICY,
            entry.face.policy(public_url),
        ))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(html)
}

async fn lines(door: &Door, entry: &Entry, visitor: Visitor) -> Vec<Line> {
    let (store, files) = (door.gateway.store.clone(), door.files.clone());
    let channel = entry.channel.clone();
    let read = web::block(move || {
        let link = |sha256: &str| files.link(channel.org, sha256);
        history::missed(&store, &channel, &visitor, None, link)
    });
    let frames = read.await.ok().and_then(Result::ok).unwrap_or_default();
    frames.iter().map(Line::of).collect()
}

impl Line {
    fn of(frame: &Value) -> Self {
        let text = |key: &str| frame[key].as_str().unwrap_or_default().to_owned();
        let files = frame["media"].as_array().into_iter().flatten();
        Self {
            is_own: frame["direction"] == "in",
            text: text("text"),
            files: files.map(File::of).collect(),
            time: time(frame["at"].as_i64().unwrap_or_default()),
            state: text("state"),
        }
    }
}

impl File {
    fn of(media: &Value) -> Self {
        let url = media["url"].as_str().unwrap_or_default();
        let is_web = url.starts_with("https://") || url.starts_with("http://");
        let name = media["name"].as_str().filter(|name| !name.is_empty());
        Self {
            url: if is_web { url } else { "" }.to_owned(),
            name: name.unwrap_or("attachment").to_owned(),
        }
    }
}

/// `2026-01-01 08:30 UTC`: without scripts nobody knows the visitor's zone.
fn time(at_ms: i64) -> String {
    let at = Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::UNIX_EPOCH);
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}
