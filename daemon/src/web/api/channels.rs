//! Channels: listed, switched, tested.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use serde_json::json;

use super::{paging::list as listed, shapes};
use crate::{
    channel::Channel,
    gateway::Gateway,
    model::Role,
    web::{auth::Caller, problem::Problem},
};

pub(super) async fn list(gateway: web::Data<Gateway>, caller: Caller) -> HttpResponse {
    let routes = gateway.registry.routes();
    let items = routes
        .channels()
        .filter(|channel| caller.sees(&channel.config().organization))
        .map(|channel| shapes::channel(&gateway, channel))
        .collect();
    HttpResponse::Ok().json(listed(items, None))
}

/// A channel that the caller may see.
pub(super) fn find(gateway: &Gateway, caller: &Caller, id: &str) -> Result<Arc<Channel>, Problem> {
    gateway
        .registry
        .get(id)
        .filter(|channel| caller.sees(&channel.config().organization))
        .ok_or_else(|| Problem::not_found("channel"))
}

pub(super) async fn show(
    gateway: web::Data<Gateway>,
    caller: Caller,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let channel = find(&gateway, &caller, &id)?;
    Ok(HttpResponse::Ok().json(shapes::channel(&gateway, &channel)))
}

pub(super) async fn enable(
    gateway: web::Data<Gateway>,
    caller: Caller,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    switch(&gateway, &caller, &id, true).await
}

pub(super) async fn disable(
    gateway: web::Data<Gateway>,
    caller: Caller,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    switch(&gateway, &caller, &id, false).await
}

async fn switch(
    gateway: &Gateway,
    caller: &Caller,
    id: &str,
    enabled: bool,
) -> Result<HttpResponse, Problem> {
    caller.must_be(Role::Admin)?;
    let channel = find(gateway, caller, id)?;
    tracing::info!(event = "api_channel_switch", by = %caller.name, channel = %id, enabled, "channel switch");
    gateway.switch(&channel, enabled).await?;
    let channel = find(gateway, caller, id)?;
    Ok(HttpResponse::Ok().json(shapes::channel(gateway, &channel)))
}

/// Checks the channel now and reports what the provider says of the account: `ok` and `detail` are
/// the result of this check, `status` is the channel's health after it.
pub(super) async fn test(
    gateway: web::Data<Gateway>,
    caller: Caller,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    caller.must_be(Role::Admin)?;
    let channel = find(&gateway, &caller, &id)?;
    tracing::info!(event = "api_channel_test", by = %caller.name, channel = %channel.id, "connection test");
    let tested = gateway.prober.test(&channel).await;
    let mut shown = shapes::health(&tested.health);
    shown["ok"] = json!(tested.problem.is_none());
    shown["detail"] = json!(tested.problem.or(tested.health.last_error));
    Ok(HttpResponse::Ok().json(shown))
}
