//! Every change by the API, and every read that hands out much, is in the audit before its answer goes out.
//!
//! What is entered: who, which route, the ids in its path. Never a query or a body. Messages that are sent are not
//! entered: each names its author itself.

use std::collections::BTreeMap;

use actix_web::{
    HttpMessage as _, HttpRequest,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::Method,
    middleware::Next,
    web,
};

use super::auth::{Caller, identify};
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

/// Enters what a request did once it has succeeded.
pub(super) async fn record<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    if !may_be_entered(&request) {
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    let caller = identify(request.request());
    let gateway = request.app_data::<web::Data<Gateway>>().cloned();
    let path = steps(request.path());
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
    let entry = entry(&gateway, &caller, &answered, &pattern, &path);
    match gateway.store.audit(org, &entry).await {
        Ok(()) => Ok(answered),
        Err(error) => {
            tracing::error!(event = "audit_not_written", %error, action = %entry.action, "a change could not be entered into the audit");
            Err(super::problem::Problem::from(error).into())
        }
    }
}

/// Ordinary reads, nearly all there is, cost nothing.
fn may_be_entered(request: &ServiceRequest) -> bool {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let last = request.path().rsplit('/').next().unwrap_or_default();
    !is_read || matches!(last, "backup" | "export")
}

/// The route of a request that is to be entered.
fn entered(answered: &ServiceResponse<BoxBody>) -> Option<String> {
    if !answered.status().is_success() {
        return None;
    }
    let pattern = answered.request().match_pattern()?;
    let pattern = pattern.strip_prefix(ROOT)?.to_owned();
    let is_read = matches!(*answered.request().method(), Method::GET | Method::HEAD);
    let is_entered = if is_read {
        ENTERED_READS.contains(&pattern.as_str())
    } else {
        !NOT_ENTERED.contains(&pattern.as_str())
    };
    let dry_run = answered.request().query_string().contains("dry_run=true");
    (is_entered && !dry_run).then_some(pattern)
}

fn entry(
    gateway: &Gateway,
    caller: &Caller,
    answered: &ServiceResponse<BoxBody>,
    pattern: &str,
    path: &[String],
) -> AuditEntry {
    let method = answered.request().method();
    let action = action(method, pattern);
    let mut entry = AuditEntry::new(gateway.store.now(), caller.actor.clone(), action);
    for (step, value) in pattern.trim_start_matches('/').split('/').zip(path) {
        if step.starts_with('{') {
            entry = entry.on(singular(&path[0]), &clip(value));
        }
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
}
