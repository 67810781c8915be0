//! Answers of the SMS API to a send: each part has a status of its own.

use serde_json::{Value, json};
use trunkline_plugin_api::{
    AdapterError, ErrorClass, Receipt, Reply, TransportKind,
    testkit::{self, Kit},
};

use super::{ADA, sms, sms_kit};
use crate::Vonage;

fn outcome(reply: Reply) -> Result<Receipt, AdapterError> {
    let message = testkit::message("phone", ADA, "Hi");
    sms_kit().send(&message, [reply]).outcome
}

fn accepted(id: &str) -> Value {
    json!({
        "to": "447700900001", "message-id": id, "status": "0", "remaining-balance": "10.00000000",
        "message-price": "0.03330000", "network": "23410",
    })
}

fn refused(status: &str, words: &str) -> Value {
    json!({"status": status, "error-text": words})
}

fn answer(parts: &[Value]) -> Reply {
    let count = parts.len().to_string();
    testkit::json_reply(200, &json!({"message-count": count, "messages": parts}))
}

#[test]
fn a_message_of_several_parts_is_one() {
    for count in [1, 2, 3] {
        let ids = ["0A1", "0A2", "0A3"];
        let parts: Vec<Value> = ids[..count].iter().map(|id| accepted(id)).collect();
        let want = Receipt {
            external_id: "0A1".into(),
            code: Some("0".into()),
            segments: u32::try_from(count).ok(),
            rate_limit_remaining: None,
        };
        assert_eq!(outcome(answer(&parts)), Ok(want));
    }
    let number = json!({"status": 0, "message-id": "0A1"});
    assert!(outcome(answer(&[number])).is_ok());
}

#[test]
fn a_status_says_why() {
    use ErrorClass::{Bug, Config, Content, Credentials, Recipient, Throttled, Transient};
    let rows: [(&[u32], ErrorClass); 7] = [
        (&[1, 10], Throttled),
        (&[2, 3, 12, 22], Content),
        (&[4, 8, 9, 11, 14, 32], Credentials),
        (&[5], Transient),
        (&[6, 7, 29, 33], Recipient),
        (&[15, 23], Config),
        (&[4711], Bug),
    ];
    for (codes, class) in rows {
        for code in codes {
            let code = code.to_string();
            let error = outcome(answer(&[refused(&code, "no")])).expect_err("an error");
            assert_eq!(error.class, class, "{code}");
            assert_eq!(error.provider_code.as_deref(), Some(code.as_str()));
        }
    }
    let error = outcome(answer(&[refused("4", "Bad Credentials")])).expect_err("an error");
    let words = "check api_key and api_secret in [channel.under_test.config] and reload";
    assert!(error.message.contains(words), "{}", error.message);
}

#[test]
fn the_wait_is_in_the_text() {
    let rows = [
        (
            "Throughput Rate Exceeded - please wait [ 250 ] and retry",
            Some(250),
        ),
        ("please wait [3000] and retry", Some(3_000)),
        ("please wait [ 0 ] and retry", Some(1)),
        ("please wait [ 99999999999 ] and retry", Some(3_600_000)),
        ("please wait [ long ] and retry", None),
        ("please wait ] 5 [", None),
        ("please wait", None),
        ("", None),
    ];
    for (words, wait_ms) in rows {
        let error = outcome(answer(&[refused("1", words)])).expect_err("an error");
        assert_eq!(error.class, ErrorClass::Throttled);
        assert_eq!(error.retry_after_ms, wait_ms, "{words}");
    }
    let error = outcome(answer(&[refused("2", "[ 250 ]")])).expect_err("an error");
    assert_eq!(error.retry_after_ms, None);
}

/// Half of a message is with the person: whatever the other half met, it is never repeated.
#[test]
fn a_message_that_is_partly_taken_is_not_repeated() {
    for (code, class) in [
        ("1", ErrorClass::Bug),
        ("4", ErrorClass::Bug),
        ("5", ErrorClass::Bug),
        ("6", ErrorClass::Recipient),
        ("9", ErrorClass::Bug),
        ("3", ErrorClass::Content),
    ] {
        for parts in [
            [accepted("0A1"), refused(code, "wait [ 250 ]")],
            [refused(code, "wait [ 250 ]"), accepted("0A1")],
        ] {
            let error = outcome(answer(&parts)).expect_err("an error");
            assert_eq!(
                (error.class, error.code.as_str()),
                (class, "partly_refused"),
                "{code}"
            );
            assert!(
                error.message.contains("took 1 of 2 parts"),
                "{}",
                error.message
            );
            assert_eq!(error.provider_code.as_deref(), Some(code));
            assert_eq!(error.retry_after_ms, None);
        }
    }
}

/// A 200 that can't be read may stand for an accepted message.
#[test]
fn an_unreadable_acceptance_is_ambiguous() {
    for reply in [
        testkit::reply(200, ""),
        testkit::reply(200, "<html>"),
        testkit::json_reply(200, &json!({})),
        testkit::json_reply(200, &json!({"messages": {}})),
        answer(&[]),
        answer(&[json!({})]),
        answer(&[json!({"status": "0"})]),
        answer(&[json!({"status": "fine", "message-id": "0A1"})]),
        answer(&[accepted("0A1"), json!({"status": null})]),
    ] {
        let error = outcome(reply.clone()).expect_err("an error");
        assert_eq!(error.class, ErrorClass::Ambiguous, "{reply:?}");
    }
}

#[test]
fn http_statuses() {
    use ErrorClass::{Ambiguous, Config, Content, Credentials, Throttled, Transient};
    let rows = [
        (302, Config),
        (400, Content),
        (401, Credentials),
        (402, Credentials),
        (403, Credentials),
        (404, Config),
        (408, Transient),
        (420, Throttled),
        (422, Content),
        (429, Throttled),
        (500, Ambiguous),
        (502, Ambiguous),
        (503, Transient),
        (504, Ambiguous),
        (199, ErrorClass::Bug),
    ];
    for (status, class) in rows {
        let error = outcome(testkit::reply(status, "")).expect_err("an error");
        assert_eq!(error.class, class, "{status}");
    }
    let own_words = json!({"type": "about:blank", "title": "Internal error"});
    let error = outcome(testkit::json_reply(500, &own_words)).expect_err("an error");
    assert_eq!(error.class, Transient);
}

#[test]
fn no_answer_at_all() {
    use ErrorClass::{Ambiguous, Transient};
    let rows = [
        (TransportKind::Connect, Transient),
        (TransportKind::TimeoutBeforeSend, Transient),
        (TransportKind::TimeoutAfterSend, Ambiguous),
        (TransportKind::TooLarge, Ambiguous),
    ];
    for (kind, class) in rows {
        let error = outcome(testkit::transport(kind)).expect_err("an error");
        assert_eq!(error.class, class, "{kind:?}");
    }
}

/// Vonage has no look-up: after a restart the outcome stays unknown.
#[test]
fn a_restart_in_the_middle_is_ambiguous() {
    let message = testkit::message("phone", ADA, "Hi");
    for config in [sms(), super::messages()] {
        let kit = Kit::<Vonage>::open(config);
        let run = kit.send_from(&message, json!("create"), []);
        assert_eq!(run.requests, []);
        let error = run.outcome.expect_err("an error");
        assert_eq!(error.class, ErrorClass::Ambiguous);
        let lookup = kit.find_sent(&message, []).outcome;
        assert_eq!(lookup, Ok(trunkline_plugin_api::Lookup::Unsure));
    }
}
