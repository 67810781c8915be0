//! States of sent messages.

use serde_json::json;
use trunkline_plugin_api::{AdapterError, ErrorClass, Event, ReportedStatus, StatusReport};

use super::*;

const OURS: &str = "0198b2a0-0000-7000-8000-000000000001.1";

fn report(members: &Value) -> Event {
    let mut status = json!({
        "id": "wamid.BBB=", "timestamp": AT, "recipient_id": "15005550101",
        "biz_opaque_callback_data": OURS,
    });
    for (name, value) in members.as_object().expect("an object") {
        status[name.as_str()] = value.clone();
    }
    let mut value = value();
    value["statuses"] = json!([status]);
    only(&change("messages", &value))
}

fn want(status: ReportedStatus, word: &str) -> StatusReport {
    StatusReport {
        external_id: "wamid.BBB=".into(),
        address: Some(NUMBER.into()),
        reference: Some(OURS.into()),
        status,
        code: Some(word.into()),
        detail: None,
        error: None,
        at_ms: Some(AT_MS),
    }
}

#[test]
fn words_have_their_place() {
    for (word, status) in [
        ("sent", ReportedStatus::Sent),
        ("delivered", ReportedStatus::Delivered),
        ("read", ReportedStatus::Read),
        ("played", ReportedStatus::Read),
        ("failed", ReportedStatus::Failed),
    ] {
        assert_eq!(
            report(&json!({"status": word})),
            Event::Status(want(status, word))
        );
    }
    for word in ["deleted", "warning", "brand_new"] {
        let event = report(&json!({"status": word}));
        assert!(
            matches!(&event, Event::Note(note) if note.kind == "status"),
            "{event:?}"
        );
    }
}

#[test]
fn prices_and_conversations_are_told() {
    let members = json!({
        "status": "sent",
        "pricing": {"billable": true, "pricing_model": "PMP", "type": "regular", "category": "utility"},
        "conversation": {"id": "C1", "origin": {"type": "utility"}},
    });
    let detail = "billable, category utility, type regular, pricing_model PMP, conversation C1, origin utility";
    let report = report(&members);
    let want = StatusReport {
        detail: Some(detail.into()),
        ..want(ReportedStatus::Sent, "sent")
    };
    assert_eq!(report, Event::Status(want));
}

#[test]
fn failures_have_their_class() {
    let members = json!({
        "status": "failed",
        "errors": [{"code": 131_047, "title": "Re-engagement message", "message": "m",
            "error_data": {"details": "More than 24 hours"}}],
    });
    let Event::Status(failed) = report(&members) else {
        panic!("a status");
    };
    assert_eq!(failed.detail.as_deref(), Some("More than 24 hours"));
    let error = failed.error.expect("an error");
    assert_eq!(error.class, ErrorClass::WindowClosed);
    assert_eq!(error.provider_code.as_deref(), Some("131047"));
    // Errors beside a state that is no failure are words only.
    let members = json!({"status": "sent", "errors": [{"code": 131_047, "title": "Odd"}]});
    let Event::Status(sent) = report(&members) else {
        panic!("a status");
    };
    assert_eq!((sent.error, sent.detail.as_deref()), (None, Some("Odd")));
}

#[test]
fn an_unknown_code_is_kept() {
    let members = json!({"status": "failed", "errors": [{"code": 999_999, "title": "New"}]});
    let Event::Status(failed) = report(&members) else {
        panic!("a status");
    };
    let words = "Meta gives code 999999: see its page on WhatsApp error codes";
    let want =
        AdapterError::new(ErrorClass::Bug, "unknown_code", words).with_provider_code("999999");
    assert_eq!(failed.error, Some(want));
}

/// Messages and states in one change keep their order; errors of the account come along.
#[test]
fn a_change_holds_several_things() {
    let mut value = value();
    value["messages"] =
        json!([{"from": "1555", "id": "m", "type": "text", "text": {"body": "Hi"}}]);
    value["statuses"] = json!([{"id": "s1", "status": "sent"}, {"id": "s2", "status": "read"}]);
    value["errors"] = json!([{"code": 131_052}]);
    let received = kit().receive(&change("messages", &value));
    let kinds: Vec<&str> = received
        .events
        .iter()
        .map(|event| match event {
            Event::Message(_) => "message",
            Event::Status(_) => "status",
            Event::Note(note) => note.kind.as_str(),
            _ => "other",
        })
        .collect();
    assert_eq!(kinds, ["message", "status", "status", "errors"]);
}
