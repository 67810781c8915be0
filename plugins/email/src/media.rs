//! Fetches an attachment of a mail that Resend holds, or the raw mail itself, into a file of the daemon.
//!
//! ```text
//! GET /emails/receiving/{mail}[/attachments/{id}] ──> download_url (signed, no credentials) ──> file
//! ```

use serde_json::Value;
use trunkline_plugin_api::{
    AdapterError, ErrorClass, HttpReply, HttpRequest, Media, MediaRef, ReplyTo, Step, Turn,
};
use url::Url;

use crate::{
    config::{Resend, Settings},
    errors,
    resend_mail::is_id,
};

const ABOUT: &str = "about";
const FILE: &str = "file";
/// The file store may lead on to where the bytes are.
const REDIRECTS_MAX: u8 = 3;

/// Fetches the bytes behind a `provider_id`.
pub(crate) fn fetch(settings: &Settings, media: &MediaRef, turn: &Turn) -> Step<Media> {
    let Some(api) = settings.resend() else {
        return Step::fail(errors::no_credentials());
    };
    // After a restart the address may have expired: begin anew.
    let Some(reply) = &turn.reply else {
        return about(api, media);
    };
    let answer = match reply.http() {
        Ok(answer) => answer,
        Err(error) => return Step::fail(errors::for_reading(error)),
    };
    match (answer.status, turn.cursor.as_str()) {
        (200, Some(FILE)) => Media::fetched(answer).map_or_else(Step::fail, Step::done),
        (200, _) => download(answer)
            .map_or_else(Step::fail, |request| Step::call(request, Value::from(FILE))),
        (404 | 410, _) => Step::fail(gone("Resend no longer holds the attachment")),
        (403, Some(FILE)) => Step::fail(AdapterError::new(
            ErrorClass::Transient,
            "link_expired",
            "the attachment's address has expired",
        )),
        _ => Step::fail(errors::for_reading(errors::of_resend(answer, turn.now_ms))),
    }
}

fn about(api: &Resend, media: &MediaRef) -> Step<Media> {
    let ids = media
        .provider_id
        .as_deref()
        .and_then(|id| id.split_once('/'));
    let Some((mail, attachment)) = ids.filter(|(mail, id)| is_id(mail) && is_id(id)) else {
        return Step::fail(gone("this is no attachment at Resend"));
    };
    let mut path = vec!["emails", "receiving", mail];
    if attachment != "raw" {
        path.extend(["attachments", attachment]);
    }
    let mut request = api.request("GET", &path);
    if attachment == "raw" {
        request.url.push_str("?html_format=cid");
    }
    Step::call(request, Value::from(ABOUT))
}

/// The call for the bytes. The address carries its own proof, so no credentials go there.
fn download(answer: &HttpReply) -> Result<HttpRequest, AdapterError> {
    let about: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let url = [&about["raw"]["download_url"], &about["download_url"]]
        .into_iter()
        .find_map(|url| Url::parse(url.as_str()?).ok());
    let url = url.filter(|url| matches!(url.scheme(), "http" | "https"));
    let url = url.ok_or_else(|| gone("Resend's answer names no address to fetch from"))?;
    let mut request = HttpRequest::new("GET", url);
    request.reply_to = ReplyTo::File;
    request.redirects_max = REDIRECTS_MAX;
    Ok(request)
}

fn gone(words: &str) -> AdapterError {
    AdapterError::new(ErrorClass::Content, "media_unavailable", words)
}
