//! Messages: sent, looked at before, and read.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use trunkline_plugin_api::{Content, Identity};

use super::{channels, links, shapes};
use crate::{
    channel::Channel,
    gateway::Gateway,
    model::{Direction, MessageId, OrgId, Priority, Role, ThreadId},
    outbound::{self, AcceptError, SendRequest, Sender, accept},
    store::Idempotency,
    telemetry::trace,
    web::{auth::Caller, observe::request_id, problem::Problem},
};

/// Messages of a thread that are looked through for whoever wrote last.
const SCAN_MAX: usize = 200;
/// Characters of an idempotency key.
const KEY_CHARS_MAX: usize = 255;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    channel: String,
    #[serde(default)]
    to: Option<String>,
    content: Content,
    #[serde(default)]
    thread: Option<String>,
    #[serde(default)]
    reply_to: Option<String>,
    #[serde(default)]
    priority: Priority,
    #[serde(default)]
    send_at: Option<Timestamp>,
    #[serde(default)]
    metadata: Map<String, Value>,
}

/// A message that a caller wants sent, before anything is checked but its form.
struct Wanted {
    channel: Arc<Channel>,
    sender: Sender,
    request: SendRequest,
}

pub(super) async fn send(
    gateway: web::Data<Gateway>,
    caller: Caller,
    request: HttpRequest,
    body: web::Json<Value>,
) -> Result<HttpResponse, Problem> {
    let Wanted {
        channel,
        sender,
        request,
    } = wanted(&gateway, &caller, &request, body.into_inner())?;
    let policy = gateway.ingress.policy();
    let by = request.request.as_deref().map(uuid::Uuid::try_parse);
    let trace = by.and_then(Result::ok).map(|by| trace::root("accept", by));
    let trace = trace.unwrap_or_default();
    trace.note("channel", || channel.id.to_string());
    let id = trace
        .run(accept(&gateway.gate, &channel, policy, sender, request))
        .await
        .map_err(|error| problem(&gateway, &channel, error))?;
    channel.queue.notify_one();
    Ok(HttpResponse::Accepted().json(json!({ "id": id.to_string(), "status": "queued" })))
}

/// What sending the same body would do; nothing is stored.
pub(super) async fn preview(
    gateway: web::Data<Gateway>,
    caller: Caller,
    request: HttpRequest,
    body: web::Json<Value>,
) -> Result<HttpResponse, Problem> {
    let wanted = wanted(&gateway, &caller, &request, body.into_inner())?;
    let channel = &wanted.channel;
    let (gate, sender) = (&gateway.gate, &wanted.sender);
    let preview = outbound::preview(gate, channel, sender, &wanted.request)
        .await
        .map_err(|error| problem(&gateway, channel, error))?;
    Ok(HttpResponse::Ok().json(shapes::preview(channel, &preview)))
}

/// A refusal; where the recipient has to write first, with the link by which they can.
fn problem(gateway: &Gateway, channel: &Channel, error: AcceptError) -> Problem {
    let link = match &error {
        AcceptError::WindowClosed { .. } => links::link(gateway, channel, None),
        _ => None,
    };
    Problem::from(error).with_link(link)
}

fn wanted(
    gateway: &Gateway,
    caller: &Caller,
    request: &HttpRequest,
    body: Value,
) -> Result<Wanted, Problem> {
    caller.must_be(Role::Admin)?;
    let idempotency = idempotency(request, &body)?;
    let body: Body = serde_json::from_value(body).map_err(|error| {
        Problem::invalid(format!("the message is not what is expected: {error}"))
    })?;
    let channel = channels::find(gateway, caller, &body.channel).map_err(|_| {
        let detail = format!("there is no channel \"{}\"", body.channel);
        Problem::new(
            actix_web::http::StatusCode::UNPROCESSABLE_ENTITY,
            "unknown_channel",
            detail,
        )
    })?;
    let to = recipient(gateway, channel.org, &body)?;
    Ok(Wanted {
        channel,
        sender: Sender {
            kind: caller.author(),
            name: Some(caller.name.clone()),
        },
        request: SendRequest {
            to,
            content: body.content,
            reply_to: body.reply_to,
            priority: body.priority,
            send_at_ms: body.send_at.map(Timestamp::as_millisecond),
            metadata: body.metadata,
            request: request_id(request),
            idempotency,
        },
    })
}

