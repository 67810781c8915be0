//! Meta's codes and statuses.

use std::collections::BTreeSet;

use serde_json::json;
use trunkline_plugin_api::{AdapterError, Content, ErrorClass, HttpReply, Reply, testkit};

use super::{send::to_ada, *};
use crate::errors::TABLE;

fn outcome(reply: Reply) -> AdapterError {
    let run = kit().send(&to_ada(Content::text("Hi")), [reply]);
    run.outcome.expect_err("an error")
}

fn of_code(status: u16, code: u64) -> AdapterError {
    outcome(testkit::json_reply(
        status,
        &error(code, "words that repeat what was sent"),
    ))
}

#[test]
fn codes_are_in_the_table_once() {
    let mut seen = BTreeSet::new();
    for row in TABLE {
        for code in row.codes {
            assert!(seen.insert(code), "{code} twice");
            let error = of_code(400, *code);
            assert_eq!(error.class, row.class, "{code}");
            assert_eq!(error.provider_code, Some(code.to_string()));
            assert!(!error.message.contains("repeat what was sent"), "{code}");
        }
    }
}

#[test]
fn codes_have_the_class_that_is_right_for_them() {
    use ErrorClass::{
        Bug, Content, Credentials, OptedOut, Recipient, Throttled, Transient, WindowClosed,
    };
    for (code, class) in [
        (0, Credentials),
        (190, Credentials),
        (200, Credentials),
        (299, Credentials),
        (368, Credentials),
        (131_031, Credentials),
        (4, Throttled),
        (80_007, Throttled),
        (130_429, Throttled),
        (131_056, Throttled),
        (131_016, Transient),
        (131_026, Recipient),
        (131_047, WindowClosed),
        (131_049, Recipient),
        (131_050, OptedOut),
        (132_000, Content),
        (132_001, Content),
        (132_015, Content),
        (131_053, Content),
    ] {
        assert_eq!(of_code(400, code).class, class, "{code}");
    }
    assert_eq!(of_code(418, 777_777).class, Bug);
}

/// Where the code is not known, the status decides.
#[test]
fn statuses_decide_for_unknown_codes_and_without_one() {
    use ErrorClass::{Ambiguous, Config, Content, Credentials, Throttled, Transient};
    let table = [
        (400, Content, Content),
        (401, Credentials, Credentials),
        (403, Credentials, Credentials),
        (404, Config, Config),
        (408, Transient, Transient),
        (429, Throttled, Throttled),
        (500, Transient, Ambiguous),
        (502, Ambiguous, Ambiguous),
        (503, Transient, Transient),
        (504, Ambiguous, Ambiguous),
        (301, Config, Config),
    ];
    for (status, with_code, without) in table {
        assert_eq!(of_code(status, 777_777).class, with_code, "{status}");
        assert_eq!(
            outcome(testkit::reply(status, "<html>")).class,
            without,
            "{status}"
        );
    }
    // A gateway's answer leaves the outcome open, whatever is in it.
    assert_eq!(of_code(504, 131_026).class, Ambiguous);
    let mut passes = error(777_777, "odd");
    passes["error"]["is_transient"] = true.into();
    assert_eq!(outcome(testkit::json_reply(400, &passes)).class, Transient);
}

#[test]
fn waits_are_taken_from_the_answer_or_the_table() {
    assert_eq!(of_code(400, 131_056).retry_after_ms, Some(6_000));
    assert_eq!(of_code(400, 130_429).retry_after_ms, None);
    let reply = Reply::Http(HttpReply {
        status: 429,
        headers: vec![("retry-after".into(), "17".into())],
        body: error(131_056, "slow").to_string().into_bytes(),
        file: None,
    });
    assert_eq!(outcome(reply).retry_after_ms, Some(17_000));
}

#[test]
fn token_errors_say_what_to_do() {
    let expired = "Error validating access token: Session has expired on Saturday";
    let error = outcome(testkit::json_reply(401, &error(190, expired)));
    assert_eq!(error.code, "token_expired");
    let words = "Meta 190: access token expired: make a system-user token, set it as access_token in \
                 [channel.under_test.config] and reload";
    assert_eq!(error.message, words);
    let with_app = kit_with(&json!({"app_id": "99"}));
    let run = with_app.send(
        &to_ada(Content::text("Hi")),
        [testkit::json_reply(
            401,
            &super::error(190, "Invalid OAuth access token"),
        )],
    );
    let words = run.outcome.unwrap_err().message;
    assert!(
        words.contains("is refused: make a system-user token for app 99"),
        "{words}"
    );
}
