//! Attachments of messages that came in.

use serde_json::{Value, json};
use trunkline_plugin_api::{
    AdapterError, ErrorClass, FileReply, HttpReply, HttpRequest, Media, MediaRef, Reply, ReplyTo,
    Request, TransportKind, testkit,
};

use super::{FILES, call, kit, refusal};

fn wanted() -> MediaRef {
    MediaRef {
        provider_id: Some("AgACAgIAAxk".into()),
        ..MediaRef::default()
    }
}

fn found(path: &Value) -> Reply {
    let result = json!({"file_id": "AgACAgIAAxk", "file_unique_id": "x", "file_path": path});
    testkit::json_reply(200, &json!({"ok": true, "result": result}))
}

fn bytes(kind: &str) -> Reply {
    Reply::Http(HttpReply {
        status: 200,
        headers: vec![("content-type".into(), kind.into())],
        file: Some(FileReply {
            sha256: "ab".repeat(32),
            size: 9,
        }),
        ..HttpReply::default()
    })
}

fn failed(replies: Vec<Reply>) -> AdapterError {
    kit()
        .fetch_media(&wanted(), replies)
        .outcome
        .expect_err("it failed")
}

#[test]
fn a_file_is_asked_for_and_fetched() {
    for (kind, want) in [
        ("application/octet-stream", None),
        ("image/jpeg", Some("image/jpeg")),
    ] {
        let path = json!("photos/file 1.jpg");
        let run = kit().fetch_media(&wanted(), [found(&path), bytes(kind)]);
        let mut download = HttpRequest::new("GET", format!("{FILES}/photos/file%201.jpg"));
        download.reply_to = ReplyTo::File;
        let asked = call("getFile", &json!({"file_id": "AgACAgIAAxk"}));
        assert_eq!(
            run.requests,
            [Request::Http(asked), Request::Http(download)]
        );
        assert_eq!(run.cursors, [json!("path"), json!("bytes")]);
        let media = Media {
            source: MediaRef {
                sha256: Some("ab".repeat(32)),
                ..MediaRef::default()
            },
            content_type: want.map(String::from),
            name: None,
            size: Some(9),
        };
        assert_eq!(run.outcome, Ok(media));
    }
}

#[test]
fn paths_that_lead_elsewhere_are_not_followed() {
    for path in [
        json!("../bot1:x/getMe"),
        json!("/var/lib/file"),
        json!("a//b"),
        json!(""),
        json!(null),
        json!(5),
    ] {
        let error = failed(vec![found(&path)]);
        assert_eq!(error.code, "media_unavailable", "{path}");
    }
}

/// What can be tried again is, what is gone is not.
#[test]
fn failures() {
    use ErrorClass::{Content, Credentials, Throttled, Transient};
    let path = json!("photos/file_1.jpg");
    let rows = [
        (
            vec![refusal(400, "Bad Request: file is too big", &json!({}))],
            Content,
        ),
        (
            vec![refusal(400, "Bad Request: invalid file_id", &json!({}))],
            Content,
        ),
        (vec![refusal(401, "Unauthorized", &json!({}))], Credentials),
        (
            vec![refusal(
                429,
                "Too Many Requests",
                &json!({"retry_after": 3}),
            )],
            Throttled,
        ),
        (vec![testkit::reply(502, "")], Transient),
        (vec![testkit::reply(200, "<html>")], Transient),
        (
            vec![testkit::transport(TransportKind::TimeoutAfterSend)],
            Transient,
        ),
        (vec![found(&path), testkit::reply(404, "")], Content),
        (vec![found(&path), testkit::reply(500, "")], Transient),
        (
            vec![found(&path), testkit::transport(TransportKind::TooLarge)],
            Transient,
        ),
    ];
    for (replies, class) in rows {
        let shown = format!("{replies:?}");
        assert_eq!(failed(replies).class, class, "{shown}");
    }
    let by_url = MediaRef {
        url: Some("https://files.example.org/a.png".into()),
        ..MediaRef::default()
    };
    let error = kit().fetch_media(&by_url, []).outcome.expect_err("no id");
    assert_eq!(error.class, Content);
}
