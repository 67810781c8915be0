//! What a genuine webhook says.

use serde_json::{Value, json};
use trunkline_plugin_api::{
    Content, Event, Identity, InboundMessage, Media, MediaRef, Note, Received, Sender,
    testkit::{self, Fixtures, Inbound, NOW_MS, Tampering},
};

use super::{
    HUB_SECRET, SECRET, WHSEC, accepted, fault, hub, ids, kit, read, receive, request, signed,
    text, with, with_secret,
};
use crate::Webhook;

#[test]
fn the_table_holds_for_signed_bodies() {
    let odd = "  zero\u{0}, two spaces  \r\n\u{1F600}\u{FEFF} ";
    let body = json!({"from": "ada", "text": odd}).to_string();
    let by_hub = |body: &str| with(request(body), "x-hub-signature-256", hub(body.as_bytes()));
    let batch = json!([
        {"id": "a", "from": 7, "text": "one"},
        {"from": "ada", "text": "two"},
    ]);
    let broken = "{\"id\": ";
    let inbound = vec![
        Inbound {
            name: "text stays byte for byte",
            request: signed("webhook", "msg_1", 0, &body),
            want: accepted(vec![text("msg_1", "ada", odd)]),
        },
        Inbound {
            name: "a batch",
            request: signed("svix", "msg_2", 0, &batch.to_string()),
            want: accepted(vec![text("a", "7", "one"), text("msg_2#1", "ada", "two")]),
        },
        Inbound {
            name: "an empty batch",
            request: by_hub("[]"),
            want: accepted(vec![]),
        },
        Inbound {
            name: "not JSON",
            request: by_hub(broken),
            want: Received {
                unparsed: Some(
                    "the body is not JSON: EOF while parsing a value at line 1 column 7".into(),
                ),
                ..accepted(vec![])
            },
        },
    ];
    testkit::check::<Webhook>(
        json!({"signing_secret": WHSEC, "hub_secret": HUB_SECRET}),
        &Fixtures {
            inbound,
            ..Fixtures::default()
        },
    );
}

#[test]
fn the_table_holds_for_a_shared_secret() {
    let body = json!({"id": 12, "from": "ada", "name": "Ada", "text": "hi", "more": [1]});
    let Event::Message(mut want) = text("12", "ada", "hi") else {
        unreachable!()
    };
    want.sender.name = Some("Ada".into());
    let inbound = vec![Inbound {
        name: "a text",
        request: with_secret(body.to_string()),
        want: accepted(vec![Event::Message(want)]),
    }];
    testkit::check::<Webhook>(
        json!({"secret": SECRET}),
        &Fixtures {
            inbound,
            tampering: Tampering::Unseen,
            ..Fixtures::default()
        },
    );
}

#[test]
fn ids_come_from_the_header_and_else_from_the_body() {
    let kit = kit(json!({"secret": SECRET, "signing_secret": WHSEC}));
    let one = r#"{"id":"own","from":"ada","text":"hi"}"#;
    let many = r#"[{"id":"own","from":"ada","text":"hi"},{"from":"ada","text":"ho"}]"#;
    let header = |body: &str, name: &str, id: &str| with(with_secret(body), name, id);
    let mut cross = signed("webhook", "signed", 0, one);
    cross.headers.push(("svix-id".into(), "unsigned".into()));
    let table = [
        (signed("webhook", "msg_1", 0, one), vec!["msg_1"]),
        (signed("svix", "msg_1", 0, many), vec!["own", "msg_1#1"]),
        (cross, vec!["signed"]),
        (header(one, "webhook-id", "msg_2"), vec!["msg_2"]),
        (header(one, "svix-id", "msg_2"), vec!["msg_2"]),
        (header(many, "webhook-id", "msg_2"), vec!["own", "msg_2#1"]),
        (header(one, "webhook-id", ""), vec!["own"]),
        (header(one, "webhook-id", &"x".repeat(257)), vec!["own"]),
        (with_secret(one), vec!["own"]),
        (with_secret(many), vec!["own"]),
    ];
    for (request, want) in table {
        assert_eq!(ids(&kit.receive(&request)), want, "{:?}", request.headers);
    }
}

