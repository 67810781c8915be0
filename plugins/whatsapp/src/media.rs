//! Fetches an attachment of an inbound message into a file of the daemon (Meta: Retrieve and download media).
//!
//! ```text
//! id ──> GET {id} ──> a URL that lives five minutes ──> GET it with the token ──> file
//!          ^                                             └─ 404: it has ended ─┐
//!          └──────────────────────────── once more ────────────────────────────┘
//! ```

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use trunkline_plugin_api::{
    AdapterError, ErrorClass, HttpReply, HttpRequest, Media, MediaRef, ReplyTo, Step, Turn,
};
use url::Url;

use crate::{
    config::Settings,
    errors, fields,
    graph::{self, Api},
};

/// How often the URL of one attachment is asked for.
const ASKS_MAX: u8 = 2;

/// Where a fetch is. The URL is in no cursor: it holds a credential, and ends soon.
#[derive(Default, Serialize, Deserialize)]
struct Fetch {
    /// True where the bytes were asked for.
    bytes: bool,
    /// How often the URL was asked for.
    asked: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
}

/// Fetches the bytes behind a media id.
pub(crate) fn fetch(settings: &Settings, media: &MediaRef, turn: &Turn) -> Step<Media> {
    step(settings, media, turn)
        .unwrap_or_else(|error| Step::fail(errors::name_token(error, settings)))
}

fn step(settings: &Settings, media: &MediaRef, turn: &Turn) -> Result<Step<Media>, AdapterError> {
    let api = settings.api()?;
    let state: Fetch = serde_json::from_value(turn.cursor.clone()).unwrap_or_default();
    match &turn.reply {
        None => begin(settings, api, media, 0),
        Some(reply) if state.bytes => {
            let answer = reply.http().map_err(errors::for_reading)?;
            let ended = answer.status == 404 && media.provider_id.is_some();
            if ended && state.asked < ASKS_MAX {
                return begin(settings, api, media, state.asked);
            }
            arrived(answer, state, turn).map(Step::done)
        }
        Some(reply) => {
            let found = graph::read(reply, turn.now_ms).map_err(unavailable)?;
            download(api, &found, state.asked)
        }
    }
}

fn begin(
    settings: &Settings,
    api: &Api,
    media: &MediaRef,
    asked: u8,
) -> Result<Step<Media>, AdapterError> {
    let state = Fetch {
        asked: asked + 1,
        ..Fetch::default()
    };
    if let Some(id) = &media.provider_id {
        let number = settings.phone_number_id.as_deref();
        let query: Vec<(&str, &str)> = number
            .map(|id| ("phone_number_id", id))
            .into_iter()
            .collect();
        return Ok(Step::call(api.get(&[id], &query), json!(state)));
    }
    let url = media.url.as_deref().unwrap_or_default();
    bytes(
        api,
        url,
        &Fetch {
            bytes: true,
            ..state
        },
    )
}

fn download(api: &Api, found: &Value, asked: u8) -> Result<Step<Media>, AdapterError> {
    let url =
        fields::text(found, "url").ok_or_else(|| gone("Meta names no URL of the attachment"))?;
    let content_type = fields::text(found, "mime_type").map(String::from);
    bytes(
        api,
        url,
        &Fetch {
            bytes: true,
            asked,
            content_type,
        },
    )
}

fn bytes(api: &Api, url: &str, state: &Fetch) -> Result<Step<Media>, AdapterError> {
    let url = Url::parse(url).ok().filter(|url| api.owns(url));
    let url = url.ok_or_else(|| gone("the attachment's URL is not at Meta"))?;
    let mut request = api.authorize(HttpRequest::new("GET", url.as_str()));
    request.reply_to = ReplyTo::File;
    Ok(Step::call(request, json!(state)))
}

fn arrived(answer: &HttpReply, state: Fetch, turn: &Turn) -> Result<Media, AdapterError> {
    match answer.status {
        200 => Media::fetched(answer).map(|media| Media {
            content_type: state.content_type.or(media.content_type),
            ..media
        }),
        404 | 410 => Err(gone("Meta no longer holds the attachment")),
        _ => Err(errors::for_reading(errors::of_answer(answer, turn.now_ms))),
    }
}

/// Ids of attachments end after seven days: then the call is refused as one with a wrong parameter.
fn unavailable(error: AdapterError) -> AdapterError {
    match error.class {
        ErrorClass::Content | ErrorClass::Config => AdapterError {
            class: ErrorClass::Content,
            code: "media_unavailable".into(),
            message: "Meta does not hold the attachment, or no longer".into(),
            ..error
        },
        _ => error,
    }
}

fn gone(words: &str) -> AdapterError {
    AdapterError::new(ErrorClass::Content, "media_unavailable", words)
}
