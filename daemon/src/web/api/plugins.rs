//! Plugins: those that were found, loaded or not, and what is held against them.

use actix_web::{HttpResponse, http::StatusCode, web};
use serde_json::{Value, json};

use super::{paging::list as listed, shapes};
use trunkline_host::{Entry, Plugin, Refused};

use crate::{
    gateway::Gateway,
    model::{ChannelId, Role},
    web::{auth::Caller, problem::Problem},
};

/// Loaded, quarantined and refused plugins.
pub(super) async fn list(gateway: web::Data<Gateway>, _: Caller) -> HttpResponse {
    let found = gateway.plugins.load();
    let loaded = found.plugins().map(|plugin| loaded(&gateway, plugin));
    let refused = found.refused().iter();
    let refused = refused.map(|file| refused_file(&gateway, file));
    HttpResponse::Ok().json(listed(loaded.chain(refused).collect(), None))
}

/// One plugin with its manifest, as far as it is known.
pub(super) async fn show(
    gateway: web::Data<Gateway>,
    _: Caller,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let found = gateway.plugins.load();
    if let Some(plugin) = found.get(&id) {
        let mut shown = loaded(&gateway, &plugin);
        shown["manifest"] = json!(plugin.manifest());
        return Ok(HttpResponse::Ok().json(shown));
    }
    let held = |file: &&Refused| {
        let against = file.sha256.as_deref();
        let against = against.is_some_and(|sha256| gateway.quarantine().of_file(sha256).is_some());
        file.id.as_deref() == Some(id.as_str()) && against
    };
    match found.refused().iter().find(held) {
        Some(file) => Ok(HttpResponse::Ok().json(refused_file(&gateway, file))),
        None => Err(missing(found.why_missing(&id))),
    }
}

/// Lifts all that is held against a plugin and starts its channels; says how they are then.
pub(super) async fn release(
    gateway: web::Data<Gateway>,
    caller: Caller,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    caller.must_be(Role::Owner)?;
    caller.must_see_all()?;
    tracing::info!(event = "api_plugin_release", by = %caller.name, plugin = %*id, "release of a plugin");
    let released = gateway.release(&id).await?;
    if released.lifted.is_empty() {
        return Err(missing(format!("nothing is held against plugin {id}")));
    }
    let channels = released.channels.iter().map(|(channel, down)| {
        json!({"id": channel, "state": if down.is_some() { "down" } else { "up" }, "reason": down})
    });
    Ok(HttpResponse::Ok().json(json!({
        "id": *id,
        "lifted": released.lifted.iter().map(entry).collect::<Vec<_>>(),
        "channels": channels.collect::<Vec<_>>(),
    })))
}

fn missing(words: String) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", words)
}

fn loaded(gateway: &Gateway, plugin: &Plugin) -> Value {
    let against = gateway.quarantine().against(plugin.sha256());
    json!({
        "id": plugin.id(),
        "version": plugin.version(),
        "sha256": plugin.sha256(),
        "path": plugin.path().display().to_string(),
        "state": if against.is_empty() { "loaded" } else { "quarantined" },
        "reason": reason(&against),
        "pinned": is_pinned(gateway, plugin.id()),
        "quarantine": against.iter().map(entry).collect::<Vec<_>>(),
        "channels": channels(gateway, plugin.id()),
    })
}

fn refused_file(gateway: &Gateway, file: &Refused) -> Value {
    let against = file
        .sha256
        .as_deref()
        .map(|sha256| gateway.quarantine().against(sha256));
    let against = against.unwrap_or_default();
    let is_held = against.iter().any(|entry| entry.channel.is_none());
    let id = file.id.as_deref();
    json!({
        "id": id,
        "version": file.version,
        "sha256": file.sha256,
        "path": file.path.display().to_string(),
        "state": if is_held { "quarantined" } else { "refused" },
        "reason": if is_held { reason(&against) } else { Some(file.reason.clone()) },
        "pinned": id.is_some_and(|id| is_pinned(gateway, id)),
        "quarantine": against.iter().map(entry).collect::<Vec<_>>(),
        "channels": id.filter(|_| is_held).map_or_else(Vec::new, |id| channels(gateway, id)),
    })
}

/// What is held against a file, in one line.
fn reason(against: &[Entry]) -> Option<String> {
    let words = |entry: &Entry| match &entry.channel {
        None => entry.reason.clone(),
        Some(channel) => format!("quarantined for {channel}: {}", entry.reason),
    };
    let words: Vec<String> = against.iter().map(words).collect();
    (!words.is_empty()).then(|| words.join("; "))
}

fn entry(entry: &Entry) -> Value {
    json!({
        "sha256": entry.sha256,
        "version": entry.version,
        "channel": entry.channel,
        "reason": entry.reason,
        "at": shapes::time(entry.at_ms),
    })
}

fn is_pinned(gateway: &Gateway, id: &str) -> bool {
    gateway.settings.load().plugins.pins.contains_key(id)
}

fn channels(gateway: &Gateway, id: &str) -> Vec<ChannelId> {
    let routes = gateway.registry.routes();
    let uses = routes
        .channels()
        .filter(|channel| channel.config().adapter == id);
    uses.map(|channel| channel.id.clone()).collect()
}
