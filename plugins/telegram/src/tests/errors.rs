//! What refusals and missing answers mean.

use serde_json::json;
use trunkline_plugin_api::{
    AdapterError, ErrorClass, HttpReply, Reply, TransportError, TransportKind,
    testkit::{self, Kit},
};

use super::{TOKEN, kit, refusal, to_ada};
use crate::Telegram;

fn failed(reply: Reply) -> AdapterError {
    kit()
        .send(&to_ada("hello"), [reply])
        .outcome
        .expect_err("it failed")
}

#[test]
fn refusals_by_their_words() {
    use ErrorClass::{Ambiguous, Bug, Config, Content, Credentials, OptedOut, Recipient};
    let rows = [
        (401, "Unauthorized", Credentials, "unauthorized"),
        (
            401,
            "Unauthorized: invalid token specified",
            Credentials,
            "unauthorized",
        ),
        (404, "Not Found", Credentials, "not_found"),
        (
            403,
            "Forbidden: bot was blocked by the user",
            OptedOut,
            "blocked",
        ),
        (
            403,
            "Forbidden: user is deactivated",
            Recipient,
            "deactivated",
        ),
        (
            403,
            "Forbidden: bot can't initiate conversation with a user",
            Recipient,
            "not_started",
        ),
        (
            403,
            "Forbidden: bot was kicked from the supergroup chat",
            Recipient,
            "forbidden",
        ),
        (
            400,
            "Bad Request: chat not found",
            Recipient,
            "chat_not_found",
        ),
        (
            400,
            "Bad Request: PEER_ID_INVALID",
            Recipient,
            "chat_not_found",
        ),
        (
            400,
            "Bad Request: chat_id is empty",
            Recipient,
            "invalid_recipient",
        ),
        (
            400,
            "Bad Request: not enough rights to send text messages to the chat",
            Recipient,
            "no_rights",
        ),
        (400, "Bad Request: message is too long", Content, "too_long"),
        (
            400,
            "Bad Request: file is too big",
            Content,
            "media_too_large",
        ),
        (
            400,
            "Bad Request: failed to get HTTP URL content",
            Content,
            "media_unavailable",
        ),
        (
            400,
            "Bad Request: wrong file identifier/HTTP URL specified",
            Content,
            "media_unavailable",
        ),
        (400, "Bad Request: REACTION_INVALID", Content, "refused"),
        (413, "Request Entity Too Large", Content, "media_too_large"),
        (302, "Found", Config, "redirected"),
        (418, "I'm a teapot", Bug, "http_418"),
        (500, "Internal Server Error", Ambiguous, "http_500"),
        (502, "Bad Gateway", Ambiguous, "http_502"),
    ];
    for (status, said, class, code) in rows {
        let error = failed(refusal(status, said, &json!({})));
        assert_eq!((error.class, error.code.as_str()), (class, code), "{said}");
        assert!(error.message.contains(said), "{error}");
        assert_eq!(error.provider_code, Some(status.to_string()));
    }
}

#[test]
fn too_fast_is_told_with_the_wait() {
    let said = "Too Many Requests: retry after 7";
    let wait = |reply| {
        let error = failed(reply);
        assert_eq!(error.class, ErrorClass::Throttled);
        error.retry_after_ms
    };
    assert_eq!(
        wait(refusal(429, said, &json!({"retry_after": 7}))),
        Some(7_000)
    );
    assert_eq!(
        wait(refusal(429, said, &json!({"retry_after": 0}))),
        Some(1_000)
    );
    let years = json!({"retry_after": u64::MAX});
    assert_eq!(wait(refusal(429, said, &years)), Some(86_400_000));
    assert_eq!(wait(refusal(429, said, &json!({"retry_after": "7"}))), None);
    let by_header = Reply::Http(HttpReply {
        status: 429,
        headers: vec![("retry-after".into(), "9".into())],
        ..HttpReply::default()
    });
    assert_eq!(wait(by_header), Some(9_000));
}

#[test]
fn answers_that_are_not_documented() {
    for (reply, class) in [
        (testkit::reply(200, "<html>"), ErrorClass::Ambiguous),
        (
            testkit::json_reply(200, &json!({"ok": true, "result": {}})),
            ErrorClass::Ambiguous,
        ),
        (
            testkit::json_reply(200, &json!({"ok": true, "result": null})),
            ErrorClass::Ambiguous,
        ),
        (testkit::reply(502, "<html>"), ErrorClass::Ambiguous),
        (testkit::reply(401, ""), ErrorClass::Credentials),
        (
            refusal(200, "Bad Request: chat not found", &json!({})),
            ErrorClass::Bug,
        ),
    ] {
        assert_eq!(failed(reply.clone()).class, class, "{reply:?}");
    }
}

/// The token is part of the URL, and the daemon may name the URL that failed.
#[test]
fn no_error_shows_the_token() {
    let url = format!("http://10.0.0.1/bot{TOKEN}/sendMessage: the address is private");
    for kind in [
        TransportKind::Forbidden,
        TransportKind::Connect,
        TransportKind::TimeoutAfterSend,
    ] {
        let reply = Reply::Error(TransportError {
            kind,
            detail: url.clone(),
        });
        // The kit looks for the whole token; the half behind the colon is the secret.
        let error = failed(reply.clone());
        assert!(
            error.message.contains("bot110201543:***/sendMessage"),
            "{error}"
        );
        let probe = format!("{:?}", kit().probe([reply]).outcome);
        assert!(!probe.contains("AAHdq"), "{probe}");
    }
    let echoed = refusal(400, &format!("Bad Request: {TOKEN}"), &json!({}));
    assert!(!failed(echoed).message.contains("AAHdq"));
}

#[test]
fn without_a_token_nothing_is_called() {
    let kit = Kit::<Telegram>::open(json!({}));
    let error = kit
        .send(&to_ada("hello"), [])
        .outcome
        .expect_err("no token");
    assert_eq!(error.class, ErrorClass::Credentials);
    assert!(
        error
            .message
            .contains("bot_token in [channel.under_test.config]")
    );
}

#[test]
fn what_surely_was_not_sent_is_tried_again() {
    for (kind, class) in [
        (TransportKind::Dns, ErrorClass::Transient),
        (TransportKind::Connect, ErrorClass::Transient),
        (TransportKind::Tls, ErrorClass::Transient),
        (TransportKind::TimeoutBeforeSend, ErrorClass::Transient),
        (TransportKind::TimeoutAfterSend, ErrorClass::Ambiguous),
        (TransportKind::TooLarge, ErrorClass::Ambiguous),
        (TransportKind::Forbidden, ErrorClass::Config),
    ] {
        assert_eq!(failed(testkit::transport(kind)).class, class, "{kind:?}");
    }
}
