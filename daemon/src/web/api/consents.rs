//! The ledger of consent: listed, exported with its proofs, and changed by operators.

use actix_web::{
    HttpResponse,
    web::{self, Bytes},
};
use futures_util::stream;
use serde::Deserialize;
use trunkline_plugin_api::{ConsentChange, Identity};

use super::{
    channels,
    paging::{Paging, list as listed},
    shapes,
};
use crate::{
    gateway::Gateway,
    model::{
        ConsentProof, ConsentSource, ConsentState, EVERY_SENDER, OrgId, Role, mask_identifier,
    },
    outbound::normal_address,
    store::{ConsentCursor, ConsentFilter, SetConsent, Store, StoreError},
    web::{auth::Caller, problem::Problem},
};

/// Characters of a reason.
const REASON_CHARS_MAX: usize = 500;
/// Bytes of a scope.
const SCOPE_BYTES_MAX: usize = 320;
/// Entries read at once for an export.
const EXPORT_PAGE: usize = 100;

#[derive(Debug, Deserialize)]
pub(super) struct Query {
    identifier: Option<String>,
    state: Option<ConsentState>,
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
    let filter = ConsentFilter {
        identifier: query.identifier,
        state: query.state,
    };
    let paging = Paging::new(query.limit, query.cursor);
    let store = gateway.store.clone();
    // A state that few are in can mean a long scan.
    let found = web::block(move || {
        paging.over(&organizations, |org, after, limit| {
            store.consents(org, &filter, after, limit)
        })
    });
    let (found, next) = found.await.map_err(|error| interrupted(&error))??;
    let items = found
        .iter()
        .map(|(org, entry)| shapes::consent(&gateway.store.slug(*org), entry))
        .collect();
    Ok(HttpResponse::Ok().json(listed(items, next)))
}

fn interrupted(error: &actix_web::error::BlockingError) -> Problem {
    StoreError::Failed(format!("the ledger could not be read: {error}")).into()
}

/// What an operator records.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Body {
    identifier: String,
    change: ConsentChange,
    reason: String,
    #[serde(default)]
    channel: Option<String>,
    #[serde(default)]
    scope: Option<String>,
    #[serde(default)]
    space: Option<String>,
    #[serde(default)]
    organization: Option<String>,
    #[serde(default)]
    import: bool,
}

/// Whom a change concerns, and for which sender.
struct Target {
    org: OrgId,
    identity: Identity,
    scope: String,
}

pub(super) async fn set(
    gateway: web::Data<Gateway>,
    caller: Caller,
    body: web::Json<Body>,
) -> Result<HttpResponse, Problem> {
    caller.must_be(Role::Admin)?;
    let body = body.into_inner();
    if body.change == ConsentChange::Help {
        return Err(Problem::invalid(
            "\"change\" must be \"opt_out\" or \"opt_in\"",
        ));
    }
    let reason = body.reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON_CHARS_MAX {
        return Err(Problem::invalid(format!(
            "\"reason\" must have 1 to {REASON_CHARS_MAX} characters: it is the proof"
        )));
    }
    let target = target(&gateway, &caller, &body)?;
    let source = if body.import {
        ConsentSource::Import
    } else {
        ConsentSource::Operator
    };
    let proof = ConsentProof {
        by: Some(caller.name.clone()),
        reason: Some(reason.to_owned()),
        ..ConsentProof::new(gateway.store.now(), body.change, source)
    };
    tracing::info!(
    event = "api_consent_recorded",
           by = %caller.name, identifier = %mask_identifier(&target.identity.identifier), scope = %mask_identifier(&target.scope),
           change = ?body.change, "consent recorded"
       );
    let set = SetConsent {
        identity: target.identity,
        scope: target.scope,
        proof,
    };
    let entry = gateway.store.set_consent(target.org, set).await?;
    let slug = gateway.store.slug(target.org);
    Ok(HttpResponse::Ok().json(shapes::consent(&slug, &entry)))
}

fn target(gateway: &Gateway, caller: &Caller, body: &Body) -> Result<Target, Problem> {
    match (&body.channel, &body.scope) {
        (Some(channel), None) => by_channel(gateway, caller, channel, body),
        (None, Some(scope)) => by_scope(gateway, caller, scope, body),
        _ => Err(Problem::invalid(
            "one of \"channel\" and \"scope\" is needed; scope \"*\" is the whole organization",
        )),
    }
}

