//! Message templates: listed, refreshed, looked at with their values.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};
use trunkline_plugin_api::TemplateCall;

use super::{
    channels,
    paging::{Paging, list as listed},
    shapes, windows,
};
use crate::{
    channel::Channel,
    gateway::Gateway,
    model::{Catalogue, CatalogueEntry, Role, is_sendable},
    web::{auth::Caller, problem::Problem},
};

#[derive(Debug, Deserialize)]
pub(super) struct Query {
    channel: Option<String>,
    name: Option<String>,
    status: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

impl Query {
    fn matches(&self, entry: &CatalogueEntry) -> bool {
        let template = &entry.template;
        let is_named = |name: &String| *name == template.name || *name == template.id;
        let has = |status: &String| status.eq_ignore_ascii_case(&template.status);
        self.name.as_ref().is_none_or(is_named) && self.status.as_ref().is_none_or(has)
    }
}

/// The templates of all channels, or of one, by channel, name and language. `channels` says as of
/// when each catalogue is, and why it could not be refreshed since.
pub(super) async fn list(
    gateway: web::Data<Gateway>,
    caller: Caller,
    query: web::Query<Query>,
) -> Result<HttpResponse, Problem> {
    let query = query.into_inner();
    let paging = Paging::new(query.limit, query.cursor.clone());
    let (limit, from) = (paging.limit()?, paging.cursor::<usize>()?.unwrap_or(0));
    if let Some(id) = &query.channel {
        channels::find(&gateway, &caller, id)?;
    }
    let routes = gateway.registry.routes();
    let wanted = |channel: &&std::sync::Arc<Channel>| {
        caller.sees(&channel.config().organization)
            && query
                .channel
                .as_ref()
                .is_none_or(|id| id == channel.id.as_str())
    };
    let (mut found, mut states) = (Vec::new(), Vec::new());
    for channel in routes.channels().filter(wanted) {
        let catalogue = gateway.store.catalogue(channel.org, &channel.id);
        let failure = gateway.templates.failure(&channel.id);
        if catalogue.is_none() && failure.is_none() {
            continue;
        }
        states.push(state(channel, catalogue.as_deref(), failure.as_deref()));
        let entries = catalogue
            .iter()
            .flat_map(|catalogue| catalogue.entries.clone());
        let matching = entries.filter(|entry| query.matches(entry));
        found.extend(matching.map(|entry| template(channel, &entry)));
    }
    let more = found.len() > from.saturating_add(limit);
    let items = found.into_iter().skip(from).take(limit).collect();
    let mut list = listed(items, more.then(|| (from + limit).to_string()));
    list["channels"] = states.into();
    Ok(HttpResponse::Ok().json(list))
}

fn state(channel: &Channel, catalogue: Option<&Catalogue>, failure: Option<&str>) -> Value {
    json!({
        "channel": channel.id,
        "templates": catalogue.map_or(0, |catalogue| catalogue.entries.len()),
        "refreshed_at": shapes::maybe_time(catalogue.map(|catalogue| catalogue.refreshed_at_ms)),
        "error": failure,
    })
}

fn template(channel: &Channel, entry: &CatalogueEntry) -> Value {
    let template = &entry.template;
    json!({
        "channel": channel.id,
        "id": template.id,
        "name": template.name,
        "language": template.language,
        "status": template.status,
        "sendable": is_sendable(&template.status),
        "category": template.category,
        "body": template.body,
        "variables": template.variables,
        "reason": template.reason,
        "changed_at": shapes::time(entry.changed_at_ms),
    })
}

/// Lists a channel's templates at its provider now.
pub(super) async fn refresh(
    gateway: web::Data<Gateway>,
    caller: Caller,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    caller.must_be(Role::Admin)?;
    let channel = channels::find(&gateway, &caller, &id)?;
    tracing::info!(event = "api_templates_refresh", by = %caller.name, channel = %channel.id, "templates are refreshed on demand");
    let refreshed = gateway.templates.refresh(&channel).await?;
    let mut shown = state(&channel, Some(&refreshed.catalogue), None);
    let changed = refreshed.changes.iter().map(|change| {
        json!({
            "name": change.name,
            "language": change.language,
            "status": change.status,
            "reason": change.reason,
        })
    });
    shown["changed"] = changed.collect::<Vec<_>>().into();
    Ok(HttpResponse::Ok().json(shown))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    channel: String,
    template: TemplateCall,
}

/// A template with its values in place, checked as a send would be to someone who has not written.
pub(super) async fn preview(
    gateway: web::Data<Gateway>,
    caller: Caller,
    wanted: web::Json<Wanted>,
) -> Result<HttpResponse, Problem> {
    let channel = channels::find(&gateway, &caller, &wanted.channel)?;
    let found = gateway
        .gate
        .check_template(&channel, None, &wanted.template)?;
    let mut shown = windows::template_outlook(&found);
    shown["channel"] = json!(channel.id);
    Ok(HttpResponse::Ok().json(shown))
}
