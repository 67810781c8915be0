//! Files: uploaded to be sent, and downloaded.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde::Deserialize;

use super::{channels, shapes};
use crate::{
    gateway::Gateway,
    media::Refusal,
    model::{MediaHash, OrgId, Role},
    store::DraftError,
    web::{
        auth::Caller,
        files,
        problem::Problem,
        upload::{self, Failed},
    },
};

/// Files are named by their bytes, so what was read once stays right.
const CACHE: &str = "private, max-age=31536000, immutable";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UploadQuery {
    /// File name.
    name: Option<String>,
    /// Whose file it is, where the token is not that of one organization.
    organization: Option<String>,
    /// The same, by one of its channels.
    channel: Option<String>,
}

pub(super) async fn upload(
    gateway: web::Data<Gateway>,
    caller: Caller,
    request: HttpRequest,
    query: web::Query<UploadQuery>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    caller.must_be(Role::Admin)?;
    let org = organization(&gateway, &caller, &query)?;
    let named = request.headers().get("x-file-name");
    let named = named.and_then(|name| name.to_str().ok());
    let name = query.name.as_deref().or(named);
    let new = upload::receive(&gateway, &request, payload, name).await?;
    let hash = new.hash;
    let record = gateway.store.put_media(org, new).await?;
    Ok(HttpResponse::Created().json(shapes::media_file(&hash, &record)))
}

/// Whose file an upload becomes: the caller's, that of the channel, the one named, or the only one.
fn organization(gateway: &Gateway, caller: &Caller, query: &UploadQuery) -> Result<OrgId, Problem> {
    if let Some(channel) = &query.channel {
        return Ok(channels::find(gateway, caller, channel)?.org);
    }
    let mut known = gateway.store.organizations();
    known.retain(|(slug, _)| caller.sees(slug));
    if let Some(asked) = &query.organization {
        known.retain(|(slug, _)| slug == asked);
    }
    match known.as_slice() {
        [(_, org)] => Ok(*org),
        [] => Err(Problem::not_found("organization")),
        _ => Err(Problem::invalid(
            "say whose file it is: add ?organization= or ?channel=",
        )),
    }
}

impl From<Failed> for Problem {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Refused(refusal) => refusal.into(),
            Failed::Cut => Self::invalid("the file was cut off"),
            Failed::Slow => {
                let detail = "the file did not come within [media] timeout";
                Self::new(StatusCode::REQUEST_TIMEOUT, "timeout", detail)
            }
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let status = match &refusal {
            Refusal::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::Type(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Refusal::Store(DraftError::Full { .. }) => StatusCode::INSUFFICIENT_STORAGE,
            Refusal::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, refusal.code(), refusal.to_string())
    }
}

pub(super) async fn download(
    gateway: web::Data<Gateway>,
    caller: Caller,
    request: HttpRequest,
    name: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let hash: MediaHash = name.parse().map_err(|_| Problem::not_found("file"))?;
    for org in caller.organizations(&gateway) {
        if let Some(record) = gateway.store.media(org, &hash)? {
            let served = files::serve(&gateway.store, &request, &hash, &record, CACHE);
            return served.map_err(|error| {
                tracing::error!(event = "media_unreadable", %error, "a media file can't be read");
                let detail = "the file can't be read: see the log";
                Problem::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "media_unreadable",
                    detail,
                )
            });
        }
    }
    Err(Problem::not_found("file"))
}
