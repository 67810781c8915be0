//! Files of the daemon: uploaded first, then sent by id.

use serde_json::json;
use trunkline_plugin_api::{
    Body, Content, ErrorClass, HttpRequest, Media, MediaRef, OutboundMessage, PieceEncoding,
    Request, TransportKind,
    testkit::{self, RANDOM},
};

use super::{
    send::{SENT, accepted, body, to_ada},
    *,
};

const SHA: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn file(content_type: Option<&str>, name: Option<&str>) -> Media {
    Media {
        source: MediaRef {
            sha256: Some(SHA.into()),
            url: Some("https://gw.example.com/media/short-lived".into()),
            ..MediaRef::default()
        },
        content_type: content_type.map(String::from),
        name: name.map(String::from),
        size: Some(3),
    }
}

fn with(media: Media, text: &str) -> OutboundMessage {
    to_ada(Content {
        media: vec![media],
        ..Content::text(text)
    })
}

/// The upload, exactly.
fn upload(media: &Media, content_type: &str, name: &str) -> HttpRequest {
    let boundary = format!("trunkline-{RANDOM}");
    let mut body = Body::pieces();
    let head = format!(
        "--{boundary}\r\ncontent-disposition: form-data; name=\"messaging_product\"\r\n\r\nwhatsapp\r\n\
         --{boundary}\r\ncontent-disposition: form-data; name=\"type\"\r\n\r\n{content_type}\r\n\
         --{boundary}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
         content-type: {content_type}\r\n\r\n"
    );
    body.push_bytes(head.as_bytes());
    body.push_media(media.source.clone(), PieceEncoding::Identity);
    body.push_bytes(format!("\r\n--{boundary}--\r\n").as_bytes());
    let mut request = HttpRequest::new("POST", format!("{GRAPH}/{NUMBER}/media"))
        .sensitive_header("authorization", BEARER)
        .header("accept", "application/json")
        .header(
            "content-type",
            format!("multipart/form-data; boundary={boundary}"),
        );
    request.body = body;
    request
}

#[test]
fn a_file_is_uploaded_and_sent_by_its_id() {
    let media = file(Some("application/pdf"), Some("Bill \"1\"\r\n.pdf"));
    let run = kit().send(
        &with(media.clone(), "Yours"),
        [
            testkit::json_reply(200, &json!({"id": "4242"})),
            testkit::json_reply(200, &accepted()),
        ],
    );
    let message = body(
        "document",
        &json!({"id": "4242", "caption": "Yours", "filename": "Bill \"1\"\r\n.pdf"}),
    );
    assert_eq!(
        run.requests,
        [
            Request::Http(upload(&media, "application/pdf", "Bill _1___.pdf")),
            Request::Http(post(&format!("{NUMBER}/messages"), &message)),
        ]
    );
    assert_eq!(run.outcome.unwrap().external_id, SENT);
}

#[test]
fn types_that_are_missing_are_guessed() {
    for (media, kind, content_type, name) in [
        (file(None, Some("a.jpg")), "image", "image/jpeg", "a.jpg"),
        (
            file(None, Some("voice.ogg")),
            "audio",
            "audio/mpeg",
            "voice.ogg",
        ),
        (
            file(Some("Image/PNG; q=1"), None),
            "image",
            "image/png",
            "file",
        ),
        (
            file(Some("evil\r\nx: y"), Some("")),
            "document",
            "application/octet-stream",
            "file",
        ),
    ] {
        let run = kit().send(
            &with(media.clone(), ""),
            [
                testkit::json_reply(200, &json!({"id": 4242})),
                testkit::json_reply(200, &accepted()),
            ],
        );
        assert_eq!(
            run.requests[0],
            Request::Http(upload(&media, content_type, name))
        );
        let Request::Http(sent) = &run.requests[1] else {
            panic!("{run:?}");
        };
        let Body::Bytes { bytes } = &sent.body else {
            panic!("{run:?}");
        };
        let sent: Value = serde_json::from_slice(bytes).expect("JSON");
        assert_eq!(
            (sent["type"].as_str(), sent[kind]["id"].as_str()),
            (Some(kind), Some("4242"))
        );
    }
}

/// An upload may be repeated, so nothing about it is ambiguous; the message itself is.
#[test]
fn an_interrupted_upload_begins_anew() {
    let message = with(file(Some("image/png"), None), "");
    let lost = kit().send(
        &message,
        [testkit::transport(TransportKind::TimeoutAfterSend)],
    );
    assert_eq!(lost.outcome.unwrap_err().class, ErrorClass::Transient);
    let again = kit().send_from(
        &message,
        lost.cursors[0].clone(),
        [
            testkit::json_reply(200, &json!({"id": "4242"})),
            testkit::json_reply(200, &accepted()),
        ],
    );
    assert_eq!(again.requests.len(), 2);
    let error = kit()
        .send_from(&message, again.cursors[1].clone(), [])
        .outcome
        .unwrap_err();
    assert_eq!(error.class, ErrorClass::Ambiguous);
    let odd = kit().send(&message, [testkit::json_reply(200, &json!({}))]);
    assert_eq!(odd.outcome.unwrap_err().class, ErrorClass::Transient);
    let refused = kit().send(&message, [testkit::json_reply(400, &error_of_upload())]);
    assert_eq!(refused.outcome.unwrap_err().class, ErrorClass::Content);
}

fn error_of_upload() -> Value {
    error(131_053, "Media upload error")
}

/// What would be refused anyway is not uploaded.
#[test]
fn nothing_is_uploaded_in_vain() {
    let run = kit().send(&with(file(Some("audio/mpeg"), None), "with words"), []);
    assert_eq!(run.outcome.unwrap_err().code, "caption_unsupported");
}
