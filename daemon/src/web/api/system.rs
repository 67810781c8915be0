//! The installation: store, reload, metrics.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::json;

use super::shapes;
use crate::{
    gateway::Gateway,
    model::Role,
    web::{auth::Caller, problem::Problem},
};

/// Counts, in the OpenMetrics text format. Needs no token: it holds no identifiers of people, and
/// this listener is not meant for the open internet.
pub(in crate::web) async fn metrics(gateway: web::Data<Gateway>) -> HttpResponse {
    let sample = gateway.sample().await;
    HttpResponse::Ok()
        .content_type("application/openmetrics-text; version=1.0.0; charset=utf-8")
        .body(gateway.metrics.render(&sample))
}

/// What the store is, and how: its format, what is in it, whether it takes new work, and why not.
pub(super) async fn store(
    gateway: web::Data<Gateway>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    caller.must_see_all()?;
    let store = gateway.store.clone();
    let info = web::block(move || store.info()).await;
    let info = info.map_err(|error| Problem::unavailable(error.to_string()))?;
    let engine = gateway.store.engine();
    let (stats, room) = (engine.stats(), engine.room());
    let trouble = gateway.store.trouble();
    Ok(HttpResponse::Ok().json(json!({
        "path": info.path,
        "format": info.format,
        "migrating": info.migrating,
        "written_by": info.written_by,
        "records": info.records,
        "bytes": info.bytes,
        "state": if trouble.is_some() { "refusing" } else { "ok" },
        "reason": trouble,
        "free_bytes": room.free_bytes,
        "free_files": room.free_files,
        "reserve_bytes": room.reserve_bytes,
        "failures": stats.failures,
        "index_rebuilds": stats.rebuilds,
        "queued": stats.queued,
        "position": stats.position,
        "durable": stats.durable,
        "checkpoint": stats.checkpoint,
    })))
}

#[derive(Debug, Deserialize)]
pub(super) struct ReloadQuery {
    #[serde(default)]
    dry_run: bool,
}

/// Reloads configuration and plugins; answers when the new state is in force. A dry run only says
/// what would change.
pub(super) async fn reload(
    gateway: web::Data<Gateway>,
    caller: Caller,
    query: web::Query<ReloadQuery>,
) -> Result<HttpResponse, Problem> {
    caller.must_be(Role::Admin)?;
    caller.must_see_all()?;
    tracing::info!(event = "api_reload", by = %caller.name, dry_run = query.dry_run, "reload asked for");
    let report = if query.dry_run {
        gateway.plan_reload().await?
    } else {
        gateway.reload().await?
    };
    Ok(HttpResponse::Ok().json(shapes::reload(&report)))
}

/// Says what a reload would change, or why it would be refused.
pub(super) async fn plan(
    gateway: web::Data<Gateway>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    caller.must_be(Role::Admin)?;
    caller.must_see_all()?;
    let report = gateway.plan_reload().await?;
    Ok(HttpResponse::Ok().json(shapes::reload(&report)))
}
