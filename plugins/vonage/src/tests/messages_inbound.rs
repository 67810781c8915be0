//! Messages that come in by the Messages API.

use serde_json::{Map, Value, json};
use trunkline_plugin_api::{
    Content, Event, Identity, InboundMessage, Interactive, Location, Media, MediaRef, Reaction,
    Received, Sender,
    testkit::{self, Fixtures, Inbound, NOW_MS},
};

use super::{US, UUID, authentic, messages, messages_kit, ok, tokened, with};
use crate::{Vonage, address::identity};

fn webhook(channel: &str, more: &Value) -> Value {
    let base = json!({
        "message_uuid": UUID, "to": "447700900000", "from": "447700900001",
        "timestamp": "2026-01-01T00:00:00.000Z", "channel": channel,
    });
    with(base, more)
}

fn wants(channel: &str, kind: &str, content: Content, metadata: &Value) -> InboundMessage {
    let mut all = Map::new();
    all.insert("channel".into(), channel.into());
    all.insert("message_type".into(), kind.into());
    all.extend(metadata.as_object().expect("an object").clone());
    InboundMessage {
        id: UUID.into(),
        address: Some(US.into()),
        sender: Sender {
            identity: identity(channel, "447700900001"),
            ..Sender::default()
        },
        content,
        sent_at_ms: Some(NOW_MS),
        reply_to: None,
        metadata: all,
    }
}

fn media(url: &str, name: Option<&str>) -> Media {
    Media {
        source: MediaRef {
            url: Some(url.into()),
            ..MediaRef::default()
        },
        name: name.map(String::from),
        ..Media::default()
    }
}

fn row(name: &'static str, body: &Value, want: InboundMessage) -> Inbound {
    Inbound {
        name,
        request: tokened(body),
        want: authentic(Event::Message(want)),
    }
}

fn check(inbound: Vec<Inbound>) {
    let fixtures = Fixtures {
        inbound,
        ..Fixtures::default()
    };
    testkit::check::<Vonage>(messages(), &fixtures);
}

#[test]
fn sms_and_mms() {
    let sms = json!({"num_messages": "2", "keyword": "HELLO"});
    let usage = json!({"currency": "EUR", "price": "0.0333"});
    let text = webhook(
        "sms",
        &json!({
            "message_type": "text", "text": "Hello 😀 & more ", "sms": sms, "usage": usage,
            "origin": {"network_code": "23410"},
        }),
    );
    let extras = json!({"sms": sms, "usage": usage, "origin": {"network_code": "23410"}});
    let picture = webhook(
        "mms",
        &json!({
            "message_type": "image",
            "image": {"url": "https://api.nexmo.com/v3/media/1", "name": "cat.jpg", "caption": "A cat"},
        }),
    );
    let picture_content = Content {
        media: vec![media("https://api.nexmo.com/v3/media/1", Some("cat.jpg"))],
        ..Content::text("A cat")
    };
    let several = webhook(
        "mms",
        &json!({
            "message_type": "content",
            "content": [
                {"type": "image", "url": "https://m.example/1", "caption": "One"},
                {"type": "vcard", "url": "https://m.example/2"},
                {"type": "image", "url": "https://m.example/3", "caption": "Three"},
            ],
        }),
    );
    let several_content = Content {
        media: ["1", "2", "3"]
            .map(|end| media(&format!("https://m.example/{end}"), None))
            .into(),
        ..Content::text("One\nThree")
    };
    check(vec![
        row(
            "text",
            &text,
            wants("sms", "text", Content::text("Hello 😀 & more "), &extras),
        ),
        row(
            "image",
            &picture,
            wants("mms", "image", picture_content, &json!({})),
        ),
        row(
            "several",
            &several,
            wants("mms", "content", several_content, &json!({})),
        ),
    ]);
}

