//! Fetches an attachment of an inbound message into a file of the daemon.

use serde_json::Value;
use trunkline_plugin_api::{
    AdapterError, ErrorClass, HttpRequest, Media, MediaRef, ReplyTo, Step, Turn,
};
use url::Url;

use crate::{config::Settings, errors};

/// Twilio redirects to where the bytes are.
const REDIRECTS_MAX: u8 = 3;

/// Fetches the bytes behind a `MediaUrl`. Only Twilio's own hosts get the credentials.
pub(crate) fn fetch(settings: &Settings, media: &MediaRef, turn: &Turn) -> Step<Media> {
    let outcome = match &turn.reply {
        None => return request(settings, media),
        Some(reply) => reply
            .http()
            .map_err(errors::for_reading)
            .and_then(|answer| match answer.status {
                200 => Media::fetched(answer),
                404 | 410 => Err(gone("Twilio no longer holds the attachment")),
                _ => Err(errors::for_reading(errors::of_answer(answer, turn.now_ms))),
            }),
    };
    outcome.map_or_else(Step::fail, Step::done)
}

fn request(settings: &Settings, media: &MediaRef) -> Step<Media> {
    let url = media.url.as_deref().and_then(|url| Url::parse(url).ok());
    let Some(url) = url.filter(|url| matches!(url.scheme(), "http" | "https")) else {
        return Step::fail(gone("the attachment has no http(s) URL"));
    };
    let mut request = HttpRequest::new("GET", url.as_str());
    if let Some(api) = settings.api.as_ref().filter(|api| api.owns(&url)) {
        request = api.authorize(request);
    }
    request.reply_to = ReplyTo::File;
    request.redirects_max = REDIRECTS_MAX;
    Step::call(request, Value::from("fetch"))
}

fn gone(words: &str) -> AdapterError {
    AdapterError::new(ErrorClass::Content, "media_unavailable", words)
}
