//! People and their timelines.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::Value;

use super::{
    paging::{Paging, list as listed},
    shapes, windows,
};
use crate::{
    gateway::Gateway,
    model::{Contact, ContactId, OrgId, Role},
    store::MergeResult,
    web::{audit, auth::Caller, problem::Problem},
};

#[derive(Debug, Deserialize)]
pub(super) struct Query {
    identifier: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

pub(super) async fn list(
    gateway: web::Data<Gateway>,
    caller: Caller,
    query: web::Query<Query>,
) -> Result<HttpResponse, Problem> {
    let organizations = caller.organizations(&gateway);
    let query = query.into_inner();
    let (found, next) = match &query.identifier {
        Some(identifier) => {
            let mut found = Vec::new();
            for org in organizations {
                let contacts = gateway.store.contacts_with(org, identifier)?;
                found.extend(contacts.into_iter().map(|contact| (org, contact)));
            }
            (found, None)
        }
        None => Paging::new(query.limit, query.cursor)
            .over(&organizations, |org, before, limit| {
                gateway.store.contacts(org, before, limit)
            })?,
    };
    let items: Result<Vec<_>, Problem> = found
        .iter()
        .map(|(org, contact)| shown(&gateway, *org, contact))
        .collect();
    Ok(HttpResponse::Ok().json(listed(items?, next)))
}

/// The organization of a contact that the caller may see.
pub(super) fn find(
    gateway: &Gateway,
    caller: &Caller,
    id: ContactId,
) -> Result<(OrgId, Contact), Problem> {
    for org in caller.organizations(gateway) {
        if let Some(contact) = gateway.store.contact(org, id)? {
            return Ok((org, contact));
        }
    }
    Err(Problem::not_found("contact"))
}

pub(super) async fn show(
    gateway: web::Data<Gateway>,
    caller: Caller,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let id = id.parse().map_err(|_| Problem::not_found("contact"))?;
    let (org, contact) = find(&gateway, &caller, id)?;
    Ok(HttpResponse::Ok().json(shown(&gateway, org, &contact)?))
}

/// A contact with the reply windows of its identities.
fn shown(gateway: &Gateway, org: OrgId, contact: &Contact) -> Result<Value, Problem> {
    let mut shown = shapes::contact(&gateway.store.slug(org), contact);
    windows::add_to_contact(gateway, org, contact, &mut shown)?;
    Ok(shown)
}

/// What the contact wants, over all their addresses and our senders.
pub(super) async fn consents(
    gateway: web::Data<Gateway>,
    caller: Caller,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let id = id.parse().map_err(|_| Problem::not_found("contact"))?;
    let (org, contact) = find(&gateway, &caller, id)?;
    let slug = gateway.store.slug(org);
    let mut items = Vec::new();
    for known in &contact.identities {
        let entries = gateway.store.consents_of(org, &known.identity)?;
        items.extend(entries.iter().map(|entry| shapes::consent(&slug, entry)));
    }
    Ok(HttpResponse::Ok().json(listed(items, None)))
}

/// The other contact of a merge.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Other {
    contact: String,
}

/// Makes another contact a part of this one.
pub(super) async fn merge(
    request: HttpRequest,
    gateway: web::Data<Gateway>,
    caller: Caller,
    id: web::Path<String>,
    other: web::Json<Other>,
) -> Result<HttpResponse, Problem> {
    let (org, keep, other) = both(&gateway, &caller, &id, &other)?;
    audit::note(&request, "other", &other);
    let merged = gateway
        .store
        .merge_contacts(org, keep, other, &caller.name)
        .await?;
    tracing::info!(event = "api_contacts_merged", by = %caller.name, contact = %keep, %other, "contacts merged");
    answer(&gateway, org, merged)
}

/// Takes a merge back.
pub(super) async fn unmerge(
    request: HttpRequest,
    gateway: web::Data<Gateway>,
    caller: Caller,
    id: web::Path<String>,
    other: web::Json<Other>,
) -> Result<HttpResponse, Problem> {
    let (org, keep, other) = both(&gateway, &caller, &id, &other)?;
    audit::note(&request, "other", &other);
    let parted = gateway.store.unmerge_contacts(org, keep, other).await?;
    tracing::info!(event = "api_contacts_unmerged", by = %caller.name, contact = %keep, %other, "a merge of contacts taken back");
    answer(&gateway, org, parted)
}

/// Both contacts, which must be of one organization.
fn both(
    gateway: &Gateway,
    caller: &Caller,
    id: &str,
    other: &Other,
) -> Result<(OrgId, ContactId, ContactId), Problem> {
    caller.must_be(Role::Admin)?;
    let keep = id.parse().map_err(|_| Problem::not_found("contact"))?;
    let other = other
        .contact
        .parse()
        .map_err(|_| Problem::not_found("other contact"))?;
    let (org, _) = find(gateway, caller, keep)?;
    Ok((org, keep, other))
}

fn answer(gateway: &Gateway, org: OrgId, result: MergeResult) -> Result<HttpResponse, Problem> {
    let refused = |code, words: String| Err(Problem::conflict(code, words));
    match result {
        MergeResult::Done(contact) => Ok(HttpResponse::Ok().json(shown(gateway, org, &contact)?)),
        MergeResult::Unknown(_) => Err(Problem::not_found("other contact")),
        MergeResult::PartOf { contact, whole } => refused(
            "contact_is_merged",
            format!(
                "contact {contact} is part of contact {whole}: name that one, or take it out first"
            ),
        ),
        MergeResult::Same => refused("same_contact", "these are the same contact".into()),
        MergeResult::NotMerged => refused(
            "not_merged",
            "the one contact was not merged into the other".into(),
        ),
        MergeResult::TooMany(what) => refused(
            "contact_too_large",
            format!("the contact would have too many {what}"),
        ),
    }
}

pub(super) async fn timeline(
    gateway: web::Data<Gateway>,
    caller: Caller,
    id: web::Path<String>,
    paging: web::Query<Paging>,
) -> Result<HttpResponse, Problem> {
    let id = id.parse().map_err(|_| Problem::not_found("contact"))?;
    let (org, _) = find(&gateway, &caller, id)?;
    let page = gateway
        .store
        .timeline(org, id, paging.cursor()?, paging.limit()?)?;
    let slug = gateway.store.slug(org);
    Ok(HttpResponse::Ok().json(shapes::messages(&slug, &page)))
}
