//! People and their timelines.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::Value;

use super::{
    paging::{Paging, list as listed},
    shapes, windows,
};
use crate::{
    gateway::Gateway,
    model::{Contact, ContactId, OrgId},
    web::{auth::Caller, problem::Problem},
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
fn find(gateway: &Gateway, caller: &Caller, id: ContactId) -> Result<(OrgId, Contact), Problem> {
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
