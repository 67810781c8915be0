//! Posts, and what their answers mean.

use serde_json::{Value, json};
use trunkline_plugin_api::{
    ErrorClass::{self, Bug, Config, Content, Credentials, Throttled, Transient},
    HttpReply, HttpRequest, Media, MediaRef, OutboundMessage, Part, ProbeState, PushReply, Receipt,
    Reply, Request, TemplateCall, TransportKind,
    testkit::{self, Exchange, Fixtures, NOW_MS, json_reply, message, reply, transport},
};

use super::{OTHER_WHSEC, WHSEC, kit, v1};
use crate::Webhook;

const TARGET: &str = "https://example.org/in?a=1";
const ID: &str = "0198b2a0-0000-7000-8000-000000000001";
/// The testkit's idempotency key without its dot.
const WEBHOOK_ID: &str = "0198b2a0-0000-7000-8000-000000000001_0";

fn config() -> Value {
    json!({"url": TARGET, "url_secret": WHSEC})
}

fn posted(data: &Value, secrets: &[&str]) -> Request {
    let body = json!({
        "type": "message.outbound",
        "timestamp": "2026-01-01T00:00:00Z",
        "data": data,
    })
    .to_string();
    let time_s = NOW_MS / 1_000;
    let request = HttpRequest::new("POST", TARGET)
        .header("content-type", "application/json")
        .header("webhook-id", WEBHOOK_ID)
        .header("webhook-timestamp", time_s.to_string());
    let signatures: Vec<_> = secrets
        .iter()
        .map(|secret| v1(secret, WEBHOOK_ID, time_s, body.as_bytes()))
        .collect();
    let request = if signatures.is_empty() {
        request
    } else {
        request.header("webhook-signature", signatures.join(" "))
    };
    Request::Http(request.body(body))
}

fn hello() -> OutboundMessage {
    message("webhook", "ada", "hello")
}

fn plain() -> Value {
    json!({"id": ID, "to": "ada", "text": "hello"})
}

fn receipt(external_id: &str) -> Receipt {
    Receipt {
        external_id: external_id.into(),
        ..Receipt::default()
    }
}

fn full() -> (OutboundMessage, Value) {
    let mut message = hello();
    message.content.html = Some("<p>hello</p>".into());
    message.content.subject = Some("Hi".into());
    message.content.media = vec![Media {
        source: MediaRef {
            url: Some("https://example.org/a.png".into()),
            ..MediaRef::default()
        },
        name: Some("a.png".into()),
        ..Media::default()
    }];
    message.content.template = Some(TemplateCall {
        name: "welcome".into(),
        ..TemplateCall::default()
    });
    message.part = Some(Part { index: 0, count: 2 });
    message.reply_to = Some("m0".into());
    message.metadata.insert("ticket".into(), json!(7));
    let data = json!({
        "id": ID,
        "to": "ada",
        "text": "hello",
        "html": "<p>hello</p>",
        "subject": "Hi",
        "media": [{"url": "https://example.org/a.png", "name": "a.png"}],
        "template": {"name": "welcome"},
        "part": {"index": 0, "count": 2},
        "reply_to": "m0",
        "metadata": {"ticket": 7},
    });
    (message, data)
}

#[test]
fn posts_are_exact() {
    let row = |name, reply, external_id| Exchange {
        name,
        message: hello(),
        replies: vec![reply],
        requests: vec![posted(&plain(), &[WHSEC])],
        outcome: Ok(receipt(external_id)),
    };
    let (message, data) = full();
    let sends = vec![
        row("no body", reply(204, ""), WEBHOOK_ID),
        row("not JSON", reply(200, "ok"), WEBHOOK_ID),
        row("no id", json_reply(200, &json!({"id": null})), WEBHOOK_ID),
        row(
            "unusable id",
            json_reply(200, &json!({"id": []})),
            WEBHOOK_ID,
        ),
        row("its own id", json_reply(202, &json!({"id": "x1"})), "x1"),
        row("a number", json_reply(200, &json!({"id": 9})), "9"),
        Exchange {
            name: "everything",
            message,
            replies: vec![reply(200, "")],
            requests: vec![posted(&data, &[WHSEC])],
            outcome: Ok(receipt(WEBHOOK_ID)),
        },
    ];
    let fixtures = Fixtures {
        sends,
        ..Fixtures::default()
    };
    testkit::check::<Webhook>(config(), &fixtures);
}

#[test]
fn every_secret_signs_the_first_one_first() {
    for (secrets, list) in [
        (json!([WHSEC, OTHER_WHSEC]), vec![WHSEC, OTHER_WHSEC]),
        (json!([OTHER_WHSEC, WHSEC]), vec![OTHER_WHSEC, WHSEC]),
        (json!([]), vec![]),
    ] {
        let kit = kit(json!({"url": TARGET, "url_secret": secrets}));
        let run = kit.send(&hello(), [reply(200, "")]);
        assert_eq!(run.requests, [posted(&plain(), &list)]);
    }
}

