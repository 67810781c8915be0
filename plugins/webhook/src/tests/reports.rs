//! Reports on messages that we posted.

use serde_json::json;
use trunkline_plugin_api::{
    AdapterError, ErrorClass, Event, Note, ReportedStatus, StatusReport, testkit::NOW_MS,
};

use super::{accepted, fault, read};

fn report(external_id: &str, status: ReportedStatus) -> StatusReport {
    StatusReport {
        external_id: external_id.into(),
        address: None,
        reference: None,
        status,
        code: None,
        detail: None,
        error: None,
        at_ms: None,
    }
}

#[test]
fn reports_change_the_state_of_sent_messages() {
    use ReportedStatus::{Delivered, Failed, Read, Sent};
    let failed = |code: Option<&str>, words: &str| StatusReport {
        code: code.map(String::from),
        detail: Some(words.into()),
        error: Some(AdapterError {
            provider_code: code.map(String::from),
            ..AdapterError::new(ErrorClass::Bug, "failed", words)
        }),
        ..report("m1", Failed)
    };
    let table = [
        (json!({"id": "m1", "status": "sent"}), report("m1", Sent)),
        (
            json!({"external_id": 5, "id": "x", "status": "delivered"}),
            report("5", Delivered),
        ),
        (
            json!({"id": "m1", "reference": "ours", "status": "read", "error": "not this"}),
            StatusReport {
                reference: Some("ours".into()),
                ..report("m1", Read)
            },
        ),
        (
            json!({"reference": "ours", "status": "read"}),
            StatusReport {
                reference: Some("ours".into()),
                ..report("ours", Read)
            },
        ),
        (
            json!({"timestamp": "2026-01-01T00:00:00Z", "data": {"id": "m1", "status": "failed"}}),
            StatusReport {
                at_ms: Some(NOW_MS),
                ..report("m1", Failed)
            },
        ),
        (
            json!({"id": "m1", "status": "failed", "error": "no such user"}),
            failed(None, "no such user"),
        ),
        (
            json!({"id": "m1", "status": "failed", "error": {"code": 42, "message": "gone"}}),
            failed(Some("42"), "gone"),
        ),
        (
            json!({"id": "m1", "status": "failed", "error": {"code": "E"}}),
            failed(Some("E"), "the receiver gave no reason"),
        ),
    ];
    for (mut body, want) in table {
        body["type"] = json!("message.status");
        assert_eq!(read(&body), accepted(vec![Event::Status(want)]), "{body}");
    }
}

#[test]
fn reports_that_say_nothing_known_are_kept() {
    let odd = json!({"type": "message.status", "id": "m1", "status": "pondering"});
    let note = Note {
        kind: "status".into(),
        data: odd.clone(),
    };
    assert_eq!(read(&odd), accepted(vec![Event::Note(note)]));
    let nameless = read(&json!({"type": "message.status", "status": "sent"}));
    assert!(fault(&nameless).contains("without external_id, id or reference"));
    let wordless = read(&json!({"type": "message.status", "id": "m1"}));
    assert!(fault(&wordless).contains("without a status"));
}
