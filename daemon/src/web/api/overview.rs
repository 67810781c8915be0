//! Everything at a glance, in one answer: from memory, and from what was counted a moment ago.

use actix_web::{HttpResponse, web};
use serde_json::{Map, Value, json};

use super::shapes;
use crate::{
    channel::Channel,
    gateway::Gateway,
    metrics::{Sample, Survey},
    web::auth::Caller,
};

/// The channels that the caller may see, with what they did and what waits; the store and the process
/// for those who may see all.
pub(super) async fn show(gateway: web::Data<Gateway>, caller: Caller) -> HttpResponse {
    let sample = gateway.sample().await;
    let routes = gateway.registry.routes();
    let channels = routes
        .channels()
        .filter(|channel| caller.sees(&channel.config().organization));
    let channels: Vec<Value> = channels
        .map(|one| channel(&gateway, &sample, one))
        .collect();
    let open = caller.organizations(&gateway).into_iter();
    let open: u64 = open.map(|org| gateway.store.open_notifications(org)).sum();
    let whole = caller.must_see_all().is_ok();
    HttpResponse::Ok().json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "at": shapes::time(sample.now_ms),
        "channels": channels,
        "notifications_open": open,
        "store": whole.then(|| store(&sample)),
        "process": whole.then(|| sample.survey.as_deref().map(process)),
    }))
}

fn channel(gateway: &Gateway, sample: &Sample, channel: &Channel) -> Value {
    let config = channel.config();
    let health = gateway.board.get(&channel.id);
    let totals = gateway.metrics.totals(&channel.id);
    let mut queue = Map::new();
    let mut oldest_ms = None;
    let waiting = sample.survey.iter().flat_map(|survey| &survey.waiting);
    for waiting in waiting.filter(|waiting| waiting.channel == channel.id) {
        queue.insert(waiting.state.to_owned(), waiting.messages.into());
        if matches!(waiting.state, "queued" | "retrying") {
            let before = oldest_ms.unwrap_or(waiting.oldest_ms);
            oldest_ms = Some(before.min(waiting.oldest_ms));
        }
    }
    let heard_ms = channel.heard_at_ms();
    json!({
        "id": channel.id,
        "display_name": config.display_name,
        "adapter": config.adapter,
        "medium": channel.medium(),
        "organization": config.organization,
        "enabled": gateway.is_enabled(channel),
        "status": health.status,
        "running": channel.down_reason().is_none(),
        "restarts": channel.restarts(),
        "last_error": health.last_error.or_else(|| channel.down_reason()),
        "last_received": if heard_ms == 0 { Value::Null } else { shapes::time(heard_ms) },
        "last_successful_send": shapes::maybe_time(health.last_successful_send_ms),
        "received": totals.received,
        "sent": totals.sent,
        "failed": totals.failed,
        "rejected": totals.rejected,
        "queue": queue,
        "oldest_s": oldest_ms.map(|oldest_ms| (sample.now_ms - oldest_ms).max(0) / 1000),
    })
}

fn store(sample: &Sample) -> Value {
    let stats = &sample.store;
    let disk = sample
        .survey
        .as_ref()
        .map(|survey| survey.disk)
        .unwrap_or_default();
    json!({
        "position": stats.position,
        "queued": stats.queued,
        "sync_us_last": stats.sync_us_last,
        "failures": stats.failures,
        "failed": stats.failed,
        "log_bytes": disk.log_bytes,
        "index_bytes": disk.index_bytes,
        "snapshot_bytes": disk.snapshot_bytes,
        "disk_free_bytes": disk.free_bytes,
        "disk_size_bytes": disk.size_bytes,
    })
}

fn process(survey: &Survey) -> Value {
    let process = &survey.process;
    #[allow(clippy::cast_possible_truncation, reason = "a time of this age")]
    let started_ms = (process.started_seconds * 1000.0) as i64;
    json!({
        "cpu_seconds": process.cpu_seconds,
        "resident_bytes": process.resident_bytes,
        "open_fds": process.fds,
        "started_at": shapes::time(started_ms),
    })
}
