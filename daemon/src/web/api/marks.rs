//! Read marks and typing, to whoever wrote last in a thread; and whether a visitor is there.

use std::sync::Arc;

use actix_web::{HttpResponse, http::StatusCode, web};
use serde_json::json;
use trunkline_plugin_api::{ErrorClass, Front};

use super::threads;
use crate::{
    channel::Channel,
    gateway::{Gateway, MarkError},
    model::{Direction, Message, OrgId, Role, Thread},
    outbound::Presence,
    web::{auth::Caller, problem::Problem},
};

/// Messages of a thread that are looked through for the last one that came in.
const SCAN_MAX: usize = 200;

/// Marks the last message that came in as read, where its channel can.
pub(super) async fn read(
    gateway: web::Data<Gateway>,
    caller: Caller,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    mark(&gateway, &caller, &id, false).await
}

/// The same, and shows that an answer is being written; for a few seconds, so it is called again
/// while that goes on.
pub(super) async fn typing(
    gateway: web::Data<Gateway>,
    caller: Caller,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    mark(&gateway, &caller, &id, true).await
}

async fn mark(
    gateway: &Gateway,
    caller: &Caller,
    id: &str,
    typing: bool,
) -> Result<HttpResponse, Problem> {
    caller.must_be(Role::Admin)?;
    let (org, thread) = threads::find(gateway, caller, id)?;
    let message = last_inbound(gateway, org, &thread)?;
    let channel = gateway
        .registry
        .get(message.channel.as_str())
        .filter(|channel| channel.org == org)
        .ok_or_else(|| Problem::conflict("channel_gone", "the channel it came by is gone"))?;
    gateway.mark_read(&channel, &message, typing).await?;
    Ok(HttpResponse::Ok().json(json!({ "message": message.id.to_string() })))
}

fn last_inbound(gateway: &Gateway, org: OrgId, thread: &Thread) -> Result<Message, Problem> {
    let page = gateway
        .store
        .thread_messages(org, thread.id, None, SCAN_MAX)?;
    let mut messages = page.items.into_iter();
    messages
        .find(|message| message.direction == Direction::Inbound)
        .ok_or_else(|| Problem::conflict("nothing_received", "nothing came in in this thread"))
}

impl From<MarkError> for Problem {
    fn from(error: MarkError) -> Self {
        let error = match error {
            MarkError::Store(error) => return error.into(),
            MarkError::Provider(error) => error,
        };
        let status = match error.class {
            ErrorClass::Unsupported => StatusCode::UNPROCESSABLE_ENTITY,
            _ => StatusCode::BAD_GATEWAY,
        };
        let code = match error.class {
            ErrorClass::Unsupported => "unsupported",
            _ => "provider",
        };
        Self::new(status, code, error.message)
    }
}

/// Whether the thread's person has a chat page open, and writes.
pub(super) async fn presence(
    gateway: web::Data<Gateway>,
    caller: Caller,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let (org, thread) = threads::find(&gateway, &caller, &id)?;
    let contact = gateway.store.contact(org, thread.contact)?;
    let routes = gateway.registry.routes();
    let chats: Vec<&Arc<Channel>> = routes
        .channels()
        .filter(|channel| channel.org == org && is_chat(channel))
        .collect();
    let mut found = Presence::default();
    for known in contact.iter().flat_map(|contact| &contact.identities) {
        for channel in &chats {
            if channel.facts.as_ref().map(|facts| &facts.space) != Some(&known.identity.space) {
                continue;
            }
            let visitor = &known.identity.identifier;
            let there = gateway.sessions().presence(&channel.id, visitor);
            found.online |= there.online;
            found.typing |= there.typing;
        }
    }
    Ok(HttpResponse::Ok().json(json!({ "online": found.online, "typing": found.typing })))
}

fn is_chat(channel: &Channel) -> bool {
    let facts = channel.facts.as_ref();
    facts.is_some_and(|facts| facts.fronts.contains(&Front::Chat))
}
