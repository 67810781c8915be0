//! What is older than it is kept: counted, or removed now.

use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use super::paging::list as listed;
use crate::{
    gateway::Gateway,
    model::{OrgId, Role},
    store::Expired,
    web::{auth::Caller, problem::Problem},
};

/// What would be removed now, by kind. Changes nothing.
pub(super) async fn preview(
    gateway: web::Data<Gateway>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    caller.must_be(Role::Admin)?;
    let organizations = organizations(&gateway, &caller);
    let found = gateway.retention.preview(&organizations).await?;
    Ok(HttpResponse::Ok().json(shown(&gateway, &found)))
}

/// Removes it now instead of in the next rounds.
pub(super) async fn run(
    gateway: web::Data<Gateway>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    caller.must_be(Role::Owner)?;
    let organizations = organizations(&gateway, &caller);
    tracing::info!(event = "api_retention", by = %caller.name, "what is older than it is kept is removed now");
    let done = gateway.retention.run(&organizations).await?;
    Ok(HttpResponse::Ok().json(shown(&gateway, &done)))
}

fn organizations(gateway: &Gateway, caller: &Caller) -> Vec<OrgId> {
    let mut organizations = caller.organizations(gateway);
    if caller.organization.is_none() {
        organizations.push(OrgId::SYSTEM);
    }
    organizations
}

fn shown(gateway: &Gateway, counts: &[(OrgId, Expired)]) -> Value {
    let item = |(org, expired): &(OrgId, Expired)| {
        let slug = (*org != OrgId::SYSTEM).then(|| gateway.store.slug(*org));
        json!({
            "organization": slug,
            "messages": expired.messages,
            "media": expired.media,
            "threads": expired.threads,
            "contacts": expired.contacts,
            "audit": expired.audit,
        })
    };
    listed(counts.iter().map(item).collect(), None)
}
