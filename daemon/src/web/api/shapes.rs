//! The JSON of the API, made from the model in one place.

mod message;

use jiff::Timestamp;
use serde_json::{Value, json};
use trunkline_plugin_api::Front;

use self::message::failure;
pub(super) use self::message::{media_file, message, messages};
use super::windows;
use crate::{
    channel::Channel,
    gateway::{Comeback, Gateway, ReloadReport},
    model::{
        ApiToken, ConsentEntry, ConsentProof, Contact, Health, Millis, OutboxItem, Thread,
        TurnRecord, User, WebhookEvent,
    },
    outbound::{self, Preview},
    store::DayUse,
};

/// RFC 3339 in UTC with milliseconds.
pub(super) fn time(at_ms: Millis) -> Value {
    Timestamp::from_millisecond(at_ms).map_or(Value::Null, |at| json!(format!("{at:.3}")))
}

pub(super) fn maybe_time(at_ms: Option<Millis>) -> Value {
    at_ms.map_or(Value::Null, time)
}

/// How a message would go out. What counts in no segments has null for them.
pub(super) fn preview(channel: &Channel, preview: &Preview) -> Value {
    let text = preview.text.as_ref();
    let segmented = text.filter(|plan| plan.encoding.is_some());
    let part = |(at, part): (usize, &String)| {
        let found = segmented.and_then(|plan| plan.segments.get(at));
        json!({
            "text": part,
            "encoding": found.map(|found| found.encoding),
            "units": found.map(|found| found.units),
            "segments": found.map(|found| found.segments),
        })
    };
    let parts: Option<Vec<Value>> =
        text.map(|plan| plan.parts.iter().enumerate().map(part).collect());
    json!({
        "channel": channel.id,
        "to": preview.to.identifier,
        "encoding": segmented.map(|plan| plan.encoding),
        "units": segmented.map(outbound::TextPlan::units_total),
        "segments": segmented.map(outbound::TextPlan::segments_total),
        "parts": parts.unwrap_or_default(),
        "folded": text.is_some_and(|plan| plan.folded),
        "max_len": preview.max_len,
        "window": preview.window.as_ref().map(windows::outlook),
        "template": preview.template.as_ref().map(windows::template_outlook),
        "daily": {
            "counts": preview.units,
            "unit": preview.unit,
            "resets_at": time(preview.resets_at_ms),
            "channel": day_use(&preview.caps, false),
            "organization": day_use(&preview.caps, true),
        },
    })
}

/// A cap of the day, null where there is none.
fn day_use(caps: &[DayUse], is_organization: bool) -> Value {
    let cap = caps
        .iter()
        .find(|cap| cap.is_organization == is_organization);
    cap.map_or(Value::Null, |cap| {
        let left = cap.max.saturating_sub(cap.used);
        json!({"max": cap.max, "used": cap.used, "left": left})
    })
}

pub(super) fn contact(organization: &str, contact: &Contact) -> Value {
    let merged = contact.merged.iter().map(|merged| {
        json!({
            "contact": merged.contact.to_string(),
            "at": time(merged.at_ms),
            "by": merged.by,
        })
    });
    let merged: Vec<Value> = merged.collect();
    let identities: Vec<Value> = contact
        .identities
        .iter()
        .map(|known| {
            json!({
                "space": known.identity.space,
                "identifier": known.identity.identifier,
                "primary": known.primary,
                "verified_at": maybe_time(known.verified_at_ms),
            })
        })
        .collect();
    json!({
        "id": contact.id.to_string(),
        "organization": organization,
        "name": contact.name,
        "identities": identities,
        "thread": contact.thread.map(|id| id.to_string()),
        "merged": merged,
        "merged_into": contact.merged_into.map(|id| id.to_string()),
        "created_at": time(contact.created_at_ms),
    })
}

/// One entry of the ledger with its proofs, oldest first.
pub(super) fn consent(organization: &str, entry: &ConsentEntry) -> Value {
    let proof = |proof: &ConsentProof| {
        json!({
            "at": time(proof.at_ms),
            "provider_at": maybe_time(proof.provider_at_ms),
            "change": proof.change,
            "source": proof.source,
            "channel": proof.channel,
            "message": proof.message.map(|id| id.to_string()),
            "event": proof.event.map(|id| id.to_string()),
            "reference": proof.reference,
            "keyword": proof.keyword,
            "by": proof.by,
            "reason": proof.reason,
        })
    };
    json!({
        "organization": organization,
        "space": entry.identity.space,
        "identifier": entry.identity.identifier,
        "scope": entry.scope,
        "state": entry.state,
        "since": time(entry.since_ms),
        "history": entry.history.iter().map(proof).collect::<Vec<_>>(),
        "dropped": entry.dropped,
    })
}

pub(super) fn thread(organization: &str, thread: &Thread) -> Value {
    json!({
        "id": thread.id.to_string(),
        "organization": organization,
        "contact": thread.contact.to_string(),
        "state": thread.state,
        "needs_human": thread.needs_human,
        "messages": thread.last_seq,
        "last_channel": thread.last_channel,
        "created_at": time(thread.created_at_ms),
        "updated_at": time(thread.updated_at_ms),
    })
}

pub(super) fn turn(turn: &TurnRecord) -> Value {
    json!({
        "thread": turn.thread.to_string(),
        "channel": turn.channel,
        "messages": turn.messages.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "first_at": time(turn.first_at_ms),
        "closed_at": time(turn.closed_at_ms),
    })
}

