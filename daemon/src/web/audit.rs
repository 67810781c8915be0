//! Every change by the API, and every read that hands out much, is in the audit before its answer goes out.
//!
//! What is entered: who, which route, the ids in its path. Never a query or a body. Messages that are sent are not
//! entered: each names its author itself.

use std::collections::BTreeMap;

use actix_web::{
    HttpMessage as _, HttpRequest,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{Method, StatusCode},
    middleware::Next,
    web,
};
use serde::Deserialize;
use tracing::Instrument as _;

use super::{
    auth::{Caller, identify},
    problem::Problem,
};
use crate::{
    gateway::Gateway,
    model::{AuditEntry, OrgId},
};

/// Changes that are none, and those that are kept elsewhere with who made them.
const NOT_ENTERED: [&str; 7] = [
    "/messages",
    "/messages/preview",
    "/templates/preview",
    "/media",
    "/threads/{id}/read",
    "/threads/{id}/typing",
    "/channels/{id}/doctor",
];
/// Reads that are entered.
const ENTERED_READS: [&str; 4] = [
    "/backup",
    "/export",
    "/consents/export",
    "/contacts/{id}/export",
];
/// Changes that have a dry run, which changes nothing.
const WITH_DRY_RUN: [&str; 3] = ["/import", "/reload", "/webhook-events/{id}/replay"];
/// Where the API lies.
const ROOT: &str = "/api/v1";

/// What a handler knows of its objects that its path does not say: ids alone.
#[derive(Default)]
struct Noted(BTreeMap<String, String>);

/// Has the id of an object entered with the request that is being answered.
pub(super) fn note(request: &HttpRequest, kind: &str, id: &impl ToString) {
    let mut extensions = request.extensions_mut();
    if !extensions.contains::<Noted>() {
        extensions.insert(Noted::default());
    }
    if let Some(noted) = extensions.get_mut::<Noted>() {
        noted.0.insert(kind.to_owned(), id.to_string());
    }
}

/// Carries a request out and enters what it did once it has succeeded. A change is carried out and entered as a task
/// of its own, to the end even where the connection breaks off.
pub(super) async fn record<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    if is_read(request.method()) {
        return carry_out(request, next).await;
    }
    let task = actix_web::rt::spawn(carry_out(request, next).in_current_span());
    task.await.unwrap_or_else(|_| {
        let detail = "the request was not carried out to its end; see the log";
        Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail).into())
    })
}

async fn carry_out<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    if !may_be_entered(&request) {
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    let caller = identify(request.request());
    let gateway = request.app_data::<web::Data<Gateway>>().cloned();
    let path = steps(request.match_info().as_str());
    // Looked up before: it may be gone afterwards.
    let org = match (&gateway, &caller) {
        (Some(gateway), Ok(caller)) => organization(gateway, caller, &path),
        _ => OrgId::SYSTEM,
    };
    let answered = next.call(request).await?.map_into_boxed_body();
    let (Some(gateway), Ok(caller)) = (gateway, caller) else {
        return Ok(answered);
    };
    let Some(pattern) = entered(&answered) else {
        return Ok(answered);
    };
    let entry = entry(&gateway, &caller, &answered, &pattern);
    match gateway.store.audit(org, &entry).await {
        Ok(()) => Ok(answered),
        Err(error) => {
            tracing::error!(event = "audit_not_written", %error, action = %entry.action, "a change could not be entered into the audit");
            Err(Problem::from(error).into())
        }
    }
}

fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// Ordinary reads, nearly all there is, cost nothing. The path is the decoded one that routes are found by.
fn may_be_entered(request: &ServiceRequest) -> bool {
    let path = request.match_info().as_str();
    let last = path.rsplit('/').next().unwrap_or_default();
    !is_read(request.method()) || matches!(last, "backup" | "export")
}

/// The route of a request that is to be entered.
fn entered(answered: &ServiceResponse<BoxBody>) -> Option<String> {
    if !answered.status().is_success() {
        return None;
    }
    let pattern = answered.request().match_pattern()?;
    let pattern = pattern.strip_prefix(ROOT)?.to_owned();
    let method = answered.request().method();
    let is_entered = if is_read(method) {
        ENTERED_READS.contains(&pattern.as_str())
    } else {
        !NOT_ENTERED.contains(&pattern.as_str())
    };
    // A sign-in is entered by its handler, which knows who it is.
    let signs_in = pattern == "/session" && *method == Method::POST;
    let dry_run = is_dry_run(&pattern, answered.request().query_string());
    (is_entered && !signs_in && !dry_run).then_some(pattern)
}

#[derive(Deserialize)]
struct Trial {
    #[serde(default)]
    dry_run: bool,
}

