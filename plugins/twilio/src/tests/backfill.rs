//! Listing what came in: oldest first, over as many pages as there are, and nothing lost.

use serde_json::{Value, json};
use trunkline_plugin_api::{
    Content, ErrorClass, Event, Identity, InboundMessage, Request, Sender,
    testkit::{self, NOW_MS, Run},
};

use super::{ACCOUNT, ACCOUNTS, ADA, US, get, kit, kit_with};

const HOUR_MS: i64 = 60 * 60 * 1_000;
/// Since noon; the list can only be asked for from midnight.
const SINCE: i64 = NOW_MS + 12 * HOUR_MS;

fn item(sid: &str, hour: i64, direction: &str) -> Value {
    json!({
        "sid": sid, "from": ADA, "to": US, "body": "Hi", "direction": direction,
        "status": "received", "date_created": null,
        "date_sent": format!("Thu, 01 Jan 2026 {hour:02}:00:00 +0000"),
    })
}

fn event(sid: &str, hour: i64) -> Event {
    Event::Message(InboundMessage {
        id: sid.into(),
        address: Some(US.into()),
        sender: Sender {
            identity: Identity::new("phone", ADA),
            ..Sender::default()
        },
        content: Content::text("Hi"),
        sent_at_ms: Some(NOW_MS + hour * HOUR_MS),
        ..InboundMessage::default()
    })
}

fn uri(page: u32) -> String {
    format!("/2010-04-01/Accounts/{ACCOUNT}/Messages.json?Page={page}&PageToken=PA{page}")
}

fn first() -> String {
    let query = "DateSent%3E=2026-01-01&To=%2B15005550102&PageSize=500";
    format!("{ACCOUNTS}/{ACCOUNT}/Messages.json?{query}")
}

fn page(items: &[Value], next: Option<u32>) -> Value {
    json!({"messages": items, "next_page_uri": next.map(uri)})
}

fn listed(pages: &[Value]) -> Run<Vec<Event>> {
    kit().list_inbound(
        SINCE,
        pages.iter().map(|page| testkit::json_reply(200, page)),
    )
}

fn assert_asked(run: &Run<Vec<Event>>, urls: &[String]) {
    let want: Vec<_> = urls.iter().map(|url| Request::Http(get(url))).collect();
    assert_eq!(run.requests, want);
}

fn at_twilio(uri: &str) -> String {
    format!("https://api.twilio.com{uri}")
}

#[test]
fn one_page_oldest_first() {
    let items = [
        item("SM4", 15, "inbound"),
        item("SM3", 14, "outbound-api"),
        item("SM2", 12, "inbound"),
        item("SM1", 11, "inbound"),
    ];
    let run = listed(&[page(&items, None)]);
    assert_asked(&run, &[first()]);
    assert_eq!(run.outcome, Ok(vec![event("SM2", 12), event("SM4", 15)]));
}

#[test]
fn fields_may_be_missing() {
    let mut created = item("SM1", 13, "inbound");
    created["date_created"] = created["date_sent"].take();
    let mut timeless = item("SM2", 13, "inbound");
    timeless["date_sent"] = json!("yesterday");
    let mut nobody = item("SM3", 13, "inbound");
    nobody["from"] = json!(null);
    let run = listed(&[page(
        &[created, timeless, nobody, json!(7), json!({})],
        None,
    )]);
    let Event::Message(mut without_time) = event("SM2", 13) else {
        unreachable!("an inbound message");
    };
    without_time.sent_at_ms = None;
    assert_eq!(
        run.outcome,
        Ok(vec![Event::Message(without_time), event("SM1", 13)])
    );
    for body in [json!({}), json!([]), json!({"messages": null})] {
        assert_eq!(listed(&[body]).outcome, Ok(vec![]));
    }
}

/// The oldest come first, so the last page is the answer.
#[test]
fn the_last_page_is_handed_on() {
    let run = listed(&[
        page(&[item("SM3", 15, "inbound")], Some(1)),
        page(&[item("SM2", 14, "inbound")], Some(2)),
        page(&[item("SM1", 13, "inbound")], None),
    ]);
    assert_asked(&run, &[first(), at_twilio(&uri(1)), at_twilio(&uri(2))]);
    assert_eq!(run.outcome, Ok(vec![event("SM1", 13)]));
}

/// Behind `since` nothing is asked for any more.
#[test]
fn the_walk_stops_at_since() {
    let items = [item("SM3", 15, "inbound"), item("SM2", 11, "inbound")];
    let run = listed(&[page(&items, Some(1))]);
    assert_eq!(run.outcome, Ok(vec![event("SM3", 15)]));
}

