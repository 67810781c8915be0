//! Links by which a person begins a conversation with a channel.

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::Deserialize;
use serde_json::json;
use trunkline_plugin_api::Front;

use super::channels;
use crate::{
    channel::Channel,
    gateway::Gateway,
    model::contact_link,
    web::{auth::Caller, problem::Problem},
};

/// Bytes of a text in a link.
const TEXT_BYTES_MAX: usize = 2_000;

#[derive(Debug, Deserialize)]
pub(super) struct Query {
    text: Option<String>,
}

pub(super) async fn show(
    gateway: web::Data<Gateway>,
    caller: Caller,
    id: web::Path<String>,
    query: web::Query<Query>,
) -> Result<HttpResponse, Problem> {
    let channel = channels::find(&gateway, &caller, &id)?;
    let text = query.text.as_deref();
    if text.is_some_and(|text| text.len() > TEXT_BYTES_MAX) {
        let detail = format!("text is longer than {TEXT_BYTES_MAX} bytes");
        return Err(Problem::invalid(detail));
    }
    let link = link(&gateway, &channel, text).ok_or_else(|| {
        let id = &channel.id;
        let detail = format!(
            "it is not known where people write to channel {id}: set address in [channel.{id}], or test \
             its connection"
        );
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "no_address", detail)
    })?;
    let shown = json!({"channel": channel.id, "medium": channel.medium(), "link": link});
    Ok(HttpResponse::Ok().json(shown))
}

/// The link to a channel: to the address that is configured, else to the one that the last check
/// reported, else to the one that it sends from; to its page where the gateway serves one.
pub(in crate::web) fn link(
    gateway: &Gateway,
    channel: &Channel,
    text: Option<&str>,
) -> Option<String> {
    let facts = channel.facts.as_ref()?;
    if facts.fronts.contains(&Front::Chat) {
        let page = format!("/chat/{}", channel.id);
        return Some(gateway.settings.load().server.public_url.join(&page));
    }
    let configured = channel.config().address.clone();
    let reported = gateway.board.get(&channel.id).address;
    let own = facts.addresses.iter().cloned();
    configured
        .into_iter()
        .chain(reported)
        .chain(own)
        .find_map(|address| contact_link(channel.medium(), &address, text))
}
