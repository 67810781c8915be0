//! Lists the messages that came in while nobody listened.
//!
//! The list is newest first and comes in pages of a thousand; whoever asks wants the oldest first
//! and goes on from the newest that is handed on. So the pages are walked back in time, and the
//! last one that has something is handed on alone:
//!
//! ```text
//! first page ──> next ──> next ──> reaches `since`, or is the last
//!                  ^                 └─ has messages? done
//!                  └──── nothing? ask once more for the last page that had some
//! ```
//!
//! Twilio filters by whole days, so the pages behind `since` may be full of what is too old.
//! Attachments are not in the list.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use trunkline_plugin_api::{
    AdapterError, Content, ErrorClass, Event, HttpRequest, InboundMessage, Sender, Step, Timestamp,
    Turn,
};

use crate::{
    address,
    config::Settings,
    rest::{self, Api, Resource},
};

/// The largest page that Twilio gives.
const PAGE_SIZE: &str = "1000";

/// Where the walk is. A page is named by its `next_page_uri`, the first one by an empty text.
#[derive(Default, Serialize, Deserialize)]
struct Walk {
    /// The page that is asked for.
    page: String,
    /// The last page before it that had something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    filled: Option<String>,
    /// True on the way back to that page: nothing older is left.
    #[serde(default)]
    back: bool,
}

/// Lists one page of messages since `since`: the oldest that there are.
pub(crate) fn list_inbound(settings: &Settings, since: Timestamp, turn: &Turn) -> Step<Vec<Event>> {
    let Some(api) = &settings.api else {
        return Step::fail(rest::no_credentials());
    };
    let walk: Walk = serde_json::from_value(turn.cursor.clone()).unwrap_or_default();
    let Some(reply) = &turn.reply else {
        return ask(settings, api, since, walk);
    };
    match rest::read(reply, turn.now_ms) {
        Ok(body) => advance(settings, api, since, walk, &body),
        Err(error) => Step::fail(error),
    }
}

/// Goes on behind a page, goes back, or ends.
fn advance(
    settings: &Settings,
    api: &Api,
    since: Timestamp,
    walk: Walk,
    body: &Value,
) -> Step<Vec<Event>> {
    let oldest_first = rest::messages(body).rev();
    let events: Vec<Event> = oldest_first
        .filter_map(|item| event(&item, since))
        .collect();
    if walk.back {
        return Step::done(events);
    }
    let reaches_since = rest::messages(body).any(|item| time(&item).is_some_and(|at| at < since));
    let filled = if events.is_empty() {
        walk.filled
    } else {
        Some(walk.page)
    };
    match (rest::next_page(body), filled) {
        (Some(next), filled) if !reaches_since => {
            let page = next.to_owned();
            let back = false;
            ask(settings, api, since, Walk { page, filled, back })
        }
        (_, Some(page)) if events.is_empty() => {
            let (filled, back) = (None, true);
            ask(settings, api, since, Walk { page, filled, back })
        }
        _ => Step::done(events),
    }
}

/// Asks for the page that the walk has come to.
fn ask(settings: &Settings, api: &Api, since: Timestamp, walk: Walk) -> Step<Vec<Event>> {
    let request = if walk.page.is_empty() {
        first_page(settings, api, since)
    } else {
        api.get_page(&walk.page).ok_or_else(rest::unreadable)
    };
    let cursor = serde_json::to_value(walk).expect("texts and a flag are JSON");
    request.map_or_else(Step::fail, |request| Step::call(request, cursor))
}

fn first_page(
    settings: &Settings,
    api: &Api,
    since: Timestamp,
) -> Result<HttpRequest, AdapterError> {
    let day = jiff::Timestamp::from_millisecond(since).map_err(|_| {
        AdapterError::new(
            ErrorClass::Bug,
            "invalid_time",
            "the time to list from is out of range",
        )
    })?;
    let day = day.strftime("%Y-%m-%d").to_string();
    let mut query = vec![("DateSent>", day.as_str())];
    query.extend(settings.from.as_deref().map(|to| ("To", to)));
    query.push(("PageSize", PAGE_SIZE));
    Ok(api.get(&[&api.account_sid, "Messages.json"], &query))
}

fn time(item: &Resource<'_>) -> Option<Timestamp> {
    item.time("date_sent").or_else(|| item.time("date_created"))
}

fn event(item: &Resource<'_>, since: Timestamp) -> Option<Event> {
    let sent_at_ms = time(item);
    if item.text("direction") != Some("inbound") || sent_at_ms.is_some_and(|at| at < since) {
        return None;
    }
    Some(Event::Message(InboundMessage {
        id: item.text("sid")?.into(),
        address: item.text("to").map(String::from),
        sender: Sender {
            identity: address::identity(item.text("from")?),
            ..Sender::default()
        },
        content: Content::text(item.text("body").unwrap_or_default()),
        sent_at_ms,
        ..InboundMessage::default()
    }))
}
