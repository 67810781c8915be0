//! Frames of visitors.

use serde_json::{Value, json};
use trunkline_plugin_api::{
    Content, Event, Identity, InboundMessage, Media, MediaRef, PushReply, PushRequest, Receipt,
    Received, Reply, ReportedStatus, Request, Response, Sender, StatusReport, TransportKind,
    Verdict,
    testkit::{Exchange, Fixtures, Inbound, Tampering, check, message, post, transport},
};

use super::{VISITOR, frame, kit};
use crate::Chat;

const SHA: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn received(answer: &Value, events: Vec<Event>) -> Received {
    let body = answer.to_string();
    Received::authentic(Response::with_body(200, "application/json", body), events)
}

fn hello() -> InboundMessage {
    InboundMessage {
        id: format!("{VISITOR}:c1"),
        sender: Sender {
            identity: Identity::new("chat", VISITOR),
            name: Some("Ada".into()),
            ..Sender::default()
        },
        content: Content::text(" <b>hi</b>\n"),
        metadata: json!({"client": "c1", "email": "ada@example.org"})
            .as_object()
            .unwrap()
            .clone(),
        ..InboundMessage::default()
    }
}

fn status(message: &str, status: ReportedStatus) -> Event {
    Event::Status(StatusReport {
        external_id: format!("{VISITOR}:{message}"),
        address: None,
        reference: None,
        status,
        code: None,
        detail: None,
        error: None,
        at_ms: None,
    })
}

fn attached() -> Event {
    Event::Message(InboundMessage {
        id: format!("{VISITOR}:c2"),
        sender: Sender {
            identity: Identity::new("chat", VISITOR),
            ..Sender::default()
        },
        content: Content {
            media: vec![Media {
                source: MediaRef {
                    sha256: Some(SHA.into()),
                    ..MediaRef::default()
                },
                content_type: Some("image/png".into()),
                name: Some("a.png".into()),
                size: Some(12),
            }],
            ..Content::default()
        },
        metadata: json!({"client": "c2"}).as_object().unwrap().clone(),
        ..InboundMessage::default()
    })
}

/// Everything that passes, in one table; the kit fuzzes each row and runs it on many threads.
#[test]
fn the_table() {
    let written = json!({"type": "message", "client": "c1", "text": " <b>hi</b>\n", "name": "Ada", "email": "ada@example.org"});
    let media = json!([{"sha256": SHA, "content_type": "image/png", "name": "a.png", "size": 12}]);
    let inbound = vec![
        Inbound {
            name: "text",
            request: frame(VISITOR, &written),
            want: received(
                &json!({"id": format!("{VISITOR}:c1")}),
                vec![Event::Message(hello())],
            ),
        },
        Inbound {
            name: "an attachment",
            request: frame(
                VISITOR,
                &json!({"type": "message", "client": "c2", "text": "", "name": " ", "media": media}),
            ),
            want: received(&json!({"id": format!("{VISITOR}:c2")}), vec![attached()]),
        },
        Inbound {
            name: "marks",
            request: frame(
                VISITOR,
                &json!({"type": "read", "messages": ["m1", "m2.1"]}),
            ),
            want: received(
                &json!({}),
                vec![
                    status("m1", ReportedStatus::Read),
                    status("m2.1", ReportedStatus::Read),
                ],
            ),
        },
        Inbound {
            name: "delivered",
            request: frame(VISITOR, &json!({"type": "delivered", "messages": ["m1"]})),
            want: received(&json!({}), vec![status("m1", ReportedStatus::Delivered)]),
        },
    ];
    let message = message("chat", VISITOR, "hello");
    let pushed = Request::Push(PushRequest {
        to: VISITOR.into(),
        payload: json!({"type": "message", "id": message.id, "direction": "out", "text": "hello", "at": message.accepted_at_ms}),
    });
    let receipt = |code: &str| Receipt {
        external_id: format!("{VISITOR}:{}", message.id),
        code: Some(code.into()),
        ..Receipt::default()
    };
    let send = |name, reply: Reply, outcome| Exchange {
        name,
        message: message.clone(),
        replies: vec![reply],
        requests: vec![pushed.clone()],
        outcome,
    };
    let lost = transport(TransportKind::TimeoutAfterSend);
    let mut passing = lost.push().unwrap_err();
    passing.class = trunkline_plugin_api::ErrorClass::Transient;
    let sends = vec![
        send(
            "to a live page",
            Reply::Push(PushReply { sessions: 2 }),
            Ok(receipt("live")),
        ),
        send(
            "to a closed page",
            Reply::Push(PushReply { sessions: 0 }),
            Ok(receipt("kept")),
        ),
        send("lost", lost, Err(passing)),
    ];
    // The door vouches for the frame: what is in it is whatever the visitor says.
    let tampering = Tampering::Unseen;
    check::<Chat>(
        json!({}),
        &Fixtures {
            inbound,
            sends,
            tampering,
        },
    );
}

