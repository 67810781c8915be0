//! Messages out by the Messages API: the exact request for each, its token, and the answers.

use data_encoding::BASE64URL_NOPAD;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use serde_json::{Value, json};
use trunkline_plugin_api::{
    AdapterError, Body, Content, ErrorClass, HttpRequest, Media, MediaRef, OutboundMessage,
    Receipt, Reply, Request, TemplateCall,
    testkit::{self, Kit, NOW_MS},
};

use super::{ADA, APPLICATION, BASIC, PRIVATE_KEY, REFERENCE, UUID, messages, messages_kit, with};
use crate::{Vonage, pem};

const CALLBACK: &str = "https://gw.example.com/webhooks/sms_support/token";

fn taken() -> Reply {
    testkit::json_reply(202, &json!({"message_uuid": UUID}))
}

fn to_ada(content: Content) -> OutboundMessage {
    OutboundMessage {
        content,
        ..testkit::message("phone", ADA, "")
    }
}

fn call(kit: &Kit<Vonage>, message: &OutboundMessage) -> HttpRequest {
    let run = kit.send(message, [taken()]);
    let want = Receipt {
        external_id: UUID.into(),
        ..Receipt::default()
    };
    assert_eq!(run.outcome, Ok(want));
    match run.requests.into_iter().next() {
        Some(Request::Http(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn body(request: &HttpRequest) -> Value {
    match &request.body {
        Body::Bytes { bytes } => serde_json::from_slice(bytes).expect("JSON"),
        other => panic!("{other:?}"),
    }
}

fn media(url: &str, content_type: Option<&str>) -> Media {
    Media {
        source: MediaRef {
            url: Some(url.into()),
            ..MediaRef::default()
        },
        content_type: content_type.map(String::from),
        ..Media::default()
    }
}

#[test]
fn bodies() {
    let common = json!({"from": "447700900000", "to": "447700900001", "client_ref": REFERENCE});
    let pictures = vec![
        media("https://m.example/1.jpg?a=b", None),
        media("https://m.example/2", Some("text/vcard; charset=utf-8")),
    ];
    let rows = [
        (
            Content::text("Hi 😀 "),
            json!({
                "channel": "sms", "message_type": "text", "text": "Hi 😀 ",
                "sms": {"encoding_type": "auto"},
            }),
        ),
        (
            Content {
                media: vec![media("https://m.example/1", Some("image/png"))],
                ..Content::text("Look")
            },
            json!({
                "channel": "mms", "message_type": "image",
                "image": {"url": "https://m.example/1", "caption": "Look"},
            }),
        ),
        (
            Content {
                media: vec![media("https://m.example/1.pdf", None)],
                ..Content::default()
            },
            json!({
                "channel": "mms", "message_type": "file", "file": {"url": "https://m.example/1.pdf"},
            }),
        ),
        (
            Content {
                media: pictures,
                ..Content::text("Look")
            },
            json!({
                "channel": "mms", "message_type": "content",
                "content": [
                    {"type": "image", "url": "https://m.example/1.jpg?a=b", "caption": "Look"},
                    {"type": "vcard", "url": "https://m.example/2"},
                ],
            }),
        ),
    ];
    for (content, want) in rows {
        let request = call(&messages_kit(), &to_ada(content));
        assert_eq!(request.url, "https://api.nexmo.com/v1/messages");
        assert_eq!(request.method, "POST");
        assert_eq!(body(&request), with(common.clone(), &want));
    }
}

#[test]
fn kinds_of_attachments() {
    let rows = [
        ("https://m.example/a", Some("image/gif"), "image"),
        ("https://m.example/a", Some("audio/mpeg"), "audio"),
        ("https://m.example/a", Some("video/mp4"), "video"),
        ("https://m.example/a", Some("text/x-vcard"), "vcard"),
        ("https://m.example/a.png", Some("application/pdf"), "file"),
        ("https://m.example/a.PNG", None, "image"),
        ("https://m.example/a.mp3", None, "audio"),
        ("https://m.example/a.mp4#t=1", None, "video"),
        ("https://m.example/a.vcf", None, "vcard"),
        ("https://m.example/a", None, "file"),
    ];
    for (url, content_type, kind) in rows {
        let content = Content {
            media: vec![media(url, content_type)],
            ..Content::default()
        };
        let body = body(&call(&messages_kit(), &to_ada(content)));
        assert_eq!(body["message_type"], kind, "{url} {content_type:?}");
        assert_eq!(body[kind]["url"], url);
    }
}

/// Reports are asked for without our query, and only as an application: basic authentication has none.
#[test]
fn callbacks() {
    let part = "0198b2a0-0000-7000-8000-000000000001.2";
    let message = OutboundMessage {
        callback_url: Some(format!("{CALLBACK}?message={part}")),
        ..to_ada(Content::text("Hi"))
    };
    let as_application = body(&call(&messages_kit(), &message));
    assert_eq!(as_application["webhook_url"], CALLBACK);
    assert_eq!(as_application["webhook_version"], "v1");
    assert_eq!(as_application["client_ref"], part);
    let keys = json!({"application_id": null, "private_key": null});
    let kit = Kit::<Vonage>::open(with(messages(), &keys));
    let request = call(&kit, &message);
    let with_login = body(&request);
    assert!(with_login.get("webhook_url").is_none(), "{with_login}");
    assert_eq!(with_login["client_ref"], part);
    let header = &request.headers[0];
    assert_eq!(
        (header.name.as_str(), header.value.as_str()),
        ("authorization", BASIC)
    );
    assert!(header.sensitive);
}

/// The token of a request: header, claims, and whether the public half of the key verifies it.
fn token(request: &HttpRequest) -> (Value, Value) {
    let header = &request.headers[0];
    assert!(header.sensitive && header.name == "authorization");
    let token = header
        .value
        .strip_prefix("Bearer ")
        .expect("a bearer token");
    let parts: Vec<&str> = token.split('.').collect();
    let [head, claims, signature] = parts.as_slice() else {
        panic!("{token}");
    };
    let decode = |text: &str| BASE64URL_NOPAD.decode(text.as_bytes()).expect("base64url");
    let pair: RsaKeyPair = pem::read_key(PRIVATE_KEY).expect("the key of the tests");
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public());
    let signed = format!("{head}.{claims}");
    public
        .verify(signed.as_bytes(), &decode(signature))
        .expect("a signature of this key");
    let json = |text: &str| serde_json::from_slice(&decode(text)).expect("JSON");
    (json(head), json(claims))
}

#[test]
fn the_token_is_the_applications() {
    let want = json!({
        "application_id": APPLICATION, "iat": NOW_MS / 1_000, "exp": NOW_MS / 1_000 + 900,
        "jti": "00010203-0405-4607-8809-0a0b0c0d0e0f",
    });
    let keys = [
        PRIVATE_KEY.to_owned(),
        include_str!("keys/pkcs1.pem").to_owned(),
        PRIVATE_KEY.replace('\n', "\\n"),
        PRIVATE_KEY.replace('\n', "\r\n"),
        format!("some words before\n{PRIVATE_KEY}"),
    ];
    for key in keys {
        let kit = Kit::<Vonage>::open(with(messages(), &json!({"private_key": key})));
        let (header, claims) = token(&call(&kit, &to_ada(Content::text("Hi"))));
        assert_eq!(header, json!({"alg": "RS256", "typ": "JWT"}));
        assert_eq!(claims, want);
    }
}

fn error(reply: Reply) -> AdapterError {
    let run = messages_kit().send(&to_ada(Content::text("Hi")), [reply]);
    run.outcome.expect_err("an error")
}

fn problem(status: u16, kind: &str, title: &str) -> Reply {
    let body = json!({
        "type": format!("https://developer.nexmo.com/api-errors{kind}"), "title": title,
        "detail": "about 447700900001", "instance": "bf0ca0bf927b3b52e3cb03217e1a1ddf",
    });
    testkit::json_reply(status, &body)
}

#[test]
fn refusals_of_vonage() {
    use ErrorClass::{
        Ambiguous, Bug, Config, Content, Credentials, OptedOut, Recipient, Throttled, Transient,
    };
    let rows = [
        (problem(401, "#unauthorized", "Unauthorized"), Credentials),
        (problem(402, "#low-balance", "Low balance"), Credentials),
        (problem(403, "#forbidden", "Forbidden"), Credentials),
        (problem(404, "#not-found", "Not found"), Config),
        (problem(422, "/messages#1150", "Invalid params"), Content),
        (problem(422, "/messages#1120", "Illegal sender"), Config),
        (problem(422, "/messages#1170", "Invalid number"), Recipient),
        (problem(403, "/messages#1240", "Opted out"), OptedOut),
        (problem(422, "/messages#1320", "Already sent"), Ambiguous),
        (problem(429, "/messages#1000", "Throttled"), Throttled),
        (problem(422, "/messages#4711", "New"), Content),
        (problem(429, "#throttled", "Rate limit"), Throttled),
        (problem(500, "#internal", "Internal error"), Transient),
        (problem(502, "/messages#1000", "Throttled"), Ambiguous),
        (testkit::reply(500, "<html>"), Ambiguous),
        (testkit::reply(503, ""), Transient),
        (testkit::reply(200, "<html>"), Ambiguous),
        (
            testkit::json_reply(202, &json!({"message_uuid": ""})),
            Ambiguous,
        ),
        (testkit::reply(101, ""), Bug),
    ];
    for (reply, class) in rows {
        let error = error(reply.clone());
        assert_eq!(error.class, class, "{reply:?}");
        assert!(!error.message.contains("4477"), "{}", error.message);
    }
    let words = error(problem(401, "#unauthorized", "Unauthorized")).message;
    let what = "check application_id and private_key in [channel.under_test.config] and reload";
    assert!(words.contains(what), "{words}");
}

#[test]
fn what_can_not_be_said_is_refused() {
    let hidden = Media {
        source: MediaRef {
            sha256: Some("00".into()),
            ..MediaRef::default()
        },
        ..Media::default()
    };
    let rows = [
        (Content::text(""), "empty"),
        (
            Content {
                media: vec![hidden.clone()],
                ..Content::default()
            },
            "media_not_public",
        ),
        (
            Content {
                media: vec![media("https://m.example/1.png", None), hidden],
                ..Content::default()
            },
            "media_not_public",
        ),
        (
            Content {
                template: Some(TemplateCall::default()),
                ..Content::default()
            },
            "unsupported_content",
        ),
    ];
    for (content, code) in rows {
        let run = messages_kit().send(&to_ada(content), []);
        let error = run.outcome.expect_err("an error");
        assert_eq!(
            (error.class, error.code.as_str()),
            (ErrorClass::Content, code)
        );
    }
    let nothing = json!({
        "application_id": null, "private_key": null, "api_key": null, "api_secret": null,
    });
    for (changes, code) in [
        (nothing, "no_credentials"),
        (json!({"from": null}), "no_sender"),
    ] {
        let kit = Kit::<Vonage>::open(with(messages(), &changes));
        let run = kit.send(&to_ada(Content::text("Hi")), []);
        assert_eq!(run.outcome.expect_err("an error").code, code);
    }
}