/// The address given; else that of the thread's newest inbound message on this channel's space, where
/// it is still one of the contact; else the contact's first one there.
fn recipient(gateway: &Gateway, org: OrgId, body: &Body) -> Result<String, Problem> {
    if let Some(to) = &body.to {
        return Ok(to.clone());
    }
    let Some(thread) = &body.thread else {
        return Err(Problem::invalid("\"to\" or \"thread\" is needed"));
    };
    let id: ThreadId = thread
        .parse()
        .map_err(|_| Problem::invalid("\"thread\" is not the id of a thread"))?;
    let space = gateway
        .registry
        .get(&body.channel)
        .and_then(|channel| channel.facts.as_ref().map(|facts| facts.space.clone()));
    let thread = gateway
        .store
        .thread(org, id)?
        .ok_or_else(|| Problem::invalid("there is no such thread"))?;
    let contact = gateway.store.contact(org, thread.contact)?;
    let identities = contact.into_iter().flat_map(|contact| contact.identities);
    let own: Vec<Identity> = identities
        .map(|known| known.identity)
        .filter(|known| Some(&known.space) == space.as_ref())
        .collect();
    let last = match own.len() {
        0 | 1 => None,
        _ => wrote_last(gateway, org, id, &own)?,
    };
    last.or_else(|| own.into_iter().next())
        .map(|known| known.identifier)
        .ok_or_else(|| {
            Problem::invalid("the contact of this thread has no address for this channel")
        })
}

/// Which of these wrote last in a thread, as far back as is looked.
fn wrote_last(
    gateway: &Gateway,
    org: OrgId,
    thread: ThreadId,
    known: &[Identity],
) -> Result<Option<Identity>, Problem> {
    let page = gateway.store.thread_messages(org, thread, None, SCAN_MAX)?;
    let mut peers = page
        .items
        .into_iter()
        .filter(|message| message.direction == Direction::Inbound)
        .map(|message| message.peer);
    Ok(peers.find(|peer| known.contains(peer)))
}

/// The caller's key, and a hash of what it stands for. Keys are those of the organization.
fn idempotency(request: &HttpRequest, body: &Value) -> Result<Option<Idempotency>, Problem> {
    let Some(key) = request.headers().get("idempotency-key") else {
        return Ok(None);
    };
    let key = key
        .to_str()
        .ok()
        .filter(|key| !key.is_empty() && key.len() <= KEY_CHARS_MAX);
    let key = key.ok_or_else(|| {
        Problem::invalid(format!(
            "Idempotency-Key must have 1 to {KEY_CHARS_MAX} visible characters"
        ))
    })?;
    Ok(Some(Idempotency {
        key: key.to_owned(),
        request: Sha256::digest(canonical(body).as_bytes()).into(),
    }))
}

/// The same text for bodies that differ only in the order of their keys.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            let members: Vec<String> = keys
                .into_iter()
                .map(|key| format!("{}:{}", Value::from(key.as_str()), canonical(&map[key])))
                .collect();
            format!("{{{}}}", members.join(","))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(canonical).collect();
            format!("[{}]", items.join(","))
        }
        other => other.to_string(),
    }
}

pub(super) async fn show(
    gateway: web::Data<Gateway>,
    caller: Caller,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let id: MessageId = id.parse().map_err(|_| Problem::not_found("message"))?;
    for org in caller.organizations(&gateway) {
        if let Some(message) = gateway.store.message(org, id)? {
            let slug = gateway.store.slug(org);
            return Ok(HttpResponse::Ok().json(shapes::message(&slug, &message)));
        }
    }
    Err(Problem::not_found("message"))
}