/// Whether a request changed nothing. The query is read as the handlers read it.
fn is_dry_run(pattern: &str, query: &str) -> bool {
    let trial = web::Query::<Trial>::from_query(query);
    WITH_DRY_RUN.contains(&pattern) && trial.is_ok_and(|trial| trial.dry_run)
}

fn entry(
    gateway: &Gateway,
    caller: &Caller,
    answered: &ServiceResponse<BoxBody>,
    pattern: &str,
) -> AuditEntry {
    let method = answered.request().method();
    let first = pattern.trim_start_matches('/').split('/').next();
    let kind = singular(first.unwrap_or_default());
    let action = action(method, pattern);
    let mut entry = AuditEntry::new(gateway.store.now(), caller.actor.clone(), action);
    for (_, id) in answered.request().match_info().iter() {
        entry = entry.on(kind, &clip(id));
    }
    let extensions = answered.request().extensions();
    for (kind, id) in extensions.get::<Noted>().iter().flat_map(|noted| &noted.0) {
        entry = entry.on(kind, &clip(id));
    }
    entry.with("route", format!("{method} {ROOT}{pattern}"))
}

fn clip(id: &str) -> String {
    id.chars().take(100).collect()
}

/// `POST /channels/{id}/disable` is `channel.disable`, `DELETE /tokens/{id}` is `token.delete`.
fn action(method: &Method, pattern: &str) -> String {
    if pattern == "/reload" {
        return "configuration.reload".into();
    }
    let mut steps = pattern.trim_start_matches('/').split('/');
    let first = steps.next().unwrap_or_default();
    let verb = steps.rfind(|step| !step.starts_with('{'));
    let verb = verb.unwrap_or(match *method {
        Method::POST => "create",
        Method::PUT | Method::PATCH => "update",
        Method::DELETE => "delete",
        _ => "read",
    });
    format!("{}.{verb}", singular(first))
}

fn singular(kind: &str) -> &str {
    kind.strip_suffix('s').unwrap_or(kind)
}

/// The steps of a path behind the API's root.
fn steps(path: &str) -> Vec<String> {
    let path = path.strip_prefix(ROOT).unwrap_or(path);
    let steps = path.trim_start_matches('/').split('/');
    steps.map(str::to_owned).collect()
}

/// Whose object a path names; the installation where it names none.
fn organization(gateway: &Gateway, caller: &Caller, path: &[String]) -> OrgId {
    let own = caller.organizations(gateway);
    let confined = caller.organization.as_ref().and(own.first().copied());
    let fallback = confined.unwrap_or(OrgId::SYSTEM);
    let (Some(kind), Some(id)) = (path.first(), path.get(1)) else {
        return if own.len() == 1 && path.first().is_some_and(|kind| kind == "consents") {
            own[0]
        } else {
            fallback
        };
    };
    let store = &gateway.store;
    let holds = |org: &OrgId| match kind.as_str() {
        "contacts" => id.parse().is_ok_and(|id| {
            matches!(store.contact(*org, id), Ok(Some(_)))
                || matches!(store.erasure(*org, id), Ok(Some(_)))
        }),
        "threads" => id
            .parse()
            .is_ok_and(|id| matches!(store.thread(*org, id), Ok(Some(_)))),
        "messages" | "outbox" => id
            .parse()
            .is_ok_and(|id| matches!(store.message(*org, id), Ok(Some(_)))),
        _ => false,
    };
    if kind == "channels" {
        return gateway.registry.get(id).map_or(fallback, |found| found.org);
    }
    own.into_iter().find(holds).unwrap_or(fallback)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_named_by_their_routes() {
        let table = [
            (Method::POST, "/channels/{id}/disable", "channel.disable"),
            (Method::POST, "/tokens", "token.create"),
            (Method::DELETE, "/tokens/{id}", "token.delete"),
            (Method::POST, "/reload", "configuration.reload"),
            (Method::GET, "/consents/export", "consent.export"),
            (Method::POST, "/outbox/retry", "outbox.retry"),
            (Method::POST, "/contacts/{id}/erase", "contact.erase"),
        ];
        for (method, pattern, expected) in table {
            assert_eq!(action(&method, pattern), expected);
        }
    }

    #[test]
    fn only_what_has_a_dry_run_is_left_out_for_one() {
        let table = [
            ("/reload", "dry_run=true", true),
            ("/import", "organization=a&dry%5Frun=true", true),
            ("/webhook-events/{id}/replay", "dry_run=true", true),
            ("/reload", "", false),
            ("/reload", "dry_run=false", false),
            ("/reload", "x=dry_run=true", false),
            ("/import", "organization=dry_run%3Dtrue", false),
            ("/tokens", "dry_run=true", false),
            ("/contacts/{id}/erase", "dry_run=true", false),
        ];
        for (pattern, query, expected) in table {
            assert_eq!(is_dry_run(pattern, query), expected, "{pattern} {query}");
        }
    }
}
