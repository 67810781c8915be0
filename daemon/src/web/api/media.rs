//! Files: uploaded to be sent, and downloaded.

use std::time::Duration;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web,
};
use futures_util::StreamExt as _;
use serde::Deserialize;

use super::{channels, shapes};
use crate::{
    gateway::Gateway,
    media::Refusal,
    model::{MediaHash, OrgId, Role},
    store::{DraftError, Written},
    web::{auth::Caller, files, problem::Problem, public},
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
    let text = |name: &str| request.headers().get(name)?.to_str().ok();
    let time = gateway.settings.load().media.timeout;
    let written = receive(&gateway, &request, payload, time).await?;
    let name = query.name.as_deref().or_else(|| text("x-file-name"));
    let declared = text(header::CONTENT_TYPE.as_str());
    let new = gateway.keeper.keep(written, declared, name).await?;
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

/// Streams the body into a file.
async fn receive(
    gateway: &Gateway,
    request: &HttpRequest,
    mut payload: web::Payload,
    time: Duration,
) -> Result<Written, Problem> {
    let max = gateway.keeper.bytes_max();
    let announced = request.headers().get(header::CONTENT_LENGTH);
    let announced = announced.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let taken = if announced.is_some_and(|len| len > max) {
        Err(Refusal::TooLarge(max).into())
    } else {
        let taken = tokio::time::timeout(time, take(gateway, &mut payload, max)).await;
        taken.unwrap_or_else(|_| {
            let detail = "the file did not come within [media] timeout";
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "timeout", detail))
        })
    };
    if taken.is_err() {
        public::drain(&mut payload).await;
    }
    taken
}

async fn take(gateway: &Gateway, payload: &mut web::Payload, max: u64) -> Result<Written, Problem> {
    let files = gateway.store.media_files();
    let mut file = files.writer(max).await.map_err(Refusal::from)?;
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Problem::invalid("the file was cut off"))?;
        file.write(&chunk).await.map_err(Refusal::from)?;
    }
    Ok(file.finish().await.map_err(Refusal::from)?)
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
                tracing::error!(%error, "a media file can't be read");
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
