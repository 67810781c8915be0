//! Lists the messages that came in while nobody listened.
//!
//! The list is newest first and comes in pages of a thousand. Only the last page is handed on, as
//! the oldest messages since `since`, oldest first; whoever asks goes on from the newest of them.
//! Attachments are not in the list.

use serde_json::Value;
use trunkline_plugin_api::{
    AdapterError, Content, ErrorClass, Event, InboundMessage, Sender, Step, Timestamp, Turn,
};

use crate::{
    address,
    config::Settings,
    rest::{self, Resource},
};

/// The largest page that Twilio gives.
const PAGE_SIZE: &str = "1000";

/// Lists one page of messages since `since`; the pages before it are passed over.
pub(crate) fn list_inbound(settings: &Settings, since: Timestamp, turn: &Turn) -> Step<Vec<Event>> {
    let Some(api) = &settings.api else {
        return Step::fail(rest::no_credentials());
    };
    let Some(reply) = &turn.reply else {
        return page(settings, since, turn.cursor.as_str());
    };
    match rest::read(reply, turn.now_ms) {
        Err(error) => Step::fail(error),
        Ok(body) => match rest::next_page(&body) {
            Some(next) if api.get_page(next).is_some() => page(settings, since, Some(next)),
            _ => {
                let events = rest::messages(&body).rev();
                Step::done(events.filter_map(|item| event(&item, since)).collect())
            }
        },
    }
}

/// Asks for the first page, or for the one that a cursor names.
fn page(settings: &Settings, since: Timestamp, cursor: Option<&str>) -> Step<Vec<Event>> {
    let Some(api) = &settings.api else {
        return Step::fail(rest::no_credentials());
    };
    if let Some(uri) = cursor.filter(|uri| !uri.is_empty())
        && let Some(request) = api.get_page(uri)
    {
        return Step::call(request, Value::from(uri));
    }
    let Ok(day) = jiff::Timestamp::from_millisecond(since) else {
        return Step::fail(AdapterError::new(
            ErrorClass::Bug,
            "invalid_time",
            "the time to list from is out of range",
        ));
    };
    let day = day.strftime("%Y-%m-%d").to_string();
    let mut query = vec![("DateSent>", day.as_str())];
    query.extend(settings.from.as_deref().map(|to| ("To", to)));
    query.push(("PageSize", PAGE_SIZE));
    let request = api.get(&[&api.account_sid, "Messages.json"], &query);
    Step::call(request, Value::from(""))
}

fn event(item: &Resource<'_>, since: Timestamp) -> Option<Event> {
    let sent_at_ms = item.time("date_sent").or_else(|| item.time("date_created"));
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
