//! Attachments of visitors: kept like every other file, and shown to the visitor by short-lived links.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde_json::json;

use super::{
    door::{self, Door},
    frame::Attached,
    refusal::Refusal,
};
use crate::{
    gateway::Gateway,
    media,
    model::OrgId,
    store::DraftError,
    web::upload::{self, Failed},
};

/// Where visitors' attachments are. Cheap to clone.
#[derive(Clone)]
pub(super) struct Files {
    gateway: Arc<Gateway>,
}

impl Files {
    pub(super) fn new(gateway: Arc<Gateway>) -> Self {
        Self { gateway }
    }

    /// A short-lived public address of a file of an organization.
    pub(super) fn link(&self, org: OrgId, sha256: &str) -> Option<String> {
        let hash = sha256.parse().ok()?;
        let record = self.gateway.store.media(org, &hash).ok()??;
        let now_ms = self.gateway.store.now();
        let name = record.name.as_deref();
        Some(self.gateway.links.url(org, &hash, name, now_ms))
    }

    /// Puts what is known of a file in place of what its visitor says of it. False where it is not here
    /// (any more).
    pub(super) fn complete(&self, org: OrgId, file: &mut Attached) -> bool {
        let hash = file.sha256.parse().ok();
        let record = hash.and_then(|hash| self.gateway.store.media(org, &hash).ok()?);
        let Some(record) = record else {
            return false;
        };
        file.name = file.name.as_deref().and_then(media::clean_name);
        file.content_type = Some(record.content_type);
        file.size = Some(record.size);
        true
    }
}

impl From<Failed> for Refusal {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Refused(media::Refusal::TooLarge(_)) => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "media_too_large",
                "the file is too large",
            ),
            Failed::Refused(media::Refusal::Type(_)) => Self::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "media_type_forbidden",
                "files of this kind are not taken",
            ),
            Failed::Refused(media::Refusal::Store(DraftError::Full { .. })) => Self::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "media_store_full",
                "there is no room for files",
            ),
            Failed::Refused(media::Refusal::Store(_)) => Self::unavailable(),
            Failed::Cut | Failed::Slow => Self::new(
                StatusCode::REQUEST_TIMEOUT,
                "timeout",
                "the file did not arrive; try again",
            ),
        }
    }
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
    let token = door::token_of(request, &entry.channel).ok_or_else(Refusal::token)?;
    let visitor = door.visitor(&entry, &token).await?;
    door.limits
        .frame(&entry.channel.id, &visitor, entry.address)?;
    let gateway = &door.gateway;
    let new = upload::receive(gateway, request, payload, None).await?;
    let (hash, size) = (new.hash.to_string(), new.size);
    let content_type = new.content_type.clone();
    let kept = gateway.store.put_media(entry.channel.org, new).await;
    kept.map_err(|_| Refusal::unavailable())?;
    let key = door.key().await?;
    Ok(HttpResponse::Ok().json(json!({
        "proof": key.vouch(&entry.channel.id, &visitor, &hash),
        "sha256": hash,
        "size": size,
        "content_type": content_type,
    })))
}
