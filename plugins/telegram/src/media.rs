//! Fetches an attachment into a file of the daemon (Bot API, getFile): its path is asked for, then the bytes.
//! Telegram gives bots files of up to 20 MB.

use serde::{Deserialize, Serialize};
use serde_json::json;
use trunkline_plugin_api::{
    AdapterError, ErrorClass, HttpReply, Media, MediaRef, ReplyTo, Step, Turn,
};

use crate::{
    api::{self, Api},
    config::Settings,
    errors, fields,
};

/// What was asked for. The path is in no cursor: a link with it needs the token.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Asked {
    Path,
    Bytes,
}

/// One step of a fetch. After a restart it begins anew: reading twice harms nobody.
pub(crate) fn fetch(
    settings: &Settings,
    media: &MediaRef,
    turn: &Turn,
) -> Result<Step<Media>, AdapterError> {
    let api = settings.api()?;
    let asked = serde_json::from_value(turn.cursor.clone()).unwrap_or(Asked::Path);
    match &turn.reply {
        None => {
            let id = media.provider_id.as_deref();
            let id = id.ok_or_else(|| gone("the attachment has no file_id of Telegram's"))?;
            let call = api.call("getFile", &json!({"file_id": id}));
            Ok(Step::call(call, json!(Asked::Path)))
        }
        Some(reply) if asked == Asked::Path => {
            let found = api::result(reply, turn.now_ms).map_err(errors::for_reading)?;
            download(api, fields::text(&found, "file_path"))
        }
        Some(reply) => {
            let answer = reply.http().map_err(errors::for_reading)?;
            arrived(answer, turn).map(Step::done)
        }
    }
}

fn download(api: &Api, path: Option<&str>) -> Result<Step<Media>, AdapterError> {
    let path = path.ok_or_else(|| gone("Telegram names no path of the attachment"))?;
    let mut request = api.file(path).ok_or_else(|| {
        gone("Telegram names a path on its own disk: a Bot API server run with --local is not supported")
    })?;
    request.reply_to = ReplyTo::File;
    Ok(Step::call(request, json!(Asked::Bytes)))
}

/// Telegram calls every file a stream of octets: the type that the message told is better.
fn arrived(answer: &HttpReply, turn: &Turn) -> Result<Media, AdapterError> {
    match answer.status {
        200 => Media::fetched(answer).map(|media| Media {
            content_type: media
                .content_type
                .filter(|kind| kind != "application/octet-stream"),
            ..media
        }),
        404 | 410 => Err(gone("Telegram no longer holds the attachment")),
        _ => Err(errors::for_reading(errors::of_answer(answer, turn.now_ms))),
    }
}

fn gone(words: &str) -> AdapterError {
    AdapterError::new(ErrorClass::Content, "media_unavailable", words)
}
