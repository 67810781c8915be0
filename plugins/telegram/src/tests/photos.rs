//! Pictures that are no photos for Telegram, and files that are too large for it.

use serde_json::json;
use trunkline_plugin_api::{Content, ErrorClass, Media, MediaRef, OutboundMessage, Request};

use super::{API, GROUP, call, kit, refusal, taken, to_ada};

const LINK: &str = "https://files.example.org/a.png";
const MB: u64 = 1 << 20;

fn with(source: MediaRef, kind: Option<&str>, size: Option<u64>) -> OutboundMessage {
    OutboundMessage {
        content: Content {
            media: vec![Media {
                source,
                content_type: kind.map(String::from),
                size,
                ..Media::default()
            }],
            ..Content::default()
        },
        ..to_ada("")
    }
}

fn linked(kind: Option<&str>, size: Option<u64>) -> OutboundMessage {
    let source = MediaRef {
        url: Some(LINK.into()),
        ..MediaRef::default()
    };
    with(source, kind, size)
}

fn kept(kind: &str, size: u64) -> OutboundMessage {
    let source = MediaRef {
        sha256: Some("ab".repeat(32)),
        ..MediaRef::default()
    };
    with(source, Some(kind), Some(size))
}

#[test]
fn methods_and_refusals_by_size() {
    let rows = [
        (linked(Some("image/png"), Some(5 * MB)), Some("sendPhoto")),
        (
            linked(Some("image/png"), Some(5 * MB + 1)),
            Some("sendDocument"),
        ),
        (linked(None, Some(5 * MB + 1)), Some("sendDocument")),
        (linked(None, None), Some("sendPhoto")),
        (linked(Some("video/mp4"), Some(20 * MB)), Some("sendVideo")),
        (linked(Some("video/mp4"), Some(20 * MB + 1)), None),
        (kept("image/png", 10 * MB), Some("sendPhoto")),
        (kept("image/png", 10 * MB + 1), Some("sendDocument")),
        (kept("video/mp4", 50 * MB), Some("sendVideo")),
        (kept("video/mp4", 50 * MB + 1), None),
    ];
    for (message, method) in rows {
        let replies = method.map(|_| taken(42));
        let run = kit().send(&message, replies);
        let about = format!("{:?}", message.content.media);
        match (run.requests.first(), method) {
            (Some(Request::Http(request)), Some(method)) => {
                assert_eq!(request.url, format!("{API}/{method}"), "{about}");
            }
            (None, None) => {
                let error = run.outcome.expect_err("it is refused");
                assert_eq!(error.class, ErrorClass::Content, "{about}");
                assert_eq!(error.code, "media_too_large", "{about}");
            }
            (request, method) => panic!("{about}: {request:?}, not {method:?}"),
        }
    }
}

/// Telegram refused the photo, so nothing was sent; a second refusal is the end.
#[test]
fn a_photo_of_odd_dimensions_is_sent_as_a_document_once() {
    let message = linked(Some("image/png"), None);
    let photo = call("sendPhoto", &json!({"photo": LINK, "chat_id": 5001}));
    let document = |chat: i64| {
        let parameters = json!({"document": LINK, "chat_id": chat});
        Request::Http(call("sendDocument", &parameters))
    };
    let odd = refusal(400, "Bad Request: PHOTO_INVALID_DIMENSIONS", &json!({}));
    let moved = refusal(
        400,
        "Bad Request: group chat was upgraded to a supergroup chat",
        &json!({"migrate_to_chat_id": GROUP}),
    );
    let as_document = json!({"as_document": true});
    let rows = [
        (
            vec![odd.clone(), taken(42)],
            vec![document(5001)],
            vec![as_document.clone()],
            true,
        ),
        (
            vec![odd.clone(), odd.clone()],
            vec![document(5001)],
            vec![as_document.clone()],
            false,
        ),
        (
            vec![odd, moved, taken(42)],
            vec![document(5001), document(GROUP)],
            vec![as_document, json!({"moved_to": GROUP, "as_document": true})],
            true,
        ),
    ];
    for (replies, requests, cursors, is_sent) in rows {
        let run = kit().send(&message, replies);
        assert_eq!(run.requests[0], Request::Http(photo.clone()));
        assert_eq!(run.requests[1..], requests);
        assert_eq!(run.cursors[0], json!({}));
        assert_eq!(run.cursors[1..], cursors);
        assert_eq!(run.outcome.is_ok(), is_sent, "{:?}", run.outcome);
    }
}

#[test]
fn the_words_alone_repeat_nothing_that_is_no_photo() {
    let odd = refusal(400, "Bad Request: PHOTO_INVALID_DIMENSIONS", &json!({}));
    let run = kit().send(&to_ada("hello"), [odd]);
    let error = run.outcome.expect_err("it is refused");
    assert_eq!(error.class, ErrorClass::Content);
    assert_eq!(run.requests.len(), 1);
}
