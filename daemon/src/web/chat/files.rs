//! Attachments of visitors. Where they are kept is not the chat's business: the door is given a place
//! for them, or has none, and then neither the button nor the route is there.

use std::{future::Future, io, pin::Pin};

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use serde_json::json;

use super::{
    door::{self, Door},
    refusal::Refusal,
};
use crate::channel::Channel;

/// A file that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    /// SHA-256 of its bytes, lower-case hex.
    pub(crate) sha256: String,
    /// Bytes.
    pub(crate) size: u64,
    /// MIME type, as the place for files has found it.
    pub(crate) content_type: String,
}

/// What [`Files::keep`] gives.
pub(crate) type Keeping<'a> = Pin<Box<dyn Future<Output = io::Result<Kept>> + 'a>>;

/// A place for visitors' attachments. The bytes are streamed, never whole in memory.
pub(crate) trait Files: Send + Sync {
    /// Keeps a file that a visitor of a channel uploads; durable before it returns. The error's kind
    /// says why not: `FileTooLarge`, `Unsupported` for its type, any other for a place that fails now.
    fn keep<'a>(
        &'a self,
        channel: &'a Channel,
        visitor: &'a str,
        content_type: &'a str,
        bytes: web::Payload,
    ) -> Keeping<'a>;

    /// A short-lived public address of a file.
    fn link(&self, channel: &Channel, sha256: &str) -> Option<String>;
}

/// Takes an attachment; the message that names it comes after.
pub(super) async fn upload(
    door: web::Data<Door>,
    request: HttpRequest,
    payload: web::Payload,
) -> HttpResponse {
    let kept = take(&door, &request, payload).await;
    kept.unwrap_or_else(|refusal| refusal.answer(None))
}

async fn take(
    door: &Door,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Refusal> {
    let entry = door.enter(request)?;
    let files = door.files.as_ref().ok_or_else(Refusal::not_found)?;
    let token = door::token_of(request, &entry.channel).ok_or_else(Refusal::token)?;
    let visitor = door.visitor(&entry, &token).await?;
    door.limits
        .frame(&entry.channel.id, &visitor, entry.address)?;
    let content_type = request.headers().get(header::CONTENT_TYPE);
    let content_type = content_type
        .and_then(|value| value.to_str().ok())
        .unwrap_or("application/octet-stream");
    let kept = files
        .keep(&entry.channel, visitor.as_str(), content_type, payload)
        .await
        .map_err(|error| match error.kind() {
            io::ErrorKind::FileTooLarge => Refusal::invalid("the file is too large"),
            io::ErrorKind::Unsupported => Refusal::invalid("files of this kind are not taken"),
            _ => Refusal::unavailable(),
        })?;
    let key = door.key().await?;
    Ok(HttpResponse::Ok().json(json!({
        "proof": key.vouch(&entry.channel.id, &visitor, &kept.sha256),
        "sha256": kept.sha256,
        "size": kept.size,
        "content_type": kept.content_type,
    })))
}
