//! Forms: a page on which a stranger leaves a message, and an address to be answered at.
//!
//! | route | what |
//! |---|---|
//! | `GET POST /forms/{slug}` | the form; a good one is stored, then the browser is led on |
//! | `GET /forms/{slug}/done` | thanks, and the link to go on in a chat |
//! | `GET /forms/form.css` | the style |
//!
//! ```text
//! POST ─ size ─ limits ─ trap ─ fields ─> first channel that may write to the address ─> lead: one commit ─> 303
//!                                                                                 └─> first answer, where configured
//! ```

mod limits;
mod page;
mod submission;

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web::{self, ServiceConfig},
};
use data_encoding::BASE32_NOPAD;
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use tracing::{info, warn};
use trunkline_plugin_api::{Content, Identity};

pub(super) use self::limits::Limits;
use self::{
    page::Place,
    submission::{BYTES_MAX, Faults, Submission, Valid},
};
use super::{client, public, wire};
use crate::{
    channel::Channel,
    config::Form,
    gateway::Gateway,
    inbound::Lead,
    model::{AuthorKind, Priority},
    outbound::{self, SendRequest, Sender, accept},
    store::Idempotency,
};

/// Characters of the code by which people and the form's message are matched.
const REFERENCE_CHARS: usize = 8;

/// The routes of forms. What is under `/forms` and none of these is looked for among webhooks.
pub(super) fn routes(config: &mut ServiceConfig, limits: &Arc<Limits>) {
    config
        .app_data(web::Data::from(limits.clone()))
        .route("/forms/form.css", web::get().to(page::style))
        .service(
            web::resource("/forms/{slug}")
                .route(web::get().to(show))
                .route(web::post().to(take))
                .default_service(web::to(public::webhook)),
        )
        .service(
            web::resource("/forms/{slug}/done")
                .route(web::get().to(done))
                .default_service(web::to(public::webhook)),
        );
}

fn find(gateway: &Gateway, slug: &str) -> Option<Form> {
    gateway.settings.load().forms.get(slug).cloned()
}

fn not_found() -> HttpResponse {
    HttpResponse::NotFound().finish()
}

async fn show(gateway: web::Data<Gateway>, slug: web::Path<String>) -> HttpResponse {
    let Some(form) = find(&gateway, &slug) else {
        return not_found();
    };
    let place = Place {
        base: ".",
        slug: &slug,
    };
    page::form(&place, &form, &Submission::default(), &Faults::new())
}

