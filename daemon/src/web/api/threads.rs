//! The inbox and its threads.

use actix_web::{HttpResponse, web};

use super::{
    paging::{Paging, list as listed},
    shapes, windows,
};
use crate::{
    gateway::Gateway,
    model::{OrgId, Role, Thread, ThreadId},
    store::ThreadUpdate,
    web::{auth::Caller, problem::Problem},
};

pub(super) async fn list(
    gateway: web::Data<Gateway>,
    caller: Caller,
    paging: web::Query<Paging>,
) -> Result<HttpResponse, Problem> {
    let organizations = caller.organizations(&gateway);
    let (found, next) = paging.over(&organizations, |org, before, limit| {
        gateway.store.threads(org, before, limit)
    })?;
    let items = found
        .iter()
        .map(|(org, thread)| shapes::thread(&gateway.store.slug(*org), thread))
        .collect();
    Ok(HttpResponse::Ok().json(listed(items, next)))
}

pub(super) fn find(
    gateway: &Gateway,
    caller: &Caller,
    id: &str,
) -> Result<(OrgId, Thread), Problem> {
    let id: ThreadId = id.parse().map_err(|_| Problem::not_found("thread"))?;
    for org in caller.organizations(gateway) {
        if let Some(thread) = gateway.store.thread(org, id)? {
            return Ok((org, thread));
        }
    }
    Err(Problem::not_found("thread"))
}

pub(super) async fn show(
    gateway: web::Data<Gateway>,
    caller: Caller,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let (org, thread) = find(&gateway, &caller, &id)?;
    let mut shown = shapes::thread(&gateway.store.slug(org), &thread);
    if let Some(contact) = gateway.store.contact(org, thread.contact)? {
        windows::add_to_thread(&gateway, org, &contact, &mut shown)?;
    }
    Ok(HttpResponse::Ok().json(shown))
}

pub(super) async fn messages(
    gateway: web::Data<Gateway>,
    caller: Caller,
    id: web::Path<String>,
    paging: web::Query<Paging>,
) -> Result<HttpResponse, Problem> {
    let (org, thread) = find(&gateway, &caller, &id)?;
    let page = gateway
        .store
        .thread_messages(org, thread.id, paging.cursor()?, paging.limit()?)?;
    let slug = gateway.store.slug(org);
    Ok(HttpResponse::Ok().json(shapes::messages(&slug, &page)))
}

/// The turns of a thread, oldest first.
pub(super) async fn turns(
    gateway: web::Data<Gateway>,
    caller: Caller,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let (org, thread) = find(&gateway, &caller, &id)?;
    let turns = gateway.store.turns(org, thread.id)?;
    Ok(HttpResponse::Ok().json(listed(turns.iter().map(shapes::turn).collect(), None)))
}

pub(super) async fn take_over(
    gateway: web::Data<Gateway>,
    caller: Caller,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    update(&gateway, &caller, &id, ThreadUpdate::TakeOver).await
}

pub(super) async fn release(
    gateway: web::Data<Gateway>,
    caller: Caller,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    update(&gateway, &caller, &id, ThreadUpdate::Release).await
}

pub(super) async fn close(
    gateway: web::Data<Gateway>,
    caller: Caller,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    update(&gateway, &caller, &id, ThreadUpdate::Close).await
}

async fn update(
    gateway: &Gateway,
    caller: &Caller,
    id: &str,
    update: ThreadUpdate,
) -> Result<HttpResponse, Problem> {
    caller.must_be(Role::Admin)?;
    let (org, thread) = find(gateway, caller, id)?;
    tracing::info!(event = "api_thread_changed", by = %caller.name, thread = %thread.id, ?update, "thread changed");
    let thread = gateway
        .store
        .update_thread(org, thread.id, update)
        .await?
        .ok_or_else(|| Problem::not_found("thread"))?;
    Ok(HttpResponse::Ok().json(shapes::thread(&gateway.store.slug(org), &thread)))
}