pub(super) fn event(event: &WebhookEvent) -> Value {
    json!({
        "id": event.id.to_string(),
        "channel": event.channel,
        "received_at": time(event.received_at_ms),
        "outcome": event.outcome,
        "signature_valid": event.signature_valid,
        "duplicate": event.outcome == crate::model::Outcome::Duplicate,
        "latency_us": event.latency_us,
        "messages": event.messages,
        "limited": event.limited,
        "method": event.method,
        "reason": event.reason,
    })
}

pub(super) fn outbox_item(item: &OutboxItem, channel_holds: bool) -> Value {
    let waits = !item.state.is_out_of_line();
    json!({
        "id": item.message.to_string(),
        "message": item.message.to_string(),
        "channel": item.channel,
        "state": item.state_shown(channel_holds),
        "attempts": item.attempts,
        "priority": item.priority,
        "accepted_at": time(item.accepted_at_ms),
        "next_attempt_at": if waits { time(item.due_ms) } else { Value::Null },
        "scheduled": item.scheduled,
        "error": item.error.as_ref().map(failure),
    })
}

pub(super) fn health(health: &Health) -> Value {
    json!({
        "status": health.status,
        "last_checked_at": maybe_time(health.last_checked_at_ms),
        "last_successful_send": maybe_time(health.last_successful_send_ms),
        "last_error": health.last_error,
        "latency_ms": health.latency_ms,
        "rate_limit_remaining": health.rate_limit_remaining,
        "account": health.account,
        "display_name": health.display_name,
        "address": health.address,
        "quality": health.quality,
    })
}

pub(super) fn channel(gateway: &Gateway, channel: &Channel) -> Value {
    let config = channel.config();
    let mut state = gateway.board.get(&channel.id);
    if state.last_error.is_none() {
        state.last_error = channel.down_reason();
    }
    let started = channel.started_at_ms();
    json!({
        "id": channel.id,
        "adapter": config.adapter,
        "medium": channel.medium(),
        "media": channel.facts.as_ref().map_or(Vec::new(), |facts| facts.media.clone()),
        "organization": config.organization,
        "display_name": config.display_name,
        "enabled": gateway.is_enabled(channel),
        "origin": "file",
        "can_receive": channel.facts.as_ref().is_some_and(|facts| facts.can_receive),
        "can_send": channel.facts.as_ref().is_some_and(|facts| facts.can_send),
        "health": health(&state),
        "configuration": configuration(gateway, channel),
        "webhook_url": webhook_url(gateway, channel),
        "chat_url": chat_url(gateway, channel),
        "started_at": if started == 0 { Value::Null } else { time(started) },
        "restarts": channel.restarts(),
        "isolation": config.isolation,
        "worker_pid": channel.worker_pid(),
        "plugin": channel.plugin.as_ref().map(|plugin| json!({
            "id": plugin.id(),
            "version": plugin.version(),
            "sha256": plugin.sha256(),
        })),
    })
}

/// The address to give to the provider; none where the channel takes no webhooks.
fn webhook_url(gateway: &Gateway, channel: &Channel) -> Option<String> {
    let facts = channel.facts.as_ref().filter(|_| channel.has_webhook())?;
    let path = channel.webhook_path();
    let url = gateway.settings.load().server.public_url.join(&path);
    Some(format!("{url}{}", facts.webhook_url_suffix))
}

/// The address of its visitors' page; none where it has none.
fn chat_url(gateway: &Gateway, channel: &Channel) -> Option<String> {
    let facts = channel.facts.as_ref()?;
    let path = format!("/chat/{}", channel.id);
    let is_chat = facts.fronts.contains(&Front::Chat);
    is_chat.then(|| gateway.settings.load().server.public_url.join(&path))
}

pub(super) fn token(token: &ApiToken) -> Value {
    json!({
        "id": token.id.to_string(),
        "name": token.name,
        "role": token.role,
        "organization": token.organization,
        "created_at": time(token.created_at_ms),
    })
}

pub(super) fn user(user: &User) -> Value {
    json!({
        "id": user.id.to_string(),
        "name": user.name,
        "role": user.role,
        "organization": user.organization,
        "disabled": user.disabled,
        "created_at": time(user.created_at_ms),
        "signed_in_at": user.signed_in_at_ms.map(time),
    })
}

/// What a reload did or would do.
pub(super) fn reload(report: &ReloadReport) -> Value {
    let mut shown = report.plan.as_json();
    let warnings: Vec<String> = report.warnings.iter().map(ToString::to_string).collect();
    shown["warnings"] = json!(warnings);
    let returned = report.returned.iter();
    let returned = returned.map(|(id, comeback)| (id.clone(), previous(comeback)));
    shown["returned"] = Value::Object(returned.collect());
    shown
}

/// Why a channel runs on its previous configuration.
fn previous(comeback: &Comeback) -> Value {
    json!({
        "since": time(comeback.since_ms),
        "reason": comeback.reason,
        "keys": comeback.keys,
    })
}

/// Which configuration a channel runs on.
fn configuration(gateway: &Gateway, channel: &Channel) -> Value {
    match gateway.comebacks.get(channel.id.as_str()) {
        Some(comeback) => {
            let mut shown = previous(&comeback);
            shown["state"] = json!("previous");
            shown
        }
        None => json!({"state": "current", "since": null, "reason": null, "keys": []}),
    }
}
