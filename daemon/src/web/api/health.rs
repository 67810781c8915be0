//! The history of a channel's health, for a chart.

use actix_web::{HttpResponse, web};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    channels,
    paging::{Paging, list as listed},
    shapes,
};
use crate::{
    gateway::Gateway,
    model::{HealthEntry, HealthEntryKind, Millis},
    web::{auth::Caller, problem::Problem},
};

/// How far back the history goes where the caller does not say.
const BACK_MS: Millis = 24 * 3600 * 1000;

#[derive(Debug, Deserialize)]
pub(super) struct Query {
    since: Option<Timestamp>,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// Changes and tests, which are kept, and the checks since the daemon was started; oldest first.
pub(super) async fn history(
    gateway: web::Data<Gateway>,
    caller: Caller,
    id: web::Path<String>,
    query: web::Query<Query>,
) -> Result<HttpResponse, Problem> {
    let channel = channels::find(&gateway, &caller, &id)?;
    let query = query.into_inner();
    let paging = Paging::new(query.limit, query.cursor);
    let (limit, after) = (paging.limit()?, paging.cursor::<Cursor>()?);
    let since_ms = query
        .since
        .map_or(gateway.store.now() - BACK_MS, Timestamp::as_millisecond);
    let mut entries = gateway.store.health_entries(channel.org, &channel.id)?;
    entries.extend(gateway.board.samples(&channel.id));
    let (page, next) = page(entries, since_ms, after, limit);
    let items = page.iter().map(entry).collect();
    let next = next.map(|next| next.to_string());
    Ok(HttpResponse::Ok().json(listed(items, next)))
}

fn entry(entry: &HealthEntry) -> Value {
    json!({
        "at": shapes::time(entry.at_ms),
        "kind": entry.kind,
        "from": entry.from,
        "status": entry.status,
        "reason": entry.reason,
        "latency_ms": entry.latency_ms,
    })
}

/// The entries from `since_ms` on and after a cursor, and where the next page begins.
fn page(
    mut entries: Vec<HealthEntry>,
    since_ms: Millis,
    after: Option<Cursor>,
    limit: usize,
) -> (Vec<HealthEntry>, Option<Cursor>) {
    // A check comes before the change that it made.
    entries.sort_by_key(|entry| (entry.at_ms, entry.kind == HealthEntryKind::Change));
    let from_ms = after.map_or(since_ms, |after| after.at_ms);
    entries.retain(|entry| entry.at_ms >= from_ms);
    let seen = after.map_or(0, |after| after.seen);
    let mut rest: Vec<HealthEntry> = entries.into_iter().skip(seen).collect();
    if rest.len() <= limit {
        return (rest, None);
    }
    rest.truncate(limit);
    let next = rest.last().map(|last| {
        let same = rest.iter().filter(|entry| entry.at_ms == last.at_ms);
        let before = if last.at_ms == from_ms { seen } else { 0 };
        Cursor {
            at_ms: last.at_ms,
            seen: before + same.count(),
        }
    });
    (rest, next)
}

/// Where a page ended: a time, and how many entries of that time were shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cursor {
    at_ms: Millis,
    seen: usize,
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}.{}", self.at_ms, self.seen)
    }
}

impl std::str::FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (at_ms, seen) = text.split_once('.').ok_or(())?;
        Ok(Self {
            at_ms: at_ms.parse().map_err(|_| ())?,
            seen: seen.parse().map_err(|_| ())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::HealthStatus;

    fn at(at_ms: Millis, kind: HealthEntryKind, latency_ms: u64) -> HealthEntry {
        HealthEntry {
            at_ms,
            kind,
            from: None,
            status: HealthStatus::Healthy,
            reason: None,
            latency_ms: Some(latency_ms),
        }
    }

    #[test]
    fn pages_hold_every_entry_once_whatever_their_times() {
        use HealthEntryKind::{Change, Probe};
        let entries = [(5, Change, 2), (5, Probe, 0), (5, Probe, 1), (5, Change, 3)];
        let later = [(7, Probe, 4), (9, Probe, 5), (9, Change, 6)];
        let early = [(1, Probe, 9)];
        let all: Vec<_> = entries
            .into_iter()
            .chain(later)
            .chain(early)
            .map(|(at_ms, kind, number)| at(at_ms, kind, number))
            .collect();
        for limit in 1..9 {
            let (mut after, mut seen) = (None, Vec::new());
            loop {
                let (items, next) = page(all.clone(), 2, after, limit);
                seen.extend(items.iter().filter_map(|entry| entry.latency_ms));
                let Some(next) = next else { break };
                assert_eq!(next.to_string().parse(), Ok(next));
                after = Some(next);
            }
            assert_eq!(seen, [0, 1, 2, 3, 4, 5, 6], "limit {limit}");
        }
    }
}
