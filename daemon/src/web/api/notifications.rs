//! What owners were told: listed, acknowledged.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    paging::{Paging, list as listed},
    shapes,
};
use crate::{
    gateway::Gateway,
    model::{ChannelId, NoticeKind, Notification, NotificationId, OrgId, Role},
    store::Acknowledge,
    web::{auth::Caller, problem::Problem},
};

#[derive(Debug, Deserialize)]
pub(super) struct Query {
    acknowledged: Option<bool>,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// The one that began last first.
pub(super) async fn list(
    gateway: web::Data<Gateway>,
    caller: Caller,
    query: web::Query<Query>,
) -> Result<HttpResponse, Problem> {
    let query = query.into_inner();
    let paging = Paging::new(query.limit, query.cursor);
    let organizations = visible(&gateway, &caller);
    let (found, next) = paging.over(&organizations, |org, before, limit| {
        gateway
            .store
            .notifications(org, query.acknowledged, before, limit)
    })?;
    let items = found
        .iter()
        .map(|(org, notification)| shape(&gateway, *org, notification))
        .collect();
    Ok(HttpResponse::Ok().json(listed(items, next)))
}

/// Takes note of one.
pub(super) async fn acknowledge(
    gateway: web::Data<Gateway>,
    caller: Caller,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    caller.must_be(Role::Admin)?;
    let missing = || Problem::not_found("notification");
    let id: NotificationId = id.parse().map_err(|_| missing())?;
    for org in visible(&gateway, &caller) {
        let found = gateway.store.acknowledge(org, id, &caller.name).await?;
        if let Some(notification) = found {
            tracing::info!(event = "api_notification_acknowledged", by = %caller.name, notification = %id, "notification acknowledged");
            return Ok(HttpResponse::Ok().json(shape(&gateway, org, &notification)));
        }
    }
    Err(missing())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Which {
    kind: Option<NoticeKind>,
    channel: Option<String>,
}

/// Takes note of all that fit: of a kind, on a channel; all of them where nothing is said.
pub(super) async fn acknowledge_all(
    gateway: web::Data<Gateway>,
    caller: Caller,
    body: web::Bytes,
) -> Result<HttpResponse, Problem> {
    caller.must_be(Role::Admin)?;
    let which = which(&body)?;
    let mut acknowledged = 0;
    for org in visible(&gateway, &caller) {
        let store = &gateway.store;
        acknowledged += store.acknowledge_all(org, &which, &caller.name).await?;
    }
    tracing::info!(event = "api_notifications_acknowledged", by = %caller.name, acknowledged, "notifications acknowledged");
    Ok(HttpResponse::Ok().json(json!({ "acknowledged": acknowledged })))
}

fn which(body: &[u8]) -> Result<Acknowledge, Problem> {
    let which = if body.is_empty() {
        Which::default()
    } else {
        serde_json::from_slice(body).map_err(|error| {
            Problem::invalid(format!(
                "which notifications is not what is expected: {error}"
            ))
        })?
    };
    Ok(Acknowledge {
        channel: which.channel.as_deref().map(ChannelId::new),
        kind: which.kind,
    })
}

/// The caller's organizations; what concerns the installation is for those who see all of them.
fn visible(gateway: &Gateway, caller: &Caller) -> Vec<OrgId> {
    let mut organizations = Vec::new();
    if caller.organization.is_none() {
        organizations.push(OrgId::SYSTEM);
    }
    organizations.extend(caller.organizations(gateway));
    organizations
}

fn shape(gateway: &Gateway, org: OrgId, notification: &Notification) -> Value {
    let organization = (org != OrgId::SYSTEM).then(|| gateway.store.slug(org));
    json!({
        "id": notification.id.to_string(),
        "organization": organization,
        "channel": notification.channel,
        "kind": notification.kind,
        "words": notification.words,
        "count": notification.count,
        "first_at": shapes::time(notification.first_at_ms),
        "last_at": shapes::time(notification.last_at_ms),
        "acknowledged_at": shapes::maybe_time(notification.acknowledged_at_ms),
        "acknowledged_by": notification.acknowledged_by,
    })
}