fn by_channel(
    gateway: &Gateway,
    caller: &Caller,
    id: &str,
    body: &Body,
) -> Result<Target, Problem> {
    let channel = channels::find(gateway, caller, id)
        .map_err(|_| Problem::invalid(format!("there is no channel \"{id}\"")))?;
    let Some(facts) = &channel.facts else {
        let reason = channel.down_reason().unwrap_or_default();
        return Err(Problem::conflict(
            "channel_down",
            format!("what channel {id} sends from is not known now: {reason}"),
        ));
    };
    Ok(Target {
        org: channel.org,
        identity: identity(body, &facts.space)?,
        scope: channel.consent_scope().to_owned(),
    })
}

fn by_scope(
    gateway: &Gateway,
    caller: &Caller,
    scope: &str,
    body: &Body,
) -> Result<Target, Problem> {
    let printable = !scope.is_empty() && !scope.chars().any(char::is_control);
    if !printable || scope.len() > SCOPE_BYTES_MAX {
        return Err(Problem::invalid(format!(
            "\"scope\" must be an address of ours, a channel without one, or \"{EVERY_SENDER}\""
        )));
    }
    let space = match body.identifier.as_str() {
        _ if body.space.is_some() => "",
        number if number.starts_with('+') => "phone",
        address if address.contains('@') => "email",
        _ => {
            return Err(Problem::invalid(
                "\"space\" is needed, such as \"phone\" or \"whatsapp\"",
            ));
        }
    };
    Ok(Target {
        org: organization(gateway, caller, body.organization.as_deref())?,
        identity: identity(body, space)?,
        scope: scope.to_owned(),
    })
}

fn identity(body: &Body, space: &str) -> Result<Identity, Problem> {
    let space = body.space.as_deref().unwrap_or(space);
    if space.is_empty() || space.len() > 32 || !space.bytes().all(|b| b.is_ascii_lowercase()) {
        return Err(Problem::invalid("\"space\" is not one"));
    }
    Ok(Identity {
        space: space.to_owned(),
        identifier: normal_address(space, &body.identifier)?,
    })
}

/// The organization named, or the only one that the caller sees.
fn organization(gateway: &Gateway, caller: &Caller, slug: Option<&str>) -> Result<OrgId, Problem> {
    let visible = caller.organizations(gateway);
    match slug {
        Some(slug) => visible
            .into_iter()
            .find(|org| gateway.store.slug(*org) == slug)
            .ok_or_else(|| Problem::invalid(format!("there is no organization \"{slug}\""))),
        None if visible.len() == 1 => Ok(visible[0]),
        None => Err(Problem::invalid("\"organization\" is needed")),
    }
}

/// Every entry with all its proofs as JSON lines, read page by page while it is sent.
pub(super) async fn export(gateway: web::Data<Gateway>, caller: Caller) -> HttpResponse {
    let export = Export {
        store: gateway.store.clone(),
        organizations: caller.organizations(&gateway),
        after: None,
    };
    let lines = stream::try_unfold(export, |export| async {
        let read = web::block(move || export.next()).await;
        read.map_err(|error| StoreError::Failed(error.to_string()))?
    });
    HttpResponse::Ok()
        .content_type("application/x-ndjson")
        .streaming(lines)
}

/// An export under way.
struct Export {
    store: Store,
    /// Those still to come, the first one begun.
    organizations: Vec<OrgId>,
    after: Option<ConsentCursor>,
}

impl Export {
    /// The lines of the next page; none at the end.
    fn next(mut self) -> Result<Option<(Bytes, Self)>, StoreError> {
        let all = ConsentFilter::default();
        while let Some(org) = self.organizations.first().copied() {
            let page = self
                .store
                .consents(org, &all, self.after.take(), EXPORT_PAGE)?;
            let slug = self.store.slug(org);
            let lines = page
                .items
                .iter()
                .map(|entry| format!("{}\n", shapes::consent(&slug, entry)));
            let lines: String = lines.collect();
            self.after = page.next;
            if self.after.is_none() {
                self.organizations.remove(0);
            }
            if !lines.is_empty() {
                return Ok(Some((Bytes::from(lines), self)));
            }
        }
        Ok(None)
    }
}
