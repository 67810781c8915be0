//! People who are erased, and the compaction by which they leave the files.

use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use super::{
    paging::list as listed,
    shapes::{maybe_time, time},
};
use crate::{
    gateway::Gateway,
    model::{ContactId, Erasure, OrgId, Role},
    store::BeginErasure,
    web::{auth::Caller, problem::Problem},
};

/// Begins to erase a contact. Asked again, it says how far that is.
pub(super) async fn erase(
    gateway: web::Data<Gateway>,
    caller: Caller,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    caller.must_be(Role::Owner)?;
    let id: ContactId = id.parse().map_err(|_| Problem::not_found("contact"))?;
    for org in caller.organizations(&gateway) {
        match gateway.eraser.begin(org, id, &caller.actor.words()).await? {
            BeginErasure::Unknown => {}
            BeginErasure::PartOf(whole) => {
                return Err(Problem::conflict(
                    "contact_is_merged",
                    format!(
                        "contact {id} is part of contact {whole}: erase that one, or take it out first"
                    ),
                ));
            }
            BeginErasure::Begun(erasure) => {
                tracing::info!(event = "api_erasure", by = %caller.name, contact = %id, "a contact is to be erased");
                return Ok(HttpResponse::Accepted().json(shown(&gateway, org, &erasure)));
            }
        }
    }
    Err(Problem::not_found("contact"))
}

/// How far the erasure of a contact is.
pub(super) async fn show(
    gateway: web::Data<Gateway>,
    caller: Caller,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let id: ContactId = id.parse().map_err(|_| Problem::not_found("erasure"))?;
    for org in caller.organizations(&gateway) {
        if let Some(erasure) = gateway.store.erasure(org, id)? {
            return Ok(HttpResponse::Ok().json(shown(&gateway, org, &erasure)));
        }
    }
    Err(Problem::not_found("erasure"))
}

/// All erasures: what is to be erased once more after an older backup is restored.
pub(super) async fn list(
    gateway: web::Data<Gateway>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let mut items = Vec::new();
    for org in caller.organizations(&gateway) {
        let erasures = gateway.store.erasures(org)?;
        items.extend(erasures.iter().map(|one| shown(&gateway, org, one)));
    }
    Ok(HttpResponse::Ok().json(listed(items, None)))
}

fn shown(gateway: &Gateway, org: OrgId, erasure: &Erasure) -> Value {
    json!({
        "contact": erasure.contact.to_string(),
        "parts": erasure.parts.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "organization": gateway.store.slug(org),
        "state": erasure.state(),
        "by": erasure.by,
        "requested_at": time(erasure.requested_at_ms),
        "erased_at": maybe_time(erasure.erased_at_ms),
        "compacted_at": maybe_time(erasure.compacted_at_ms),
        "removed": erasure.counts,
    })
}

/// Removes from the store's files what was deleted before; answers when it is proved.
pub(super) async fn compact(
    gateway: web::Data<Gateway>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    caller.must_be(Role::Owner)?;
    caller.must_see_all()?;
    tracing::info!(event = "api_compaction", by = %caller.name, "compaction asked for");
    let done = gateway.eraser.compact().await?;
    Ok(HttpResponse::Ok().json(json!({
        "position": done.position,
        "records": done.records,
        "snapshot_bytes": done.snapshot_bytes,
        "segments_removed": done.segments,
        "snapshots_removed": done.snapshots,
        "took_ms": done.took_ms,
    })))
}

/// How far a compaction is.
pub(super) async fn compaction(
    gateway: web::Data<Gateway>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    caller.must_be(Role::Owner)?;
    caller.must_see_all()?;
    let step = gateway.store.engine().compaction_step();
    Ok(HttpResponse::Ok().json(json!({ "step": step.as_str() })))
}