async fn take(
    gateway: web::Data<Gateway>,
    limits: web::Data<Limits>,
    slug: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> HttpResponse {
    let Some(form) = find(&gateway, &slug) else {
        return not_found();
    };
    let body = match wire::read(&gateway, &request, payload, BYTES_MAX).await {
        Ok(body) => body,
        Err(refused) => return public::refuse_body(refused.status, refused.rest).await,
    };
    let place = Place {
        base: ".",
        slug: &slug,
    };
    let submission = Submission::read(&form, &body);
    let valid = match submission.check(&form) {
        Ok(valid) => valid,
        Err(faults) => return page::form(&place, &form, &submission, &faults),
    };
    let reference = reference(&valid);
    if submission.is_trapped() {
        info!(event = "form_spam", form = %slug, "a form was filled in by a program: it is thrown away");
        return lead_on(&slug, &reference);
    }
    let address = client::address(&request, &gateway.settings.load().server.trusted_proxies);
    if limits.is_over(&slug, &form, address) {
        warn!(event = "form_limited", form = %slug, "more forms came than its limits allow");
        let words = "Too many messages came in. Please try again later.";
        return page::refused(
            StatusCode::TOO_MANY_REQUESTS,
            &place,
            &form,
            &submission,
            words,
        );
    }
    match keep(&gateway, &slug, &form, &valid, &reference).await {
        Ok(()) => lead_on(&slug, &reference),
        Err(why) => {
            warn!(event = "form_not_stored", form = %slug, why, "a form could not be stored");
            let words = "Your message could not be taken. Please try again in a moment.";
            page::refused(
                StatusCode::SERVICE_UNAVAILABLE,
                &place,
                &form,
                &submission,
                words,
            )
        }
    }
}

/// The next page is fetched by itself, so that reloading it sends nothing twice.
fn lead_on(slug: &str, reference: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((
            header::LOCATION,
            format!("{slug}/done?reference={reference}"),
        ))
        .finish()
}

/// Stores the lead, and answers it where that is configured.
async fn keep(
    gateway: &Gateway,
    slug: &str,
    form: &Form,
    valid: &Valid,
    reference: &str,
) -> Result<(), String> {
    let (channel, to, may_speak) = first_that_may_speak(gateway, form, valid)
        .await
        .ok_or("no channel of the form has an address of this person")?;
    let mut metadata = Map::new();
    metadata.insert("form".into(), slug.into());
    metadata.insert("reference".into(), reference.into());
    for (name, value) in [("phone", &valid.phone), ("email", &valid.email)] {
        if let Some(value) = value {
            metadata.insert(name.into(), Value::from(value.as_str()));
        }
    }
    let lead = Lead {
        id: format!("form:{}", valid.nonce),
        from: to.clone(),
        name: valid.name.clone(),
        text: valid.message.clone(),
        metadata,
    };
    let taken = gateway.ingress.take_lead(&channel, lead).await;
    taken.map_err(|error| error.to_string())?;
    if may_speak && !form.reply.is_empty() {
        answer(gateway, form, valid, &channel, to).await;
    }
    Ok(())
}

/// The first channel that may write to the person, and their address there; where none may now, the
/// first one that has an address.
async fn first_that_may_speak(
    gateway: &Gateway,
    form: &Form,
    valid: &Valid,
) -> Option<(Arc<Channel>, Identity, bool)> {
    let mut reachable = None;
    for id in &form.channels {
        let Some(channel) = gateway.registry.get(id) else {
            continue;
        };
        let Some(to) = address_on(&channel, valid) else {
            continue;
        };
        let request = first_answer(form, valid, &to);
        let (gate, sender) = (&gateway.gate, sender());
        if outbound::preview(gate, &channel, &sender, &request)
            .await
            .is_ok()
        {
            return Some((channel, to, true));
        }
        reachable = reachable.or(Some((channel, to, false)));
    }
    reachable
}

/// The person's address in the space of a channel.
fn address_on(channel: &Channel, valid: &Valid) -> Option<Identity> {
    let space = channel.facts.as_ref()?.space.as_str();
    let address = match space {
        "phone" | "whatsapp" => valid.phone.as_ref(),
        "email" => valid.email.as_ref(),
        _ => None,
    };
    address.map(|address| Identity::new(space, address))
}

fn sender() -> Sender {
    Sender {
        kind: AuthorKind::System,
        name: None,
    }
}

fn first_answer(form: &Form, valid: &Valid, to: &Identity) -> SendRequest {
    let text = match form.reply.as_str() {
        "" => form.thanks.as_str(),
        reply => reply,
    };
    let request = Sha256::digest(text.as_bytes()).into();
    SendRequest {
        to: to.identifier.clone(),
        content: Content::text(text),
        reply_to: None,
        priority: Priority::Reply,
        send_at_ms: None,
        metadata: Map::new(),
        request: None,
        idempotency: Some(Idempotency {
            key: format!("form:{}", valid.nonce),
            request,
        }),
    }
}

async fn answer(
    gateway: &Gateway,
    form: &Form,
    valid: &Valid,
    channel: &Arc<Channel>,
    to: Identity,
) {
    let request = first_answer(form, valid, &to);
    let policy = gateway.ingress.policy();
    match accept(&gateway.gate, channel, policy, sender(), request).await {
        Ok(_) => channel.queue.notify_one(),
        Err(error) => {
            info!(event = "form_not_answered", channel = %channel.id, %error, "a lead is not answered by itself");
        }
    }
}

/// A short code that people can read out.
fn reference(valid: &Valid) -> String {
    let hash = Sha256::digest(valid.nonce.as_bytes());
    let mut code = BASE32_NOPAD.encode(&hash);
    code.truncate(REFERENCE_CHARS);
    code
}

#[derive(Debug, Deserialize)]
struct Reference {
    #[serde(default)]
    reference: String,
}

async fn done(
    gateway: web::Data<Gateway>,
    slug: web::Path<String>,
    query: web::Query<Reference>,
) -> HttpResponse {
    let Some(form) = find(&gateway, &slug) else {
        return not_found();
    };
    let is_code = query.reference.len() == REFERENCE_CHARS
        && query
            .reference
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric());
    let reference = if is_code {
        query.reference.as_str()
    } else {
        ""
    };
    let text = form.continue_text.replace("{reference}", reference);
    let link = gateway
        .registry
        .get(&form.continue_on)
        .and_then(|channel| super::api::link(&gateway, &channel, Some(&text)));
    let place = Place {
        base: "..",
        slug: &slug,
    };
    page::done(&place, &form, link)
}
