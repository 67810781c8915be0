//! Delivery reports of messages that nobody knows.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    channels,
    paging::{Paging, list as listed},
    shapes,
};
use crate::{
    gateway::Gateway,
    store::{Orphan, OrphanReport},
    web::{auth::Caller, problem::Problem},
};

#[derive(Debug, Deserialize)]
pub(super) struct Query {
    channel: String,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// Those of one channel.
pub(super) async fn list(
    gateway: web::Data<Gateway>,
    caller: Caller,
    query: web::Query<Query>,
) -> Result<HttpResponse, Problem> {
    let query = query.into_inner();
    let channel = channels::find(&gateway, &caller, &query.channel)?;
    let paging = Paging::new(query.limit, query.cursor);
    let (limit, after) = (paging.limit()?, paging.cursor::<String>()?);
    let page = gateway
        .store
        .orphans(channel.org, &channel.id, after.as_deref(), limit)?;
    let items = page.items.iter().map(shown).collect();
    Ok(HttpResponse::Ok().json(listed(items, page.next)))
}

fn shown(orphan: &Orphan) -> Value {
    let report = |report: &OrphanReport| {
        json!({
            "status": report.status,
            "at": shapes::time(report.at_ms),
            "source": report.source,
            "code": report.code,
        })
    };
    json!({
        "channel": orphan.channel,
        "external_id": orphan.external_id,
        "reference": orphan.reference,
        "reports": orphan.reports.iter().map(report).collect::<Vec<_>>(),
    })
}
