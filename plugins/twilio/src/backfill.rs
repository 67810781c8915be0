//! Lists the messages that came in while nobody listened.
//!
//! The list is newest first and comes in pages; whoever asks wants the oldest first and goes on from
//! the newest that is handed on. So the pages are walked back in time, and the last one that has
//! something is handed on alone:
//!
//! ```text
//! first page ──> next ──> next ──> reaches `since`, or is the last
//!   ^              ^                 ├─ has messages? done
//!   │              └──── nothing? ask once more for the last page that had some
//!   └─────────────────── few? walk once more, with pages of equal size
//! ```
//!
//! Few would be wrong because times are whole seconds: who goes on from the last of two messages
//! would get the same two again, where a third one of that second is on the page before.
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

/// Messages on one page. Twilio gives up to 1000, but an answer has to stay below a mebibyte.
const PAGE_SIZE: usize = 500;

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
    /// The size of the pages, where they are not of the usual size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    size: Option<usize>,
    /// Pages before this one, and messages since `since` on them.
    #[serde(default)]
    pages: usize,
    #[serde(default)]
    counted: usize,
}

impl Walk {
    /// The size with which all pages are about as full, where the pages before were full and this
    /// one, the last with something, has only so few.
    fn equal_size(&self, few: usize) -> Option<usize> {
        let is_short = few < PAGE_SIZE / 2 && self.counted >= self.pages * PAGE_SIZE;
        let pages = self.pages + 1;
        let size = (self.counted + few).div_ceil(pages);
        (self.size.is_none() && self.pages > 0 && is_short).then_some(size)
    }
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
    let is_since = |item: &Resource<'_>| time(item).is_none_or(|at| at >= since);
    let counted = rest::messages(body).filter(is_since).count();
    let reaches_since = counted < rest::messages(body).count();
    match rest::next_page(body) {
        Some(next) if !reaches_since => {
            let filled = if events.is_empty() {
                walk.filled
            } else {
                Some(walk.page)
            };
            let further = Walk {
                page: next.to_owned(),
                filled,
                pages: walk.pages + 1,
                counted: walk.counted + counted,
                ..walk
            };
            ask(settings, api, since, further)
        }
        _ if !events.is_empty() => match walk.equal_size(counted) {
            Some(size) => {
                let again = Walk {
                    size: Some(size),
                    ..Walk::default()
                };
                ask(settings, api, since, again)
            }
            None => Step::done(events),
        },
        _ => match walk.filled {
            Some(page) => {
                let back = Walk {
                    page,
                    back: true,
                    size: walk.size,
                    ..Walk::default()
                };
                ask(settings, api, since, back)
            }
            None => Step::done(events),
        },
    }
}

/// Asks for the page that the walk has come to.
fn ask(settings: &Settings, api: &Api, since: Timestamp, walk: Walk) -> Step<Vec<Event>> {
    let request = if walk.page.is_empty() {
        first_page(settings, api, since, walk.size.unwrap_or(PAGE_SIZE))
    } else {
        api.get_page(&walk.page).ok_or_else(rest::unreadable)
    };
    let cursor = serde_json::to_value(walk).expect("texts, numbers and a flag are JSON");
    request.map_or_else(Step::fail, |request| Step::call(request, cursor))
}

fn first_page(
    settings: &Settings,
    api: &Api,
    since: Timestamp,
    size: usize,
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
    let size = size.to_string();
    query.push(("PageSize", &size));
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
