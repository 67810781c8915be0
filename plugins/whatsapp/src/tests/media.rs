//! Attachments of inbound messages.

use serde_json::json;
use trunkline_plugin_api::{
    ErrorClass, FileReply, HttpReply, HttpRequest, Media, MediaRef, Reply, ReplyTo, Request,
    testkit,
};

use super::*;

const SHA: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const AT_META: &str = "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=77&hash=x";

fn by_id() -> MediaRef {
    MediaRef {
        provider_id: Some("77".into()),
        ..MediaRef::default()
    }
}

fn found(url: &str) -> Reply {
    testkit::json_reply(
        200,
        &json!({"url": url, "mime_type": "image/jpeg", "file_size": 3, "id": "77"}),
    )
}

fn bytes(status: u16) -> Reply {
    Reply::Http(HttpReply {
        status,
        headers: vec![("content-type".into(), "application/octet-stream".into())],
        file: (status == 200).then(|| FileReply {
            sha256: SHA.into(),
            size: 3,
        }),
        ..HttpReply::default()
    })
}

fn ask() -> Request {
    Request::Http(get(format!("{GRAPH}/77?phone_number_id={NUMBER}")))
}

fn download(url: &str) -> Request {
    let mut request = HttpRequest::new("GET", url).sensitive_header("authorization", BEARER);
    request.reply_to = ReplyTo::File;
    Request::Http(request)
}

fn stored() -> Media {
    Media {
        source: MediaRef {
            sha256: Some(SHA.into()),
            ..MediaRef::default()
        },
        content_type: Some("image/jpeg".into()),
        name: None,
        size: Some(3),
    }
}

#[test]
fn an_id_leads_to_a_url_and_that_to_a_file() {
    let run = kit().fetch_media(&by_id(), [found(AT_META), bytes(200)]);
    assert_eq!(run.requests, [ask(), download(AT_META)]);
    assert_eq!(run.outcome, Ok(stored()));
}

/// URLs live for five minutes: one that has ended is asked for once more.
#[test]
fn a_url_that_has_ended_is_asked_for_anew() {
    let run = kit().fetch_media(
        &by_id(),
        [found(AT_META), bytes(404), found(AT_META), bytes(200)],
    );
    assert_eq!(run.requests.len(), 4);
    assert_eq!(run.outcome, Ok(stored()));
    let run = kit().fetch_media(
        &by_id(),
        [found(AT_META), bytes(404), found(AT_META), bytes(404)],
    );
    let error = run.outcome.unwrap_err();
    assert_eq!(
        (error.class, error.code.as_str()),
        (ErrorClass::Content, "media_unavailable")
    );
}

/// The token goes to Meta's hosts alone.
#[test]
fn the_token_goes_nowhere_else() {
    for url in [
        "https://evil.example/x",
        "https://fbsbx.com.evil.example/x",
        "https://evilfbsbx.com/x",
        "http://lookaside.fbsbx.com/x",
        "https://lookaside.fbsbx.com:444/x",
        "https://user@evil.example/lookaside.fbsbx.com",
        "file:///etc/passwd",
        "",
    ] {
        let run = kit().fetch_media(&by_id(), [found(url)]);
        assert_eq!(run.outcome.unwrap_err().code, "media_unavailable", "{url}");
    }
    let elsewhere = kit_with(&json!({"api_base": "http://127.0.0.1:7000"}));
    let run = elsewhere.fetch_media(&by_id(), [found("http://127.0.0.1:7001/x"), bytes(200)]);
    assert!(run.outcome.is_ok());
    let run = elsewhere.fetch_media(&by_id(), [found("https://graph.facebook.com/x")]);
    assert!(run.outcome.is_err());
}

#[test]
fn faults_have_their_class() {
    let run = kit().fetch_media(
        &by_id(),
        [testkit::json_reply(
            400,
            &error(100, "Unsupported get request"),
        )],
    );
    assert_eq!(run.outcome.unwrap_err().code, "media_unavailable");
    let run = kit().fetch_media(&by_id(), [testkit::json_reply(401, &error(190, "expired"))]);
    let error = run.outcome.unwrap_err();
    assert_eq!(error.class, ErrorClass::Credentials);
    assert!(
        error.message.contains("[channel.under_test.config]"),
        "{}",
        error.message
    );
    let run = kit().fetch_media(&by_id(), [found(AT_META), testkit::reply(502, "")]);
    assert_eq!(run.outcome.unwrap_err().class, ErrorClass::Transient);
    let run = kit().fetch_media(&MediaRef::default(), []);
    assert!(run.outcome.is_err());
}
