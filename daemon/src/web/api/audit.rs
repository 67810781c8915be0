//! The audit: listed, and its chains walked.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use data_encoding::HEXLOWER;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    paging::{Paging, list as listed},
    shapes::time,
};
use crate::{
    gateway::Gateway,
    model::{OrgId, Role},
    store::{AuditFilter, Audited, Store, StoreError},
    web::{auth::Caller, problem::Problem},
};

#[derive(Debug, Deserialize)]
pub(super) struct Query {
    organization: Option<String>,
    actor: Option<String>,
    action: Option<String>,
    since: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// The organizations whose audit the caller may see: the installation's is for those who see all.
fn visible(
    gateway: &Gateway,
    caller: &Caller,
    wanted: Option<&str>,
) -> Result<Vec<OrgId>, Problem> {
    caller.must_be(Role::Admin)?;
    let mut visible = caller.organizations(gateway);
    if caller.organization.is_none() {
        visible.insert(0, OrgId::SYSTEM);
    }
    match wanted {
        None => Ok(visible),
        Some(slug) => {
            visible.retain(|org| gateway.store.slug(*org) == slug);
            if visible.is_empty() {
                return Err(Problem::not_found("organization"));
            }
            Ok(visible)
        }
    }
}

/// Entries of all organizations that the caller may see, newest first.
pub(super) async fn list(
    gateway: web::Data<Gateway>,
    caller: Caller,
    query: web::Query<Query>,
) -> Result<HttpResponse, Problem> {
    let query = query.into_inner();
    let organizations = visible(&gateway, &caller, query.organization.as_deref())?;
    let limit = Paging::new(query.limit, None).limit()?;
    let since = query.since.as_deref().map(|since| {
        let at: Result<jiff::Timestamp, _> = since.parse();
        at.map(jiff::Timestamp::as_millisecond)
            .map_err(|_| Problem::invalid("since must be a time such as 2026-11-21T12:00:00Z"))
    });
    let filter = AuditFilter {
        actor: query.actor,
        action: query.action,
        since_ms: since.transpose()?,
    };
    let places = query.cursor.as_deref().map(places).transpose()?;
    let store = gateway.store.clone();
    let page = web::block(move || newest(&store, &organizations, &filter, places.as_ref(), limit));
    let page = page
        .await
        .map_err(|error| StoreError::Failed(format!("the audit could not be read: {error}")))?;
    let (items, next) = page?;
    let items = items
        .iter()
        .map(|(org, found)| shown(&gateway, *org, found));
    Ok(HttpResponse::Ok().json(listed(items.collect(), next)))
}

/// The place before which each organization's list goes on; those that are not in it are at their end.
type Places = BTreeMap<u32, u64>;

fn places(cursor: &str) -> Result<Places, Problem> {
    let place = |part: &str| {
        let (org, at) = part.split_once('.')?;
        Some((org.parse().ok()?, at.parse().ok()?))
    };
    let places: Option<Places> = cursor.split('-').map(place).collect();
    places.ok_or_else(|| Problem::invalid("cursor is not one that a list gave as \"next\""))
}

type Newest = (Vec<(OrgId, Audited)>, Option<String>);

/// Merges the newest entries of several organizations by their time.
fn newest(
    store: &Store,
    organizations: &[OrgId],
    filter: &AuditFilter,
    places: Option<&Places>,
    limit: usize,
) -> Result<Newest, StoreError> {
    let mut all = Vec::new();
    let mut ends = Places::new();
    for org in organizations {
        let before = match places {
            None => None,
            Some(places) => match places.get(&org.0) {
                Some(before) => Some(*before),
                None => continue,
            },
        };
        let page = store.audited(*org, filter, before, limit)?;
        ends.extend(page.next.map(|next| (org.0, next)));
        all.extend(page.items.into_iter().map(|found| (*org, found)));
    }
    all.sort_by_key(|(org, found)| std::cmp::Reverse((found.entry.at_ms, org.0, found.sequence)));
    // What does not fit on the page is where its organization goes on.
    for (org, found) in all.iter().skip(limit) {
        let next = ends.entry(org.0).or_default();
        *next = (*next).max(found.sequence + 1);
    }
    all.truncate(limit);
    let next: Vec<String> = ends.iter().map(|(org, at)| format!("{org}.{at}")).collect();
    Ok((all, (!next.is_empty()).then(|| next.join("-"))))
}

fn shown(gateway: &Gateway, org: OrgId, found: &Audited) -> Value {
    let entry = &found.entry;
    json!({
        "organization": organization(gateway, org),
        "sequence": found.sequence,
        "at": time(entry.at_ms),
        "actor": {
            "kind": entry.actor.kind,
            "id": entry.actor.id,
            "name": entry.actor.name,
        },
        "action": entry.action,
        "object": entry.object,
        "detail": entry.detail,
        "hash": HEXLOWER.encode(&found.hash),
    })
}

/// The slug; null for the installation.
fn organization(gateway: &Gateway, org: OrgId) -> Option<String> {
    (org != OrgId::SYSTEM).then(|| gateway.store.slug(org))
}

/// Walks the chains. Where one breaks it says where; the head's hash can be noted elsewhere and compared later.
pub(super) async fn verify(
    gateway: web::Data<Gateway>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let mut chains = Vec::new();
    let mut sound = true;
    for org in visible(&gateway, &caller, None)? {
        let store = gateway.store.clone();
        let walked = web::block(move || store.verify_audit(org)).await;
        let report = walked.map_err(|error| StoreError::Failed(error.to_string()))??;
        sound &= report.broken.is_none();
        chains.push(json!({
            "organization": organization(&gateway, org),
            "entries": report.entries,
            "head": report.head.map(|(sequence, hash)| json!({
                "sequence": sequence,
                "hash": HEXLOWER.encode(&hash),
            })),
            "broken": report.broken.map(|(sequence, why)| json!({
                "sequence": sequence,
                "why": why,
            })),
        }));
    }
    Ok(HttpResponse::Ok().json(json!({ "sound": sound, "chains": chains })))
}
