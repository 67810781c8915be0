//! Looking up a send of unknown outcome: one match is a find, everything else is unsure.

use serde_json::{Value, json};
use trunkline_plugin_api::{
    Content, ErrorClass, Lookup, Media, MediaRef, OutboundMessage, Receipt, Request, TemplateCall,
    testkit::{self, Kit},
};

use super::{ACCOUNT, ACCOUNTS, ADA, US, get, kit, kit_with};
use crate::Twilio;

/// The time of [`testkit::NOW_MS`], when the message was accepted.
const ACCEPTED: &str = "Thu, 01 Jan 2026 00:00:00 +0000";

fn message() -> OutboundMessage {
    testkit::message("phone", ADA, "Hi")
}

fn listed(changes: &Value) -> Value {
    let mut item = json!({
        "sid": "SM3", "from": US, "to": ADA, "body": "Hi", "status": "sent",
        "direction": "outbound-api", "num_segments": "1", "num_media": "0",
        "messaging_service_sid": null, "date_created": ACCEPTED, "date_sent": null,
    });
    for (key, value) in changes.as_object().expect("an object") {
        item[key] = value.clone();
    }
    item
}

/// Looks half a minute after the message was accepted.
fn look_with(kit: Kit<Twilio>, message: &OutboundMessage, page: &Value) -> Lookup {
    let mut kit = kit;
    kit.now_ms += 30_000;
    let run = kit.find_sent(message, [testkit::json_reply(200, page)]);
    run.outcome.expect("an answer")
}

fn look(page: &Value) -> Lookup {
    look_with(kit(), &message(), page)
}

fn found() -> Lookup {
    Lookup::Found {
        receipt: Receipt {
            external_id: "SM3".into(),
            code: Some("sent".into()),
            segments: Some(1),
            rate_limit_remaining: None,
        },
    }
}

#[test]
fn the_list_is_narrowed_by_address() {
    let page = json!({"messages": [listed(&json!({}))]});
    let urls = [
        (
            json!({}),
            "To=%2B15005550101&From=%2B15005550102&PageSize=100",
        ),
        (
            json!({"from": null, "messaging_service_sid": "MG1"}),
            "To=%2B15005550101&PageSize=100",
        ),
        (
            json!({"from": "whatsapp:+15005550102"}),
            "To=whatsapp%3A%2B15005550101&From=whatsapp%3A%2B15005550102&PageSize=100",
        ),
    ];
    for (changes, query) in urls {
        let run = kit_with(&changes).find_sent(&message(), [testkit::json_reply(200, &page)]);
        let url = format!("{ACCOUNTS}/{ACCOUNT}/Messages.json?{query}");
        assert_eq!(run.requests, [Request::Http(get(&url))], "{changes}");
    }
}

#[test]
fn one_match_is_a_find() {
    let other = listed(&json!({"sid": "SM4", "body": "Ho"}));
    assert_eq!(
        look(&json!({"messages": [other, listed(&json!({}))]})),
        found()
    );
}

/// Nothing here proves that Twilio does not have the message: never `Absent`.
#[test]
fn everything_else_is_unsure() {
    let hour_before = "Wed, 31 Dec 2025 23:00:00 +0000";
    let rows = [
        ("other text", json!({"body": "Ho"})),
        ("trailing space", json!({"body": "Hi "})),
        ("other recipient", json!({"to": "+15005550109"})),
        ("other sender", json!({"from": "+15005550109"})),
        ("inbound", json!({"direction": "inbound"})),
        ("an attachment", json!({"num_media": "1"})),
        (
            "before it was accepted",
            json!({"date_created": hour_before}),
        ),
        (
            "from the future",
            json!({"date_created": "Thu, 01 Jan 2026 01:00:00 +0000"}),
        ),
        ("no sid", json!({"sid": null})),
    ];
    for (what, changes) in rows {
        let page = json!({"messages": [listed(&changes)]});
        assert_eq!(look(&page), Lookup::Unsure, "{what}");
    }
    let twice = json!({"messages": [listed(&json!({})), listed(&json!({"sid": "SM4"}))]});
    for page in [
        twice,
        json!({"messages": []}),
        json!({}),
        json!([]),
        json!({"messages": 7}),
    ] {
        assert_eq!(look(&page), Lookup::Unsure, "{page}");
    }
}

/// A second match may be on the next page, unless this one reaches back behind the message.
#[test]
fn a_cut_list_proves_less() {
    let next = "/2010-04-01/next";
    let cut = json!({"messages": [listed(&json!({}))], "next_page_uri": next});
    assert_eq!(look(&cut), Lookup::Unsure);
    let older = listed(&json!({"sid": "SM1", "date_created": "Wed, 31 Dec 2025 23:00:00 +0000"}));
    let reaching = json!({"messages": [listed(&json!({})), older], "next_page_uri": next});
    assert_eq!(look(&reaching), found());
}

#[test]
fn attachments_and_services_are_compared() {
    let media = Media {
        source: MediaRef {
            url: Some("https://m.example/1".into()),
            ..MediaRef::default()
        },
        ..Media::default()
    };
    let picture = OutboundMessage {
        content: Content {
            media: vec![media],
            ..Content::text("Hi")
        },
        ..message()
    };
    let page = |changes: &Value| json!({"messages": [listed(changes)]});
    assert_eq!(
        look_with(kit(), &picture, &page(&json!({"num_media": "1"}))),
        found()
    );
    assert_eq!(
        look_with(kit(), &picture, &page(&json!({}))),
        Lookup::Unsure
    );

    let service = || kit_with(&json!({"from": null, "messaging_service_sid": "MG1"}));
    let ours = page(&json!({"messaging_service_sid": "MG1", "from": null}));
    assert_eq!(look_with(service(), &message(), &ours), found());
    let theirs = page(&json!({"messaging_service_sid": "MG2"}));
    assert_eq!(look_with(service(), &message(), &theirs), Lookup::Unsure);
}

#[test]
fn templates_can_not_be_recognised() {
    let template = OutboundMessage {
        content: Content {
            template: Some(TemplateCall {
                name: "HX1".into(),
                ..TemplateCall::default()
            }),
            ..Content::default()
        },
        ..message()
    };
    let run = kit().find_sent(&template, []);
    assert_eq!((run.requests, run.outcome), (vec![], Ok(Lookup::Unsure)));
}

#[test]
fn a_failed_lookup_is_no_answer() {
    for (reply, class) in [
        (testkit::reply(502, ""), ErrorClass::Transient),
        (testkit::reply(401, ""), ErrorClass::Credentials),
        (testkit::reply(200, "{"), ErrorClass::Bug),
    ] {
        let run = kit().find_sent(&message(), [reply]);
        assert_eq!(run.outcome.expect_err("no answer").class, class);
    }
    let without = kit_with(&json!({"account_sid": null})).find_sent(&message(), []);
    assert_eq!(
        without.outcome.expect_err("no answer").code,
        "no_credentials"
    );
}