#[test]
fn what_cannot_be_a_message_is_kept_unparsed() {
    let long = "x".repeat(257);
    let table = [
        (
            json!({"from": "a", "text": "x"}),
            "no webhook-id header and no id at /id",
        ),
        (
            json!({"id": null, "from": "a", "text": "x"}),
            "no id at /id",
        ),
        (json!({"id": "", "from": "a", "text": "x"}), "/id is empty"),
        (
            json!({"id": long, "from": "a", "text": "x"}),
            "/id is empty, longer than 256",
        ),
        (
            json!({"id": 1.5, "from": "a", "text": "x"}),
            "/id is neither",
        ),
        (
            json!({"id": true, "from": "a", "text": "x"}),
            "/id is neither",
        ),
        (json!({"id": 1, "text": "x"}), "no sender at /from"),
        (
            json!({"id": 1, "from": {}, "text": "x"}),
            "/from is neither",
        ),
        (
            json!({"id": 1, "from": "a\nb", "text": "x"}),
            "/from is empty, longer",
        ),
        (
            json!({"id": 1, "from": "a"}),
            "neither a text at /text nor attachments at /media",
        ),
        (json!({"id": 1, "from": "a", "text": ""}), "neither a text"),
        (
            json!({"id": 1, "from": "a", "text": 5}),
            "/text is not a string",
        ),
        (
            json!({"id": 1, "from": "a", "media": "x"}),
            "/media is not an array",
        ),
        (
            json!({"id": 1, "from": "a", "media": vec!["https://e.org/"; 101]}),
            "/media is not an array",
        ),
        (
            json!({"id": 1, "from": "a", "media": [{}]}),
            "no http URL in /media",
        ),
        (
            json!({"id": 1, "from": "a", "media": ["file:///etc/passwd"]}),
            "no http URL in /media",
        ),
        (json!("text"), "not a JSON object"),
        (json!(null), "not a JSON object"),
        (json!(vec![json!({}); 1001]), "an array of 1001 elements"),
        (json!([1, {"id": 1}]), "element 0: not a JSON object"),
    ];
    for (body, words) in table {
        let received = read(&body);
        assert!(fault(&received).contains(words), "{body}: {received:?}");
    }
    // Numbers that lose digits when they are read can't be ids.
    let huge = r#"{"id": 123456789012345678901234567890, "from": "a", "text": "x"}"#;
    let received = kit(json!({"secret": SECRET})).receive(&with_secret(huge));
    assert!(fault(&received).contains("/id is neither"));
    assert!(fault(&kit(json!({"secret": SECRET})).receive(&with_secret(""))).contains("not JSON"));
}

#[test]
fn an_unreadable_element_does_not_lose_the_others() {
    let message = |id: usize| json!({"id": id, "from": "ada", "text": "hi"});
    let received = read(&json!([message(1), {"id": 2, "from": "ada"}, message(3)]));
    assert_eq!(ids(&received), ["1", "3"]);
    assert_eq!(
        received.events[1],
        Event::Note(Note {
            kind: "unreadable".into(),
            data: json!({
                "index": 1,
                "reason": "neither a text at /text nor attachments at /media",
            }),
        })
    );
    let full: Vec<Value> = (0..1_000).map(message).collect();
    assert_eq!(read(&json!(full)).events.len(), 1_000);
}

#[test]
fn media_and_payloads_are_read() {
    let media = json!([
        "https://example.org/a.png",
        {"url": "http://example.org/b", "content_type": "text/plain", "name": "b.txt"},
    ]);
    let body = json!({
        "type": "message.received",
        "timestamp": "2026-01-01T00:00:00Z",
        "data": {"id": "m1", "from": "ada", "name": 5, "media": media},
    });
    let attachment = |url: &str| Media {
        source: MediaRef {
            url: Some(url.into()),
            ..MediaRef::default()
        },
        ..Media::default()
    };
    let want = InboundMessage {
        id: "m1".into(),
        sender: Sender {
            identity: Identity::new("webhook", "ada"),
            ..Sender::default()
        },
        content: Content {
            media: vec![
                attachment("https://example.org/a.png"),
                Media {
                    content_type: Some("text/plain".into()),
                    name: Some("b.txt".into()),
                    ..attachment("http://example.org/b")
                },
            ],
            ..Content::default()
        },
        sent_at_ms: Some(NOW_MS),
        ..InboundMessage::default()
    };
    assert_eq!(read(&body), accepted(vec![Event::Message(want)]));
}

#[test]
fn pointers_lead_to_the_fields() {
    let fields = json!({
        "id": "/event/uid", "from": "/who/0/mail~1phone", "text": "/event/a~0b", "name": "/who/0/n",
    });
    let body = json!({
        "id": "not this", "from": "not this", "text": "not this",
        "event": {"uid": "u1", "a~b": "hi"},
        "who": [{"mail/phone": "ada@example.org", "n": "Ada"}],
    });
    let received = receive(json!({"secret": SECRET, "fields": fields}), &body);
    let Event::Message(mut want) = text("u1", "ada@example.org", "hi") else {
        unreachable!()
    };
    want.sender.name = Some("Ada".into());
    assert_eq!(received, accepted(vec![Event::Message(want)]));
    let fields = json!({"from": "/data/user", "text": "/data/text"});
    let body = json!({"id": 1, "data": {"user": "ada", "text": "hi"}});
    let received = receive(json!({"secret": SECRET, "fields": fields}), &body);
    assert_eq!(received, accepted(vec![text("1", "ada", "hi")]));
}