#[test]
fn every_kind_of_attachment() {
    for kind in ["image", "audio", "video", "file", "vcard", "sticker"] {
        let body = webhook(
            "mms",
            &json!({"message_type": kind, kind: {"url": "https://m.example/1"}, "text": ""}),
        );
        let content = Content {
            media: vec![media("https://m.example/1", None)],
            ..Content::default()
        };
        let want = wants("mms", kind, content, &json!({}));
        assert_eq!(
            messages_kit().receive(&tokened(&body)),
            authentic(Event::Message(want)),
            "{kind}"
        );
    }
}

#[test]
fn whatsapp() {
    let body = webhook(
        "whatsapp",
        &json!({
            "message_type": "text", "text": "hello", "context_status": "available",
            "context": {"message_uuid": "the-one-before", "message_from": "447700900000"},
            "profile": {"name": "Ada"},
        }),
    );
    let metadata = json!({
        "context_status": "available", "profile": {"name": "Ada"},
        "context": {"message_uuid": "the-one-before", "message_from": "447700900000"},
    });
    let want = wants("whatsapp", "text", Content::text("hello"), &metadata);
    let want = InboundMessage {
        sender: Sender {
            identity: Identity::new("whatsapp", "+447700900001"),
            also: Vec::new(),
            name: Some("Ada".into()),
        },
        reply_to: Some("the-one-before".into()),
        ..want
    };
    let place = webhook(
        "whatsapp",
        &json!({
            "message_type": "location",
            "location": {"lat": 52.5, "long": -13.25, "name": "Office", "address": "1 Main Street"},
        }),
    );
    let place_content = Content {
        location: Some(Location {
            latitude: 52.5,
            longitude: -13.25,
            label: Some("Office".into()),
            address: Some("1 Main Street".into()),
        }),
        ..Content::default()
    };
    let reply = json!({"id": "row1", "title": "9am", "description": "Nine"});
    let chosen = webhook(
        "whatsapp",
        &json!({"message_type": "reply", "reply": reply}),
    );
    let button = json!({"payload": "yes", "text": "Yes please"});
    let pressed = webhook(
        "whatsapp",
        &json!({"message_type": "button", "button": button}),
    );
    let choice = |kind: &str, id: &str, title: &str| Content {
        interactive: Some(Interactive {
            kind: kind.into(),
            id: Some(id.into()),
            title: Some(title.into()),
            data: Value::Null,
        }),
        ..Content::default()
    };
    let card = json!({"name": {"formatted_name": "Grace"}});
    let contact = webhook(
        "whatsapp",
        &json!({"message_type": "contact", "contact": [card]}),
    );
    let contact_content = Content {
        contacts: vec![card],
        ..Content::default()
    };
    check(vec![
        row("text", &body, want),
        row(
            "place",
            &place,
            wants("whatsapp", "location", place_content, &json!({})),
        ),
        row(
            "reply",
            &chosen,
            wants(
                "whatsapp",
                "reply",
                choice("reply", "row1", "9am"),
                &json!({"reply": reply}),
            ),
        ),
        row(
            "button",
            &pressed,
            wants(
                "whatsapp",
                "button",
                choice("button", "yes", "Yes please"),
                &json!({"button": button}),
            ),
        ),
        row(
            "contact",
            &contact,
            wants("whatsapp", "contact", contact_content, &json!({})),
        ),
    ]);
}

#[test]
fn a_reaction_is_none_of_the_messages() {
    let body = webhook(
        "whatsapp",
        &json!({
            "message_type": "reaction", "reaction": {"action": "react", "emoji": "👍"},
            "context": {"message_uuid": "the-one-before"},
        }),
    );
    let want = Reaction {
        id: UUID.into(),
        target: "the-one-before".into(),
        address: Some(US.into()),
        sender: Sender {
            identity: Identity::new("whatsapp", "+447700900001"),
            ..Sender::default()
        },
        emoji: "👍".into(),
        sent_at_ms: Some(NOW_MS),
    };
    assert_eq!(
        messages_kit().receive(&tokened(&body)),
        authentic(Event::Reaction(want))
    );
}

