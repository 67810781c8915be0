//! Webhook events: listed and replayed.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::json;

use super::{
    channels,
    paging::{Paging, list as listed},
    shapes,
};
use crate::{
    gateway::Gateway,
    model::{EventId, Role, WebhookEvent},
    web::{auth::Caller, problem::Problem},
};

#[derive(Debug, Deserialize)]
pub(super) struct Query {
    channel: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// The newest first: of one channel, or of all that the caller may see.
pub(super) async fn list(
    gateway: web::Data<Gateway>,
    caller: Caller,
    query: web::Query<Query>,
) -> Result<HttpResponse, Problem> {
    let query = query.into_inner();
    let paging = Paging::new(query.limit, query.cursor);
    let (limit, before) = (paging.limit()?, paging.cursor::<EventId>()?);
    let channels = match &query.channel {
        Some(id) => vec![channels::find(&gateway, &caller, id)?],
        None => gateway
            .registry
            .routes()
            .channels()
            .filter(|channel| caller.sees(&channel.config().organization))
            .cloned()
            .collect(),
    };
    let mut events: Vec<WebhookEvent> = Vec::new();
    for channel in channels {
        let page = gateway
            .store
            .webhook_events(channel.org, &channel.id, before, limit + 1)?;
        events.extend(page.items);
    }
    events.sort_by_key(|event| std::cmp::Reverse(event.id));
    let more = events.len() > limit;
    events.truncate(limit);
    let next = events
        .last()
        .filter(|_| more)
        .map(|event| event.id.to_string());
    let items = events.iter().map(shapes::event).collect();
    Ok(HttpResponse::Ok().json(listed(items, next)))
}

#[derive(Debug, Deserialize)]
pub(super) struct ReplayQuery {
    #[serde(default)]
    dry_run: bool,
}

/// Runs a kept webhook through its adapter again.
pub(super) async fn replay(
    gateway: web::Data<Gateway>,
    caller: Caller,
    id: web::Path<String>,
    query: web::Query<ReplayQuery>,
) -> Result<HttpResponse, Problem> {
    caller.must_be(Role::Admin)?;
    let id: EventId = id
        .parse()
        .map_err(|_| Problem::not_found("webhook event"))?;
    let routes = gateway.registry.routes();
    for channel in routes
        .channels()
        .filter(|channel| caller.sees(&channel.config().organization))
    {
        if gateway
            .store
            .webhook_event(channel.org, &channel.id, id)?
            .is_none()
        {
            continue;
        }
        tracing::info!(event = "api_webhook_replay", by = %caller.name, channel = %channel.id, webhook_event = %id, dry_run = query.dry_run, "webhook replayed");
        let replayed = gateway.replayer.by_id(channel, id, query.dry_run).await?;
        return Ok(HttpResponse::Ok().json(json!({
            "outcome": replayed.outcome,
            "messages": replayed.messages,
            "events": replayed.events,
        })));
    }
    Err(Problem::not_found("webhook event"))
}
