//! Twilio's answers to a send: a receipt or the right kind of error.

use serde_json::{Value, json};
use trunkline_plugin_api::{
    AdapterError, ErrorClass, HttpReply, Receipt, Reply, SmtpReply, TransportKind, testkit,
};

use super::{ADA, kit};

fn outcome(reply: Reply) -> Result<Receipt, AdapterError> {
    let message = testkit::message("phone", ADA, "Hi");
    kit().send(&message, [reply]).outcome
}

fn error(reply: Reply) -> AdapterError {
    outcome(reply).expect_err("an error")
}

fn twilio_error(status: u16, code: u32) -> Reply {
    let more = format!("https://www.twilio.com/docs/errors/{code}");
    let body =
        json!({"code": code, "message": "to +15005550101", "more_info": more, "status": status});
    testkit::json_reply(status, &body)
}

#[test]
fn receipts() {
    let receipt = |code: Option<&str>, segments| Receipt {
        external_id: "SM3".into(),
        code: code.map(String::from),
        segments,
        rate_limit_remaining: None,
    };
    let rows = [
        (
            201,
            json!({"sid": "SM3", "status": "queued", "num_segments": "2"}),
            receipt(Some("queued"), Some(2)),
        ),
        (
            200,
            json!({"sid": "SM3", "status": "accepted", "num_segments": "0"}),
            receipt(Some("accepted"), None),
        ),
        (
            202,
            json!({"sid": "SM3", "status": "pondering", "num_segments": 3}),
            receipt(Some("pondering"), Some(3)),
        ),
        (
            201,
            json!({"sid": "SM3", "status": null, "num_segments": "many"}),
            receipt(None, None),
        ),
        (
            201,
            json!({"sid": "SM3", "error_code": 30007}),
            receipt(None, None),
        ),
    ];
    for (status, body, want) in rows {
        assert_eq!(
            outcome(testkit::json_reply(status, &body)),
            Ok(want),
            "{body}"
        );
    }
}

/// A 2xx without a message that can be named may stand for one.
#[test]
fn unreadable_acceptance_is_ambiguous() {
    for body in [
        "",
        "{",
        "<html>",
        "[]",
        "{}",
        r#"{"sid":""}"#,
        r#"{"sid":7}"#,
        "\u{feff}{}",
    ] {
        let error = error(testkit::reply(201, body));
        assert_eq!(error.class, ErrorClass::Ambiguous, "{body:?}");
        assert_eq!(error.code, "unreadable_answer");
    }
}

/// Twilio may create a message as failed at once.
#[test]
fn created_as_failed() {
    let failed = |status: &str, code: Value| {
        let body = json!({"sid": "SM3", "status": status, "error_code": code});
        error(testkit::json_reply(201, &body))
    };
    let stopped = failed("failed", json!(21610));
    assert_eq!(stopped.class, ErrorClass::OptedOut);
    assert_eq!(stopped.provider_code.as_deref(), Some("21610"));
    assert_eq!(
        failed("undelivered", json!("30005")).class,
        ErrorClass::Recipient
    );
    assert_eq!(failed("canceled", json!(null)).class, ErrorClass::Bug);
    assert_eq!(failed("failed", json!(0)).code, "failed");
    assert_eq!(failed("failed", json!(99_999)).code, "unknown_code");
}

#[test]
fn statuses_without_twilios_words() {
    use ErrorClass::{Ambiguous, Bug, Config, Content, Credentials, Throttled, Transient};
    let rows = [
        (301, Config),
        (307, Config),
        (400, Content),
        (401, Credentials),
        (402, Bug),
        (403, Credentials),
        (404, Config),
        (408, Transient),
        (409, Content),
        (413, Content),
        (415, Content),
        (418, Bug),
        (422, Content),
        (425, Transient),
        (429, Throttled),
        (500, Ambiguous),
        (501, Ambiguous),
        (502, Ambiguous),
        (503, Transient),
        (504, Ambiguous),
        (520, Ambiguous),
        (599, Ambiguous),
        (100, Bug),
        (0, Bug),
    ];
    for (status, class) in rows {
        for body in [
            "",
            "<html>Bad gateway</html>",
            "{",
            "null",
            r#"{"code":null}"#,
            r#"{"code":-1}"#,
        ] {
            let error = error(testkit::reply(status, body));
            assert_eq!(error.class, class, "{status} {body:?}");
            assert_eq!(error.code, format!("http_{status}"));
            assert_eq!(error.provider_code, None);
            assert_eq!(error.retry_after_ms, None);
        }
    }
}