#[test]
fn what_comes_by_another_way_is_refused() {
    let body = json!({"type": "message", "client": "c1", "text": "hi"}).to_string();
    let mut request = post(
        "https://hooks.example.org/webhooks/web",
        "application/json",
        body,
    );
    request
        .headers
        .push(("x-chat-visitor".into(), VISITOR.into()));
    for method in ["POST", "GET", "LMTP", "chat", ""] {
        request.method = method.into();
        let received = kit().receive(&request);
        assert_eq!(received.verdict, Verdict::NoSecret, "{method}");
        assert_eq!(received.response.status, 404);
        assert!(received.events.is_empty());
    }
}

#[test]
fn a_frame_without_a_visitor_is_nobodys() {
    for visitor in ["", "a b", "a:b", "ä", &"a".repeat(129)] {
        let request = frame(
            visitor,
            &json!({"type": "message", "client": "c", "text": "x"}),
        );
        let received = kit().receive(&request);
        assert_eq!(received.verdict, Verdict::Unsigned, "{visitor:?}");
    }
}

#[test]
fn frames_that_say_nothing_are_kept_unread() {
    let many: Vec<String> = (0..201).map(|number| format!("m{number}")).collect();
    let upload = json!({"sha256": SHA});
    let table = [
        (json!({"type": "message", "client": "c"}), "empty"),
        (
            json!({"type": "message", "client": "c", "text": ""}),
            "empty",
        ),
        (
            json!({"type": "message", "client": "", "text": "x"}),
            "client id",
        ),
        (
            json!({"type": "message", "client": "a:b", "text": "x"}),
            "client id",
        ),
        (
            json!({"type": "message", "text": "x"}),
            "missing field `client`",
        ),
        (
            json!({"type": "message", "client": "c", "media": [{"sha256": "../etc"}]}),
            "SHA-256",
        ),
        (
            json!({"type": "message", "client": "c", "media": vec![upload; 11]}),
            "attachments",
        ),
        (
            json!({"type": "read", "messages": ["other:m1"]}),
            "name a message",
        ),
        (json!({"type": "read", "messages": many}), "200 marks"),
        (json!({"type": "shout"}), "unknown variant"),
        (json!([]), "frame is wrong"),
    ];
    for (body, words) in table {
        let received = kit().receive(&frame(VISITOR, &body));
        let why = received.unparsed.unwrap_or_default();
        assert!(why.contains(words), "{body}: {why}");
        assert!(received.events.is_empty());
    }
}

#[test]
fn one_visitors_ids_are_never_anothers() {
    let body = json!({"type": "message", "client": "c1", "text": "x"});
    let id = |visitor: &str| match &kit().receive(&frame(visitor, &body)).events[..] {
        [Event::Message(message)] => message.id.clone(),
        other => panic!("{other:?}"),
    };
    assert_ne!(id("a"), id("b"));
    // No separator in either part, so no pair of them can be read in two ways.
    assert!(kit().receive(&frame("a:c1", &body)).events.is_empty());
}