/// The receiver knows an id with its body: both stay, only time and signature are new.
#[test]
fn another_attempt_posts_the_same() {
    let mut kit = kit(config());
    let first = kit.send(&hello(), [reply(503, "")]);
    kit.now_ms += 61_000;
    let again = kit.send_from(&hello(), first.cursors[0].clone(), [reply(200, "")]);
    assert_eq!(again.outcome, Ok(receipt(WEBHOOK_ID)));
    let (Request::Http(first), Request::Http(again)) = (&first.requests[0], &again.requests[0])
    else {
        panic!("both are HTTP");
    };
    assert_eq!(first.body, again.body);
    assert_eq!(first.headers[..2], again.headers[..2]);
    assert_eq!(again.headers[2].value, (NOW_MS / 1_000 + 61).to_string());
    assert_ne!(first.headers[3], again.headers[3]);
}

fn answered(status: u16, name: &str, value: &str) -> Reply {
    Reply::Http(HttpReply {
        status,
        headers: vec![(name.into(), value.into())],
        ..HttpReply::default()
    })
}

#[test]
fn answers_have_their_classes() {
    let wait = |status| answered(status, "retry-after", "7");
    let abort = |status| answered(status, "webhook-delivery", "abort-message");
    let table: Vec<(Reply, ErrorClass, &str, Option<u64>)> = vec![
        (reply(301, ""), Config, "http_301", None),
        (reply(304, ""), Config, "http_304", None),
        (reply(410, ""), Config, "http_410", None),
        (reply(400, ""), Content, "http_400", None),
        (reply(401, ""), Content, "http_401", None),
        (reply(404, ""), Content, "http_404", None),
        (wait(422), Content, "http_422", None),
        (reply(429, ""), Throttled, "http_429", None),
        (wait(429), Throttled, "http_429", Some(7_000)),
        (reply(408, ""), Transient, "http_408", None),
        (reply(425, ""), Transient, "http_425", None),
        (reply(500, ""), Transient, "http_500", None),
        (reply(502, ""), Transient, "http_502", None),
        (wait(503), Transient, "http_503", Some(7_000)),
        (reply(504, ""), Transient, "http_504", None),
        (abort(500), Content, "http_500", None),
        (abort(429), Content, "http_429", None),
        (reply(101, ""), Bug, "http_101", None),
        (transport(TransportKind::Dns), Transient, "dns", None),
        (
            transport(TransportKind::Connect),
            Transient,
            "connect",
            None,
        ),
        (transport(TransportKind::Tls), Transient, "tls", None),
        (
            transport(TransportKind::TimeoutBeforeSend),
            Transient,
            "timeout_before_send",
            None,
        ),
        (
            transport(TransportKind::TimeoutAfterSend),
            Transient,
            "timeout_after_send",
            None,
        ),
        (
            transport(TransportKind::TooLarge),
            Transient,
            "too_large",
            None,
        ),
        (
            transport(TransportKind::Forbidden),
            Config,
            "address_forbidden",
            None,
        ),
        (
            Reply::Push(PushReply::default()),
            Bug,
            "wrong_transport",
            None,
        ),
    ];
    let kit = kit(config());
    for (reply, class, code, wait_ms) in table {
        let error = kit.send(&hello(), [reply.clone()]).outcome.unwrap_err();
        let got = (error.class, error.code.as_str(), error.retry_after_ms);
        assert_eq!(got, (class, code, wait_ms), "{reply:?}");
    }
    assert!(kit.send(&hello(), [abort(200)]).outcome.is_ok());
}

#[test]
fn what_cannot_be_posted_is_refused() {
    let mut file = hello();
    file.content.media = vec![Media {
        source: MediaRef {
            sha256: Some("00".repeat(32)),
            ..MediaRef::default()
        },
        ..Media::default()
    }];
    let empty = message("webhook", "ada", "");
    for (message, code) in [(file, "media_not_public"), (empty, "empty")] {
        let error = kit(config()).send(&message, []).outcome.unwrap_err();
        assert_eq!((error.class, error.code.as_str()), (Content, code));
    }
    let silent = kit(json!({"secret": super::SECRET}));
    let error = silent.send(&hello(), []).outcome.unwrap_err();
    assert_eq!(
        (error.class, error.code.as_str()),
        (Credentials, "no_credentials")
    );
}

#[test]
fn any_answer_to_the_probe_is_healthy() {
    let kit = kit(config());
    for status in [200, 301, 401, 404, 405, 410, 500] {
        let run = kit.probe([reply(status, "")]);
        assert_eq!(
            run.requests,
            [Request::Http(HttpRequest::new("HEAD", TARGET))]
        );
        assert_eq!(run.outcome.unwrap().state, ProbeState::Healthy, "{status}");
    }
    for kind in [
        TransportKind::Dns,
        TransportKind::Connect,
        TransportKind::TimeoutAfterSend,
    ] {
        let error = kit.probe([transport(kind)]).outcome.unwrap_err();
        assert_eq!(error.class, Transient, "{kind:?}");
    }
    let forbidden = kit.probe([transport(TransportKind::Forbidden)]);
    assert_eq!(forbidden.outcome.unwrap().state, ProbeState::Down);
}

#[test]
fn without_a_url_the_channel_is_down() {
    let probe = kit(json!({"secret": super::SECRET}))
        .probe([])
        .outcome
        .unwrap();
    assert_eq!(probe.state, ProbeState::Down);
    assert_eq!(probe.detail.as_deref(), Some("No credentials configured"));
}