/// A code decides where it is known, else the status does. A gateway's own answers stay ambiguous.
#[test]
fn statuses_with_twilios_words() {
    use ErrorClass::{Ambiguous, Content, Credentials, OptedOut, Recipient, Throttled, Transient};
    let rows = [
        (400, 21211, Recipient, "invalid_recipient"),
        (400, 21610, OptedOut, "opted_out"),
        (401, 20003, Credentials, "authentication"),
        (403, 20006, Credentials, "authentication"),
        (403, 21408, Recipient, "region_not_enabled"),
        (429, 20429, Throttled, "rate_limited"),
        (429, 99_999, Throttled, "http_429"),
        (400, 99_999, Content, "http_400"),
        (403, 99_999, Credentials, "http_403"),
        (500, 20500, Transient, "provider_fault"),
        (500, 99_999, Transient, "http_500"),
        (503, 20503, Transient, "provider_fault"),
        (503, 99_999, Transient, "http_503"),
        (502, 20500, Ambiguous, "http_502"),
        (504, 20500, Ambiguous, "http_504"),
    ];
    for (status, code, class, name) in rows {
        let error = error(twilio_error(status, code));
        assert_eq!(
            (error.class, error.code.as_str()),
            (class, name),
            "{status} {code}"
        );
        let gateway = matches!(status, 502 | 504);
        let provider_code = (!gateway).then(|| code.to_string());
        assert_eq!(error.provider_code, provider_code, "{status} {code}");
        assert!(
            !error.message.contains(ADA),
            "Twilio's words repeat what was sent"
        );
    }
    let in_text = testkit::json_reply(400, &json!({"code": "21211"}));
    assert_eq!(error(in_text).class, Recipient);
}

#[test]
fn waits_are_taken() {
    let wait = |status: u16, value: Option<&str>, body: &str| {
        let headers = value.map(|value| ("retry-after".into(), value.into()));
        error(Reply::Http(HttpReply {
            status,
            headers: headers.into_iter().collect(),
            body: body.as_bytes().to_vec(),
            file: None,
        }))
        .retry_after_ms
    };
    let code = r#"{"code":20429}"#;
    let cap = r#"{"code":63038}"#;
    assert_eq!(wait(429, Some("7"), code), Some(7_000));
    assert_eq!(wait(429, Some("7"), ""), Some(7_000));
    assert_eq!(
        wait(503, Some("Thu, 01 Jan 2026 00:02:00 GMT"), ""),
        Some(120_000)
    );
    assert_eq!(wait(429, Some("99999999"), code), Some(86_400_000));
    assert_eq!(wait(429, Some("soon"), code), None);
    assert_eq!(wait(429, None, code), None);
    assert_eq!(wait(429, None, cap), Some(6 * 60 * 60 * 1_000));
    assert_eq!(wait(429, Some("60"), cap), Some(60_000));
}

/// Only what surely never arrived may be sent again.
#[test]
fn no_answer_at_all() {
    use ErrorClass::{Ambiguous, Config, Transient};
    let rows = [
        (TransportKind::Dns, Transient),
        (TransportKind::Connect, Transient),
        (TransportKind::Tls, Transient),
        (TransportKind::TimeoutBeforeSend, Transient),
        (TransportKind::TimeoutAfterSend, Ambiguous),
        (TransportKind::TooLarge, Ambiguous),
        (TransportKind::Forbidden, Config),
    ];
    for (kind, class) in rows {
        assert_eq!(error(testkit::transport(kind)).class, class, "{kind:?}");
    }
    let mail = Reply::Smtp(SmtpReply::default());
    assert_eq!(error(mail).class, ErrorClass::Bug);
}
