//! Statuses of the Messages API.

use serde_json::{Value, json};
use trunkline_plugin_api::{
    ErrorClass, Event, ReportedStatus, StatusReport,
    testkit::{self, Fixtures, Inbound, NOW_MS},
};

use super::{REFERENCE, US, UUID, authentic, messages, messages_kit, tokened, with};
use crate::Vonage;

fn webhook(word: &str, more: &Value) -> Value {
    let base = json!({
        "message_uuid": UUID, "to": "447700900001", "from": "447700900000",
        "timestamp": "2026-01-01T00:00:00.000Z", "status": word, "channel": "sms",
        "client_ref": REFERENCE, "usage": {"currency": "EUR", "price": "0.0333"},
        "destination": {"network_code": "23410"}, "sms": {"count_total": "2"},
    });
    with(base, more)
}

fn report(status: ReportedStatus, word: &str) -> StatusReport {
    StatusReport {
        external_id: UUID.into(),
        address: Some(US.into()),
        reference: Some(REFERENCE.into()),
        status,
        code: Some(word.into()),
        detail: None,
        error: None,
        at_ms: Some(NOW_MS),
    }
}

#[test]
fn the_table() {
    let rows = [
        ("submitted", ReportedStatus::Sent),
        ("delivered", ReportedStatus::Delivered),
        ("read", ReportedStatus::Read),
    ];
    let inbound = rows.map(|(word, status)| Inbound {
        name: word,
        request: tokened(&webhook(word, &json!({}))),
        want: authentic(Event::Status(report(status, word))),
    });
    let fixtures = Fixtures {
        inbound: inbound.into(),
        ..Fixtures::default()
    };
    testkit::check::<Vonage>(messages(), &fixtures);
}

fn failed(word: &str, error: &Value) -> StatusReport {
    let received = messages_kit().receive(&tokened(&webhook(word, &json!({"error": error}))));
    match received.events.into_iter().next() {
        Some(Event::Status(report)) => report,
        other => panic!("{other:?}"),
    }
}

/// The number is in `title` or behind the `#` of `type` in version 1, in `code` in version 0.1.
#[test]
fn the_error_is_found_in_every_form() {
    let base = "https://developer.vonage.com/api-errors/messages";
    let rows = [
        json!({"type": format!("{base}#1240"), "title": 1240, "detail": "No", "instance": "1"}),
        json!({"type": format!("{base}#1240"), "title": "1240", "detail": "No"}),
        json!({"type": format!("{base}#1240"), "title": "Opted out of 5 lists", "detail": "No"}),
        json!({"code": 1240, "reason": "No"}),
        json!({"code": "1240", "reason": "No"}),
    ];
    for error in rows {
        let report = failed("rejected", &error);
        assert_eq!(report.status, ReportedStatus::Failed);
        assert_eq!(report.detail.as_deref(), Some("No"));
        let failure = report.error.expect("a reason");
        assert_eq!(failure.class, ErrorClass::OptedOut, "{error}");
        assert_eq!(failure.provider_code.as_deref(), Some("1240"));
    }
}

#[test]
fn the_code_says_why() {
    use ErrorClass::{
        Ambiguous, Bug, Config, Content, Credentials, OptedOut, Recipient, Throttled, Transient,
        WindowClosed,
    };
    let rows: [(&[u32], ErrorClass); 10] = [
        (&[1000, 1241], Throttled),
        (
            &[
                1010, 1020, 1021, 1022, 1090, 1130, 1150, 1210, 1380, 1381, 1382,
            ],
            Content,
        ),
        (&[1030, 1100, 1180, 1220, 1230, 1331, 1360], Transient),
        (
            &[
                1040, 1050, 1160, 1170, 1190, 1200, 1250, 1260, 1270, 1280, 1290, 1300, 1310,
            ],
            Recipient,
        ),
        (&[1060, 1070, 1080, 1140, 1370], Credentials),
        (&[1120], Config),
        (&[1240], OptedOut),
        (&[1320], Ambiguous),
        (&[1330, 4711], Bug),
        (&[1340], WindowClosed),
    ];
    for (codes, class) in rows {
        for code in codes {
            let failure = failed("rejected", &json!({"title": code})).error;
            assert_eq!(failure.expect("a reason").class, class, "{code}");
        }
    }
}

#[test]
fn a_failure_without_a_number_has_words() {
    for (word, error) in [
        ("undeliverable", Value::Null),
        ("rejected", json!({"title": "Nothing known"})),
        ("rejected", json!("no object")),
    ] {
        let failure = failed(word, &error).error.expect("a reason");
        assert_eq!(
            (failure.class, failure.code.as_str()),
            (ErrorClass::Transient, word)
        );
    }
}

#[test]
fn an_unknown_word_is_kept_as_a_note() {
    let received = messages_kit().receive(&tokened(&webhook("pondered", &json!({}))));
    let [Event::Note(note)] = received.events.as_slice() else {
        panic!("{received:?}");
    };
    assert_eq!(
        (note.kind.as_str(), &note.data["status"]),
        ("status", &json!("pondered"))
    );
}

#[test]
fn the_older_version_means_the_same() {
    let body = json!({
        "message_uuid": UUID, "timestamp": "2026-01-01T00:00:00.000Z", "status": "delivered",
        "to": {"type": "sms", "number": "447700900001"},
        "from": {"type": "sms", "number": "447700900000"}, "client_ref": REFERENCE,
    });
    let want = report(ReportedStatus::Delivered, "delivered");
    assert_eq!(
        messages_kit().receive(&tokened(&body)),
        authentic(Event::Status(want))
    );
}
