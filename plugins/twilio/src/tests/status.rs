//! Status callbacks, and the polling that stands in for them.

use serde_json::{Value, json};
use trunkline_plugin_api::{
    ErrorClass, Event, Identity, Note, ReportedStatus, Request, Sent, StatusReport,
    testkit::{self, Fixtures, Inbound, NOW_MS},
};

use super::{
    ACCOUNT, ACCOUNTS, ADA, HOOK, Pairs, US, authentic, config, encoded, get, kit, kit_with,
    signed, signed_get,
};
use crate::{Twilio, errors};

const SENT: &str = "SM00000000000000000000000000000002";
const REFERENCE: &str = "0198b2a0-0000-7000-8000-000000000001";

fn callback<'a>(word: &'a str, more: Pairs<'a>) -> Vec<(&'a str, &'a str)> {
    let params: Pairs<'a> = &[
        ("MessageSid", SENT),
        ("SmsSid", SENT),
        ("AccountSid", ACCOUNT),
        ("From", US),
        ("To", ADA),
    ];
    [
        params,
        &[("MessageStatus", word), ("SmsStatus", word)],
        more,
    ]
    .concat()
}

fn report(status: ReportedStatus, word: &str) -> StatusReport {
    StatusReport {
        external_id: SENT.into(),
        address: Some(US.into()),
        reference: Some(REFERENCE.into()),
        status,
        code: Some(word.into()),
        detail: None,
        error: None,
        at_ms: None,
    }
}

/// Every word of Twilio's Message resource that says something of a sent message.
const WORDS: &[(&str, ReportedStatus)] = &[
    ("accepted", ReportedStatus::Sent),
    ("scheduled", ReportedStatus::Sent),
    ("queued", ReportedStatus::Sent),
    ("sending", ReportedStatus::Sent),
    ("sent", ReportedStatus::Sent),
    ("delivered", ReportedStatus::Delivered),
    ("partially_delivered", ReportedStatus::Delivered),
    ("read", ReportedStatus::Read),
    ("failed", ReportedStatus::Failed),
    ("undelivered", ReportedStatus::Failed),
    ("canceled", ReportedStatus::Failed),
];

#[test]
fn every_word_is_known() {
    let url = format!("{HOOK}?message={REFERENCE}");
    let inbound = WORDS.iter().map(|(word, status)| Inbound {
        name: word,
        request: signed(&url, &callback(word, &[])),
        want: authentic(vec![Event::Status(report(*status, word))]),
    });
    let fixtures = Fixtures {
        inbound: inbound.collect(),
        ..Fixtures::default()
    };
    testkit::check::<Twilio>(config(), &fixtures);
}

#[test]
fn failures_carry_twilios_code() {
    let url = format!("{HOOK}?message={REFERENCE}");
    let rows: [(&str, Pairs<'_>, Option<u32>, Option<&str>); 7] = [
        ("failed", &[("ErrorCode", "30007")], Some(30007), None),
        (
            "undelivered",
            &[("ErrorCode", "30003"), ("RawDlrDoneDate", "2601010000")],
            Some(30003),
            None,
        ),
        (
            "undelivered",
            &[("ErrorCode", "63016"), ("ChannelStatusMessage", "late")],
            Some(63016),
            Some("late"),
        ),
        (
            "failed",
            &[("ErrorCode", "99999"), ("ErrorMessage", "new")],
            Some(99999),
            Some("new"),
        ),
        ("failed", &[("ErrorCode", "0")], None, None),
        ("failed", &[("ErrorCode", "many")], None, None),
        ("delivered", &[("ErrorCode", "30008")], None, None),
    ];
    for (word, more, code, detail) in rows {
        let received = kit().receive(&signed(&url, &callback(word, more)));
        let status = match word {
            "delivered" => ReportedStatus::Delivered,
            _ => ReportedStatus::Failed,
        };
        let want = StatusReport {
            detail: detail.map(String::from),
            error: code.map(errors::by_code),
            ..report(status, word)
        };
        assert_eq!(
            received,
            authentic(vec![Event::Status(want)]),
            "{word} {more:?}"
        );
    }
}

/// A word of tomorrow is kept, and answered like any other.
#[test]
fn an_unknown_word_is_a_note() {
    let params = callback("pondering", &[("Empty", "")]);
    let received = kit().receive(&signed(HOOK, &params));
    let mut data = serde_json::Map::new();
    for (name, value) in &params[..params.len() - 1] {
        data.insert((*name).into(), Value::from(*value));
    }
    let note = Note {
        kind: "status".into(),
        data: Value::Object(data),
    };
    assert_eq!(received, authentic(vec![Event::Note(note)]));
}

/// The reference comes from the URL, never from what the parameters say.
#[test]
fn the_reference_is_the_urls() {
    let reference = |url: &str, more: Pairs<'_>| {
        let received = kit().receive(&signed(url, &callback("sent", more)));
        let [Event::Status(report)] = received.events.as_slice() else {
            panic!("{received:?}");
        };
        report.reference.clone()
    };
    assert_eq!(reference(HOOK, &[("message", "forged")]), None);
    let url = format!("{HOOK}?a=1&message=a%20b&message=c");
    assert_eq!(
        reference(&url, &[("message", "forged")]).as_deref(),
        Some("a b")
    );
    assert_eq!(reference(&format!("{HOOK}?message="), &[]), None);
}