/// A last page without anything of use does not hide the pages before it.
#[test]
fn empty_last_pages_lose_nothing() {
    let filled = page(&[item("SM3", 15, "inbound")], Some(1));
    let rest = [
        page(&[], None),
        page(&[item("SM2", 11, "inbound")], Some(2)),
        page(&[item("SM2", 13, "outbound-api")], None),
    ];
    for last in rest {
        let run = listed(&[filled.clone(), last, filled.clone()]);
        assert_asked(&run, &[first(), at_twilio(&uri(1)), first()]);
        assert_eq!(run.outcome, Ok(vec![event("SM3", 15)]));
    }
    let run = listed(&[
        page(&[item("SM4", 16, "inbound")], Some(1)),
        page(&[item("SM3", 15, "inbound")], Some(2)),
        page(&[item("SM2", 14, "outbound-api")], Some(3)),
        page(&[], None),
        page(&[item("SM3", 15, "inbound")], Some(2)),
    ]);
    assert_eq!(run.requests.len(), 5);
    assert_eq!(run.requests[4], Request::Http(get(&at_twilio(&uri(1)))));
    assert_eq!(run.outcome, Ok(vec![event("SM3", 15)]));
}

/// Two messages on the last page: a third one of their second may be on the page before, so the
/// pages are made equal.
#[test]
fn a_short_last_page_is_not_handed_on_alone() {
    let full: Vec<Value> = (0..500)
        .map(|number| item(&format!("SM{}", 600 - number), 14, "inbound"))
        .collect();
    let last = [item("SM2", 14, "inbound"), item("SM1", 13, "inbound")];
    let older: Vec<Value> = (0..251)
        .map(|number| item(&format!("SM{}", 251 - number), 13, "inbound"))
        .collect();
    let run = listed(&[
        page(&full, Some(1)),
        page(&last, None),
        page(&full[..251], Some(1)),
        page(&older, None),
    ]);
    let equal = first().replace("PageSize=500", "PageSize=251");
    let next = at_twilio(&uri(1));
    assert_asked(&run, &[first(), next.clone(), equal, next]);
    assert_eq!(run.outcome.expect("a list").len(), 251);

    let many = page(&older, None);
    let run = listed(&[page(&full, Some(1)), many]);
    assert_eq!(run.outcome.expect("a list").len(), 251, "enough as it is");
}

/// The credentials follow the list nowhere else.
#[test]
fn foreign_pages_are_not_asked_for() {
    for next in [
        "https://evil.example/x",
        "http://api.twilio.com/x",
        "x",
        "@evil.example/x",
    ] {
        let body = json!({"messages": [], "next_page_uri": next});
        let run = listed(&[body]);
        assert_asked(&run, &[first()]);
        assert_eq!(
            run.outcome.expect_err("not a page").class,
            ErrorClass::Bug,
            "{next}"
        );
    }
    for next in [
        "//evil.example/x",
        "/\\evil.example",
        "/@evil.example",
        "/../x",
    ] {
        let body = json!({"messages": [], "next_page_uri": next});
        let run = listed(&[body, page(&[], None)]);
        let [_, Request::Http(request)] = run.requests.as_slice() else {
            panic!("{run:?}");
        };
        assert!(
            request.url.starts_with("https://api.twilio.com/"),
            "{}",
            request.url
        );
    }
}

#[test]
fn pages_stay_under_a_base_with_a_path() {
    let kit = kit_with(&json!({"api_base": "https://proxy.example/twilio"}));
    let replies = [page(&[], Some(1)), page(&[], None)].map(|page| testkit::json_reply(200, &page));
    let run = kit.list_inbound(SINCE, replies);
    let Request::Http(second) = &run.requests[1] else {
        panic!("{run:?}");
    };
    assert_eq!(
        second.url,
        format!("https://proxy.example/twilio{}", uri(1))
    );
}

#[test]
fn a_messaging_service_lists_every_number() {
    let kit = kit_with(&json!({"from": null, "messaging_service_sid": "MG1"}));
    let run = kit.list_inbound(SINCE, [testkit::json_reply(200, &page(&[], None))]);
    let url = format!("{ACCOUNTS}/{ACCOUNT}/Messages.json?DateSent%3E=2026-01-01&PageSize=500");
    assert_asked(&run, &[url]);
}

#[test]
fn failures() {
    let class = |reply| {
        let run = kit().list_inbound(SINCE, [reply]);
        run.outcome.expect_err("no list").class
    };
    assert_eq!(class(testkit::reply(504, "")), ErrorClass::Transient);
    assert_eq!(class(testkit::reply(429, "")), ErrorClass::Throttled);
    assert_eq!(class(testkit::reply(200, "")), ErrorClass::Bug);
    let out_of_range = kit().list_inbound(i64::MAX, []);
    assert_eq!(
        out_of_range.outcome.expect_err("no time").code,
        "invalid_time"
    );
    let without = kit_with(&json!({"auth_token": null})).list_inbound(SINCE, []);
    assert_eq!(without.outcome.expect_err("no list").code, "no_credentials");
}
