//! Fetches an attachment of an inbound message into a file of the daemon.

use serde_json::Value;
use trunkline_plugin_api::{
    AdapterError, ErrorClass, HttpRequest, Media, MediaRef, ReplyTo, Step, Turn,
};
use url::Url;

use crate::{config::Settings, errors};

/// Redirects that are followed.
const REDIRECTS_MAX: u8 = 3;

/// Fetches the bytes behind an attachment's URL. Only Vonage's own hosts get the credentials.
pub(crate) fn fetch(settings: &Settings, media: &MediaRef, turn: &Turn) -> Step<Media> {
    let Some(reply) = &turn.reply else {
        return request(settings, media, turn);
    };
    let outcome = reply
        .http()
        .map_err(errors::for_reading)
        .and_then(|answer| match answer.status {
            200 => Media::fetched(answer),
            404 | 410 => Err(gone("Vonage no longer holds the attachment")),
            _ => Err(errors::for_reading(errors::of_answer(answer, turn.now_ms))),
        });
    outcome.map_or_else(Step::fail, Step::done)
}

fn request(settings: &Settings, media: &MediaRef, turn: &Turn) -> Step<Media> {
    let url = media.url.as_deref().and_then(|url| Url::parse(url).ok());
    let Some(url) = url.filter(|url| matches!(url.scheme(), "http" | "https")) else {
        return Step::fail(gone("the attachment has no http(s) URL"));
    };
    let mut request = HttpRequest::new("GET", url.as_str());
    let authorization = settings.api.authorization(turn);
    if let Some(authorization) = authorization.filter(|_| settings.api.owns(&url)) {
        request = request.sensitive_header("authorization", authorization);
    }
    request.reply_to = ReplyTo::File;
    request.redirects_max = REDIRECTS_MAX;
    Step::call(request, Value::from("fetch"))
}

fn gone(words: &str) -> AdapterError {
    AdapterError::new(ErrorClass::Content, "media_unavailable", words)
}