/// Older callbacks have the deprecated names only; GET carries the same.
#[test]
fn older_names_and_get() {
    let url = format!("{HOOK}?message={REFERENCE}");
    let want = authentic(vec![Event::Status(report(ReportedStatus::Read, "read"))]);
    let older: Pairs<'_> = &[("SmsSid", SENT), ("SmsStatus", "read"), ("From", US)];
    assert_eq!(kit().receive(&signed(&url, older)), want);
    let get = signed_get(&format!("{url}&{}", encoded(&callback("read", &[]))));
    assert_eq!(kit().receive(&get), want);
}

fn sent() -> Sent {
    Sent {
        id: REFERENCE.into(),
        external_id: SENT.into(),
        to: Identity::new("phone", ADA),
        sent_at_ms: NOW_MS,
    }
}

#[test]
fn polling_asks_for_the_message() {
    let polled = |status: Value| {
        let body = json!({
            "sid": SENT, "from": US, "to": ADA, "status": status, "error_code": 30007,
            "error_message": "Filtered", "date_updated": "Thu, 01 Jan 2026 12:00:00 +0000",
        });
        let run = kit().delivery_status(&sent(), [testkit::json_reply(200, &body)]);
        let url = format!("{ACCOUNTS}/{ACCOUNT}/Messages/{SENT}.json");
        assert_eq!(run.requests, [Request::Http(get(&url))]);
        run.outcome.expect("an answer")
    };
    for (word, status) in WORDS {
        let failed = *status == ReportedStatus::Failed;
        let want = StatusReport {
            detail: Some("Filtered".into()),
            error: failed.then(|| errors::by_code(30007)),
            at_ms: Some(NOW_MS + 12 * 60 * 60 * 1_000),
            ..report(*status, word)
        };
        assert_eq!(polled(json!(word)), [want], "{word}");
    }
    for nothing in [json!("received"), json!("pondering"), json!(null), json!(7)] {
        assert_eq!(polled(nothing), []);
    }
}

/// A read takes nothing in, so an unknown outcome is only a fault that passes.
#[test]
fn polling_fails_in_words() {
    let class = |reply| {
        let run = kit().delivery_status(&sent(), [reply]);
        run.outcome.expect_err("no report").class
    };
    assert_eq!(class(testkit::reply(404, "")), ErrorClass::Config);
    assert_eq!(class(testkit::reply(401, "")), ErrorClass::Credentials);
    assert_eq!(class(testkit::reply(502, "")), ErrorClass::Transient);
    assert_eq!(class(testkit::reply(200, "<html>")), ErrorClass::Bug);
    let kind = trunkline_plugin_api::TransportKind::TimeoutAfterSend;
    assert_eq!(class(testkit::transport(kind)), ErrorClass::Transient);
    let without = kit_with(&json!({"auth_token": null}));
    let error = without
        .delivery_status(&sent(), [])
        .outcome
        .expect_err("no credentials");
    assert_eq!(error.code, "no_credentials");
}

/// An id that is no id stays inside its part of the path.
#[test]
fn ids_do_not_leave_the_path() {
    let sent = Sent {
        external_id: "../../AC9?x=/#".into(),
        ..sent()
    };
    let run = kit().delivery_status(&sent, [testkit::reply(404, "")]);
    let url = format!("{ACCOUNTS}/{ACCOUNT}/Messages/..%2F..%2FAC9%3Fx=%2F%23.json");
    assert_eq!(run.requests, [Request::Http(get(&url))]);
}
