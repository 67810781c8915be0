//! The queue as people see it.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::json;
use trunkline_plugin_api::ErrorClass;

use super::{
    paging::{Paging, list as listed},
    shapes,
};
use crate::{
    gateway::Gateway,
    model::{ChannelId, MessageId, OrgId, Role},
    store::{Decision, OutboxFilter, Verdict},
    web::{auth::Caller, problem::Problem},
};

const STATES: [&str; 5] = ["queued", "retrying", "held", "uncertain", "dead"];

#[derive(Debug, Deserialize)]
pub(super) struct Query {
    #[serde(flatten)]
    which: Which,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// Which items are meant.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Which {
    state: Option<String>,
    channel: Option<String>,
    class: Option<ErrorClass>,
    code: Option<String>,
}

impl Which {
    fn filter(self, gateway: &Gateway) -> Result<OutboxFilter, Problem> {
        let Self {
            state,
            channel,
            class,
            code,
        } = self;
        if state
            .as_deref()
            .is_some_and(|state| !STATES.contains(&state))
        {
            return Err(Problem::invalid(format!(
                "state must be one of {}",
                STATES.join(", ")
            )));
        }
        Ok(OutboxFilter {
            state,
            channel: channel.as_deref().map(ChannelId::new),
            class,
            code,
            holding: holding(gateway),
        })
    }
}

/// The channels that hold their sends now.
fn holding(gateway: &Gateway) -> Vec<ChannelId> {
    let routes = gateway.registry.routes();
    let channels = routes.channels();
    let holds = channels
        .filter(|channel| !gateway.board.lets_send(&channel.id) || channel.down_reason().is_some());
    holds.map(|channel| channel.id.clone()).collect()
}

pub(super) async fn list(
    gateway: web::Data<Gateway>,
    caller: Caller,
    query: web::Query<Query>,
) -> Result<HttpResponse, Problem> {
    let Query {
        which,
        limit,
        cursor,
    } = query.into_inner();
    let filter = which.filter(&gateway)?;
    let organizations = caller.organizations(&gateway);
    let (found, next) = Paging::new(limit, cursor).over(&organizations, |org, after, limit| {
        gateway.store.outbox(org, &filter, after, limit)
    })?;
    let items = found
        .iter()
        .map(|(_, item)| shapes::outbox_item(item, filter.holding.contains(&item.channel)))
        .collect();
    Ok(HttpResponse::Ok().json(listed(items, next)))
}

pub(super) async fn retry(
    gateway: web::Data<Gateway>,
    caller: Caller,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    decide(&gateway, &caller, &id, Verdict::Retry).await
}

pub(super) async fn discard(
    gateway: web::Data<Gateway>,
    caller: Caller,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    decide(&gateway, &caller, &id, Verdict::Discard).await
}

pub(super) async fn retry_all(
    gateway: web::Data<Gateway>,
    caller: Caller,
    which: web::Json<Which>,
) -> Result<HttpResponse, Problem> {
    decide_all(&gateway, &caller, which.into_inner(), Verdict::Retry).await
}

pub(super) async fn discard_all(
    gateway: web::Data<Gateway>,
    caller: Caller,
    which: web::Json<Which>,
) -> Result<HttpResponse, Problem> {
    decide_all(&gateway, &caller, which.into_inner(), Verdict::Discard).await
}

async fn decide(
    gateway: &Gateway,
    caller: &Caller,
    id: &str,
    verdict: Verdict,
) -> Result<HttpResponse, Problem> {
    let (org, id) = find(gateway, caller, id)?;
    tracing::info!(event = "api_send_decided", by = %caller.name, message = %id, ?verdict, "an operator decided on a send");
    let decision = gateway.store.decide(org, id, verdict).await?;
    if let Some(message) = gateway.store.message(org, id)?
        && let Some(channel) = gateway.registry.get(message.channel.as_str())
    {
        channel.queue.notify_one();
    }
    show(gateway, org, id, decision)
}

/// Decides on every item that a filter means. It must name a state, so that nobody means all by
/// mistake.
async fn decide_all(
    gateway: &Gateway,
    caller: &Caller,
    which: Which,
    verdict: Verdict,
) -> Result<HttpResponse, Problem> {
    caller.must_be(Role::Admin)?;
    if which.state.is_none() {
        return Err(Problem::invalid(format!(
            "\"state\" is needed: one of {}",
            STATES.join(", ")
        )));
    }
    tracing::info!(event = "api_sends_decided", by = %caller.name, ?which, ?verdict, "an operator decided on many sends");
    let filter = which.filter(gateway)?;
    let mut decided = 0;
    for org in caller.organizations(gateway) {
        decided += gateway.store.decide_all(org, &filter, verdict).await?;
    }
    for channel in gateway.registry.routes().channels() {
        channel.queue.notify_one();
    }
    Ok(HttpResponse::Ok().json(json!({ "count": decided })))
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
