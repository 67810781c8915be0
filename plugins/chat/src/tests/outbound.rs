//! Frames to visitors beyond the table.

use serde_json::json;
use trunkline_plugin_api::{
    Content, ErrorClass, Identity, Media, MediaRef, Part, PushReply, ReceivedRef, Reply, Request,
    TransportKind,
    testkit::{message, transport},
};

use super::{VISITOR, kit};

fn live() -> Reply {
    Reply::Push(PushReply { sessions: 1 })
}

#[test]
fn attachments_go_as_links() {
    let mut message = message("chat", VISITOR, "");
    message.content = Content {
        media: vec![Media {
            source: MediaRef {
                url: Some("https://hooks.example.org/media/x".into()),
                ..MediaRef::default()
            },
            content_type: Some("image/png".into()),
            name: Some("a.png".into()),
            size: Some(7),
        }],
        ..Content::default()
    };
    let run = kit().send(&message, [live()]);
    let [Request::Push(push)] = &run.requests[..] else {
        panic!("{:?}", run.requests);
    };
    assert_eq!(
        push.payload["media"],
        json!([{"url": "https://hooks.example.org/media/x", "name": "a.png", "content_type": "image/png", "size": 7}])
    );
    assert!(run.outcome.is_ok());
}

#[test]
fn what_the_page_can_not_show_is_refused() {
    let script = MediaRef {
        url: Some("javascript:alert(1)".into()),
        ..MediaRef::default()
    };
    for (source, code) in [
        (None, "nothing_to_show"),
        (Some(MediaRef::default()), "media_not_public"),
        (Some(script), "media_not_public"),
    ] {
        let mut message = message("chat", VISITOR, "");
        message.content.media.extend(source.map(|source| Media {
            source,
            ..Media::default()
        }));
        let error = kit().send(&message, []).outcome.unwrap_err();
        assert_eq!(
            (error.class, error.code.as_str()),
            (ErrorClass::Content, code)
        );
    }
}

#[test]
fn parts_have_ids_of_their_own() {
    let mut message = message("chat", VISITOR, "second half");
    message.part = Some(Part { index: 1, count: 2 });
    message.idempotency_key = format!("{}.1", message.id);
    let run = kit().send(&message, [live()]);
    let receipt = run.outcome.unwrap();
    assert_eq!(receipt.external_id, format!("{VISITOR}:{}.1", message.id));
}

#[test]
fn a_restart_pushes_again() {
    let message = message("chat", VISITOR, "hello");
    let run = kit().send_from(&message, json!("pushed"), [live()]);
    assert_eq!(run.requests.len(), 1);
    assert!(run.outcome.is_ok());
}

#[test]
fn read_marks_name_the_visitors_own_message() {
    let mut mark = ReceivedRef {
        external_id: format!("{VISITOR}:c7"),
        sender: Identity::new("chat", VISITOR),
        typing: true,
    };
    let run = kit().mark_read(&mark, [live()]);
    let [Request::Push(push)] = &run.requests[..] else {
        panic!("{:?}", run.requests);
    };
    assert_eq!(push.to, VISITOR);
    assert_eq!(
        push.payload,
        json!({"type": "read", "client": "c7", "typing": true})
    );
    assert_eq!(run.outcome, Ok(()));
    let lost = transport(TransportKind::TimeoutAfterSend);
    let error = kit().mark_read(&mark, [lost]).outcome.unwrap_err();
    assert_eq!(error.class, ErrorClass::Transient);
    mark.external_id = "someone:c7".into();
    let error = kit().mark_read(&mark, []).outcome.unwrap_err();
    assert_eq!(error.code, "not_a_chat_message");
}
