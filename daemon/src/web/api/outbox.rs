//! The queue as people see it.

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use super::{
    paging::{Paging, list as listed},
    shapes,
};
use crate::{
    gateway::Gateway,
    model::{MessageId, OrgId, Role, Source},
    store::Decision,
    web::{auth::Caller, problem::Problem},
};

const STATES: [&str; 5] = ["queued", "retrying", "held", "uncertain", "dead"];

#[derive(Debug, Deserialize)]
pub(super) struct Query {
    state: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

pub(super) async fn list(
    gateway: web::Data<Gateway>,
    caller: Caller,
    query: web::Query<Query>,
) -> Result<HttpResponse, Problem> {
    let query = query.into_inner();
    let state = query.state.as_deref();
    if state.is_some_and(|state| !STATES.contains(&state)) {
        return Err(Problem::invalid(format!(
            "state must be one of {}",
            STATES.join(", ")
        )));
    }
    let organizations = caller.organizations(&gateway);
    let paging = Paging::new(query.limit, query.cursor.clone());
    let (found, next) = paging.over(&organizations, |org, after, limit| {
        gateway.store.outbox(org, state, after, limit)
    })?;
    let items = found
        .iter()
        .map(|(_, item)| shapes::outbox_item(item))
        .collect();
    Ok(HttpResponse::Ok().json(listed(items, next)))
}

pub(super) async fn retry(
    gateway: web::Data<Gateway>,
    caller: Caller,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let (org, id) = find(&gateway, &caller, &id)?;
    tracing::info!(by = %caller.name, message = %id, "send retried by an operator");
    let decision = gateway.store.retry(org, id, Source::Operator).await?;
    if let Some(message) = gateway.store.message(org, id)?
        && let Some(channel) = gateway.registry.get(message.channel.as_str())
    {
        channel.queue.notify_one();
    }
    show(&gateway, org, id, decision)
}

pub(super) async fn discard(
    gateway: web::Data<Gateway>,
    caller: Caller,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let (org, id) = find(&gateway, &caller, &id)?;
    tracing::info!(by = %caller.name, message = %id, "send discarded by an operator");
    let decision = gateway.store.discard(org, id).await?;
    show(&gateway, org, id, decision)
}

fn find(gateway: &Gateway, caller: &Caller, id: &str) -> Result<(OrgId, MessageId), Problem> {
    caller.must_be(Role::Admin)?;
    let id: MessageId = id.parse().map_err(|_| Problem::not_found("outbox item"))?;
    for org in caller.organizations(gateway) {
        if gateway.store.message(org, id)?.is_some() {
            return Ok((org, id));
        }
    }
    Err(Problem::not_found("outbox item"))
}

/// The message as it is after the decision.
fn show(
    gateway: &Gateway,
    org: OrgId,
    id: MessageId,
    decision: Decision,
) -> Result<HttpResponse, Problem> {
    match decision {
        Decision::Done => {}
        Decision::NotFound => return Err(Problem::not_found("outbox item")),
        Decision::NotNow(_) => {
            return Err(Problem::conflict(
                "in_flight",
                "the provider is being called right now",
            ));
        }
    }
    let message = gateway
        .store
        .message(org, id)?
        .ok_or_else(|| Problem::not_found("message"))?;
    Ok(HttpResponse::Ok().json(shapes::message(&gateway.store.slug(org), &message)))
}