/// A type that this version does not know is a message all the same, with everything of it kept.
#[test]
fn unknown_types_are_kept() {
    let order = json!({"catalog_id": "1", "product_items": []});
    let body = webhook(
        "whatsapp",
        &json!({"message_type": "order", "order": order}),
    );
    let want = wants(
        "whatsapp",
        "order",
        Content::default(),
        &json!({"order": order}),
    );
    assert_eq!(
        messages_kit().receive(&tokened(&body)),
        authentic(Event::Message(want))
    );
}

#[test]
fn people_of_other_channels_have_spaces_of_their_own() {
    let rows = [
        (
            "sms",
            "447700900001",
            Identity::new("phone", "+447700900001"),
        ),
        (
            "rcs",
            "447700900001",
            Identity::new("phone", "+447700900001"),
        ),
        (
            "viber_service",
            "447700900001",
            Identity::new("phone", "+447700900001"),
        ),
        (
            "whatsapp",
            "447700900001",
            Identity::new("whatsapp", "+447700900001"),
        ),
        ("messenger", "abc:1", Identity::new("messenger", "abc:1")),
        ("sms", "12345", Identity::new("phone", "12345")),
    ];
    for (channel, from, want) in rows {
        let body = webhook(channel, &json!({"from": from, "text": "Hi"}));
        let received = messages_kit().receive(&tokened(&body));
        let [Event::Message(message)] = received.events.as_slice() else {
            panic!("{received:?}");
        };
        assert_eq!(message.sender.identity, want);
    }
}

/// Version 0.1 of the API nests everything.
#[test]
fn the_older_version_means_the_same() {
    let body = json!({
        "message_uuid": UUID, "timestamp": "2026-01-01T00:00:00Z", "direction": "inbound",
        "to": {"type": "sms", "number": "447700900000"},
        "from": {"type": "sms", "number": "447700900001"},
        "message": {
            "content": {"type": "text", "text": "Hello"},
            "sms": {"num_messages": "1"},
        },
    });
    let image = json!({
        "message_uuid": UUID, "timestamp": "2026-01-01T00:00:00Z",
        "to": {"type": "messenger", "id": "447700900000"},
        "from": {"type": "messenger", "id": "447700900001"},
        "message": {"content": {"type": "image", "image": {"url": "https://m.example/1"}}},
    });
    let base = wants("sms", "text", Content::text("Hello"), &json!({}));
    let metadata = json!({"direction": "inbound", "sms": {"num_messages": "1"}});
    let want_text = InboundMessage {
        metadata: metadata.as_object().expect("an object").clone(),
        ..base.clone()
    };
    let want_image = InboundMessage {
        sender: Sender {
            identity: identity("messenger", "447700900001"),
            ..Sender::default()
        },
        content: Content {
            media: vec![media("https://m.example/1", None)],
            ..Content::default()
        },
        metadata: Map::new(),
        ..base
    };
    check(vec![
        row("text", &body, want_text),
        row("image", &image, want_image),
    ]);
}

#[test]
fn what_can_not_be_read_is_kept() {
    let long = "a".repeat(129);
    let rows = [
        (json!({"text": "Hi"}), "no message_uuid"),
        (json!({"message_uuid": ""}), "no message_uuid"),
        (
            json!({"message_uuid": long}),
            "message_uuid is longer than 128 bytes",
        ),
        (json!({"message_uuid": UUID, "text": "Hi"}), "no from"),
        (
            json!({"message_uuid": UUID, "from": {"type": "sms"}}),
            "no from",
        ),
        (json!([]), "no message_uuid"),
        (json!(7), "no message_uuid"),
    ];
    for (body, why) in rows {
        let received = messages_kit().receive(&tokened(&body));
        assert_eq!(received, Received::unparsed(ok(), why), "{body}");
    }
}
