//! Attachments: fetched into a file, with the credentials only where they belong.

use serde_json::json;
use trunkline_plugin_api::{
    AdapterError, ErrorClass, FileReply, HttpReply, HttpRequest, Media, MediaRef, Reply, ReplyTo,
    Request, TransportKind,
    testkit::{self, Kit},
};

use super::{BASIC, messages, messages_kit, with};
use crate::Vonage;

fn at(url: &str) -> MediaRef {
    MediaRef {
        url: Some(url.into()),
        ..MediaRef::default()
    }
}

fn file() -> Reply {
    Reply::Http(HttpReply {
        status: 200,
        headers: vec![("content-type".into(), "image/jpeg".into())],
        body: Vec::new(),
        file: Some(FileReply {
            sha256: "00ff".into(),
            size: 7,
        }),
    })
}

fn asked(kit: &Kit<Vonage>, url: &str) -> HttpRequest {
    let run = kit.fetch_media(&at(url), [file()]);
    let want = Media {
        source: MediaRef {
            sha256: Some("00ff".into()),
            ..MediaRef::default()
        },
        content_type: Some("image/jpeg".into()),
        name: None,
        size: Some(7),
    };
    assert_eq!(run.outcome, Ok(want));
    match run.requests.into_iter().next() {
        Some(Request::Http(request)) => request,
        other => panic!("{other:?}"),
    }
}

#[test]
fn only_vonage_gets_the_credentials() {
    let rows = [
        ("https://api.nexmo.com/v3/media/1", true),
        ("https://api-us.nexmo.com/v3/media/1", true),
        ("https://api-eu.vonage.com/v3/media/1", true),
        ("http://api.nexmo.com/v3/media/1", false),
        ("https://api.nexmo.com:8443/v3/media/1", false),
        ("https://evilnexmo.com/1", false),
        ("https://nexmo.com.evil.example/1", false),
        ("https://files.example.org/1?sig=a", false),
    ];
    for (url, owned) in rows {
        let request = asked(&messages_kit(), url);
        assert_eq!(
            (request.url.as_str(), request.reply_to),
            (url, ReplyTo::File)
        );
        assert_eq!(!request.headers.is_empty(), owned, "{url}");
        for header in request.headers {
            assert!(
                header.sensitive && header.value.starts_with("Bearer "),
                "{url}"
            );
        }
    }
    let keys = json!({
        "application_id": null, "private_key": null, "api_base": "http://127.0.0.1:9",
    });
    let kit = Kit::<Vonage>::open(with(messages(), &keys));
    assert_eq!(
        asked(&kit, "http://127.0.0.1:9/v3/media/1").headers[0].value,
        BASIC
    );
}

#[test]
fn failures() {
    let fetched = |reply: Reply| -> AdapterError {
        let run = messages_kit().fetch_media(&at("https://api.nexmo.com/v3/media/1"), [reply]);
        run.outcome.expect_err("an error")
    };
    let rows = [
        (testkit::reply(404, ""), ErrorClass::Content),
        (testkit::reply(410, ""), ErrorClass::Content),
        (testkit::reply(401, ""), ErrorClass::Credentials),
        (testkit::reply(502, ""), ErrorClass::Transient),
        (testkit::reply(200, ""), ErrorClass::Bug),
        (
            testkit::transport(TransportKind::TimeoutAfterSend),
            ErrorClass::Transient,
        ),
    ];
    for (reply, class) in rows {
        assert_eq!(fetched(reply.clone()).class, class, "{reply:?}");
    }
    for url in ["", "ftp://m.example/1", "no URL"] {
        let run = messages_kit().fetch_media(&at(url), []);
        assert_eq!(run.outcome.expect_err("an error").code, "media_unavailable");
    }
}
