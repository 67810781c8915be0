//! Fetching attachments, and where the credentials may go.

use serde_json::json;
use trunkline_plugin_api::{
    AdapterError, ErrorClass, FileReply, HttpReply, Media, MediaRef, Reply, ReplyTo, Request,
    TransportKind,
    testkit::{self, Kit},
};

use super::{BASIC, kit, kit_with};
use crate::Twilio;

const PICTURE: &str = "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1";

fn at(url: &str) -> MediaRef {
    MediaRef {
        url: Some(url.into()),
        ..MediaRef::default()
    }
}

fn file() -> Reply {
    Reply::Http(HttpReply {
        status: 200,
        headers: vec![("content-type".into(), "image/png".into())],
        file: Some(FileReply {
            sha256: "ab".into(),
            size: 7,
        }),
        ..HttpReply::default()
    })
}

/// The credentials in the request for this URL, if any.
fn credentials(kit: &Kit<Twilio>, url: &str) -> Option<String> {
    let run = kit.fetch_media(&at(url), [file()]);
    let [Request::Http(request)] = run.requests.as_slice() else {
        panic!("{run:?}");
    };
    assert_eq!(request.method, "GET");
    assert_eq!(request.reply_to, ReplyTo::File);
    assert_eq!(request.redirects_max, 3);
    let header = request
        .headers
        .iter()
        .find(|header| header.name == "authorization")?;
    assert!(header.sensitive);
    Some(header.value.clone())
}

#[test]
fn an_attachment_goes_into_a_file() {
    let run = kit().fetch_media(&at(PICTURE), [file()]);
    let want = Media {
        source: MediaRef {
            sha256: Some("ab".into()),
            ..MediaRef::default()
        },
        content_type: Some("image/png".into()),
        name: None,
        size: Some(7),
    };
    assert_eq!(run.outcome, Ok(want));
}

#[test]
fn credentials_go_to_twilio_alone() {
    for url in [
        PICTURE,
        "https://mcs.us1.twilio.com/v1/x",
        "https://twilio.com/x",
        "https://API.twilio.com:443/x",
    ] {
        assert_eq!(credentials(&kit(), url).as_deref(), Some(BASIC), "{url}");
    }
    for url in [
        "http://api.twilio.com/x",
        "https://api.twilio.com:8443/x",
        "https://api.twilio.com.evil.example/x",
        "https://eviltwilio.com/x",
        "https://evil.example/api.twilio.com",
        "https://api.twilio.com@evil.example/x",
        "https://evil.example#.twilio.com",
        "https://evil.example\\.twilio.com/x",
        "https://api.twilio.com./x",
        "https://127.0.0.1/x",
    ] {
        assert_eq!(credentials(&kit(), url), None, "{url}");
    }
}

/// A base of one's own gets them too, by scheme, host and port.
#[test]
fn credentials_go_to_the_own_base() {
    let kit = kit_with(&json!({"api_base": "http://127.0.0.1:8080/twilio"}));
    let own = credentials(&kit, "http://127.0.0.1:8080/media/1");
    assert_eq!(own.as_deref(), Some(BASIC));
    for url in [
        "http://127.0.0.1:8081/x",
        "https://127.0.0.1:8080/x",
        "http://localhost:8080/x",
    ] {
        assert_eq!(credentials(&kit, url), None, "{url}");
    }
}

/// Without credentials the attachment may still be public.
#[test]
fn no_credentials_are_needed() {
    assert_eq!(
        credentials(&kit_with(&json!({"auth_token": null})), PICTURE),
        None
    );
}

#[test]
fn what_can_not_be_fetched() {
    let by_id = MediaRef {
        provider_id: Some("ME1".into()),
        ..MediaRef::default()
    };
    let refs = [
        by_id,
        MediaRef::default(),
        at(""),
        at("ME1"),
        at("file:///etc/passwd"),
        at("ftp://x/y"),
    ];
    for media in refs {
        let run = kit().fetch_media(&media, []);
        assert_eq!(run.requests, []);
        assert_eq!(run.outcome.expect_err("no URL").code, "media_unavailable");
    }
}

#[test]
fn failures() {
    let error = |reply: Reply| -> AdapterError {
        kit()
            .fetch_media(&at(PICTURE), [reply])
            .outcome
            .expect_err("no file")
    };
    let rows = [
        (testkit::reply(404, ""), ErrorClass::Content),
        (testkit::reply(410, ""), ErrorClass::Content),
        (testkit::reply(401, ""), ErrorClass::Credentials),
        (testkit::reply(502, ""), ErrorClass::Transient),
        (testkit::reply(429, ""), ErrorClass::Throttled),
        (testkit::reply(200, "bytes"), ErrorClass::Bug),
        (testkit::reply(302, ""), ErrorClass::Config),
        (
            testkit::transport(TransportKind::TooLarge),
            ErrorClass::Transient,
        ),
        (
            testkit::transport(TransportKind::Connect),
            ErrorClass::Transient,
        ),
    ];
    for (reply, class) in rows {
        assert_eq!(error(reply.clone()).class, class, "{reply:?}");
    }
}
