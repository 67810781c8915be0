//! Fetching messages that no webhook brought.

use std::time::Duration;

use actix_web::{HttpResponse, web};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::{channels, shapes};
use crate::{
    gateway::Gateway,
    inbound::Patience,
    model::Role,
    web::{auth::Caller, problem::Problem},
};

/// Somebody waits for the answer: what takes longer is gone on with by the next call.
const PATIENCE: Patience = Patience {
    time_max: Duration::from_secs(60),
    attempts_max: 3,
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Request {
    /// Since when.
    since: Timestamp,
}

/// Asks the provider what came in since a time and stores what is not here; answers with counts.
pub(super) async fn fill(
    gateway: web::Data<Gateway>,
    caller: Caller,
    id: web::Path<String>,
    request: web::Json<Request>,
) -> Result<HttpResponse, Problem> {
    caller.must_be(Role::Admin)?;
    let channel = channels::find(&gateway, &caller, &id)?;
    let since_ms = request.since.as_millisecond();
    tracing::info!(event = "api_backfill", by = %caller.name, channel = %id, since_ms, "back-fill asked for");
    let filled = gateway
        .backfiller
        .fill(&channel, since_ms, PATIENCE)
        .await?;
    Ok(HttpResponse::Ok().json(json!({
        "listed": filled.listed,
        "new": filled.new,
        "duplicates": filled.duplicates,
        "until": shapes::time(filled.until_ms),
        "complete": filled.is_complete,
    })))
}
