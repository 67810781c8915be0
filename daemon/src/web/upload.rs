//! Taking a file: streamed to the disk while it is hashed, never whole in memory.

use std::time::Duration;

use actix_web::{HttpRequest, http::header, web};
use futures_util::StreamExt as _;

use super::public;
use crate::{
    gateway::Gateway,
    media::Refusal,
    store::{NewMedia, Written},
};

/// Why a file was not taken.
pub(super) enum Failed {
    /// It may not be kept.
    Refused(Refusal),
    /// The connection ended before it did.
    Cut,
    /// It did not come within `[media] timeout`.
    Slow,
}

impl<E: Into<Refusal>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::Refused(error.into())
    }
}

/// Takes the body of a request as a file and keeps it under its hash; no organization knows it yet.
pub(super) async fn receive(
    gateway: &Gateway,
    request: &HttpRequest,
    mut payload: web::Payload,
    name: Option<&str>,
) -> Result<NewMedia, Failed> {
    let time = gateway.settings.load().media.timeout;
    let written = match written(gateway, request, &mut payload, time).await {
        Ok(written) => written,
        Err(failed) => {
            public::drain(&mut payload).await;
            return Err(failed);
        }
    };
    let declared = request.headers().get(header::CONTENT_TYPE);
    let declared = declared.and_then(|value| value.to_str().ok());
    Ok(gateway.keeper.keep(written, declared, name).await?)
}

async fn written(
    gateway: &Gateway,
    request: &HttpRequest,
    payload: &mut web::Payload,
    time: Duration,
) -> Result<Written, Failed> {
    gateway.keeper.admit()?;
    let max = gateway.keeper.bytes_max();
    let announced = request.headers().get(header::CONTENT_LENGTH);
    let announced = announced.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|len| len > max) {
        return Err(Refusal::TooLarge(max).into());
    }
    let taken = tokio::time::timeout(time, take(gateway, payload, max)).await;
    taken.unwrap_or(Err(Failed::Slow))
}

async fn take(gateway: &Gateway, payload: &mut web::Payload, max: u64) -> Result<Written, Failed> {
    let files = gateway.store.media_files();
    let mut file = files.writer(max).await?;
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Failed::Cut)?;
        file.write(&chunk).await?;
    }
    Ok(file.finish().await?)
}
