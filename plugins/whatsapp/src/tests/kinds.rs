//! Every kind of message: what it looks like at Meta and what it becomes.

use serde_json::json;
use trunkline_plugin_api::{
    Content, Event, InboundMessage, Interactive, Location, Media, MediaRef, Reaction,
    testkit::{self, Fixtures, Inbound},
};

use super::*;

fn media(id: &str, content_type: &str, name: Option<&str>, caption: Option<&str>) -> Content {
    Content {
        text: caption.map(String::from),
        media: vec![Media {
            source: MediaRef {
                provider_id: Some(id.into()),
                ..MediaRef::default()
            },
            content_type: Some(content_type.into()),
            name: name.map(String::from),
            size: None,
        }],
        ..Content::default()
    }
}

fn choice(kind: &str, id: Option<&str>, title: Option<&str>, data: Value) -> Content {
    Content {
        text: title.map(String::from),
        interactive: Some(Interactive {
            kind: kind.into(),
            id: id.map(String::from),
            title: title.map(String::from),
            data,
        }),
        ..Content::default()
    }
}

/// A row: the message's members, its content, its metadata.
#[allow(clippy::needless_pass_by_value, reason = "rows read better so")]
fn row(name: &'static str, members: Value, content: Content, metadata: &Value) -> Inbound {
    row_of(name, members, content, metadata, None)
}

#[allow(clippy::needless_pass_by_value, reason = "rows read better so")]
fn row_of(
    name: &'static str,
    members: Value,
    content: Content,
    metadata: &Value,
    reply_to: Option<&str>,
) -> Inbound {
    Inbound {
        name,
        request: message(&members),
        want: authentic(vec![Event::Message(InboundMessage {
            content,
            metadata: metadata.as_object().expect("an object").clone(),
            reply_to: reply_to.map(String::from),
            ..from_ada()
        })]),
    }
}

fn check(rows: Vec<Inbound>) {
    let fixtures = Fixtures {
        inbound: rows,
        ..Fixtures::default()
    };
    testkit::check::<WhatsApp>(config(), &fixtures);
}

#[test]
fn texts_and_what_surrounds_them() {
    let referral =
        json!({"source_url": "https://fb.me/1", "source_type": "ad", "headline": "Shoes"});
    let product = json!({"catalog_id": "C1", "product_retailer_id": "P1"});
    let hi = || Content::text("Hi");
    let text = |more: Value| {
        let mut members = json!({"type": "text", "text": {"body": "Hi"}});
        for (name, value) in more.as_object().expect("an object") {
            members[name.as_str()] = value.clone();
        }
        members
    };
    check(vec![
        row("text", text(json!({})), hi(), &json!({})),
        row(
            "text is kept to the byte",
            json!({"type": "text", "text": {"body": " caf\u{e9} / 😀\n "}}),
            Content::text(" caf\u{e9} / 😀\n "),
            &json!({}),
        ),
        row_of(
            "reply",
            text(json!({"context": {"from": "15005550102", "id": "wamid.Q"}})),
            hi(),
            &json!({}),
            Some("wamid.Q"),
        ),
        row(
            "forwarded",
            text(json!({"context": {"forwarded": true}})),
            hi(),
            &json!({"forwarded": true}),
        ),
        row(
            "forwarded often",
            text(json!({"context": {"frequently_forwarded": true}})),
            hi(),
            &json!({"frequently_forwarded": true}),
        ),
        row_of(
            "about a product",
            text(json!({"context": {"from": "1", "id": "wamid.Q", "referred_product": product}})),
            hi(),
            &json!({"referred_product": product}),
            Some("wamid.Q"),
        ),
        row(
            "from an ad",
            text(json!({"referral": referral})),
            hi(),
            &json!({"referral": referral}),
        ),
        row(
            "in a group, with a new member",
            text(json!({"group_id": "G1", "brand_new": [1]})),
            hi(),
            &json!({"group_id": "G1", "brand_new": [1]}),
        ),
    ]);
}

#[test]
fn attachments() {
    let file = |more: Value| {
        let mut file = json!({"id": "77", "mime_type": "image/jpeg", "sha256": "Zm9v"});
        for (name, value) in more.as_object().expect("an object") {
            file[name.as_str()] = value.clone();
        }
        file
    };
    check(vec![
        row(
            "image with caption",
            json!({"type": "image", "image": file(json!({"caption": "Look", "url": "https://lookaside.fbsbx.com/x"}))}),
            media("77", "image/jpeg", None, Some("Look")),
            &json!({"type": "image", "sha256": "Zm9v"}),
        ),
        row(
            "video",
            json!({"type": "video", "video": file(json!({"mime_type": "video/mp4"}))}),
            media("77", "video/mp4", None, None),
            &json!({"type": "video", "sha256": "Zm9v"}),
        ),
        row(
            "voice note",
            json!({"type": "audio", "audio": file(json!({"mime_type": "audio/ogg; codecs=opus", "voice": true}))}),
            media("77", "audio/ogg; codecs=opus", None, None),
            &json!({"type": "audio", "sha256": "Zm9v", "voice": true}),
        ),
        row(
            "document",
            json!({"type": "document", "document": file(json!({"mime_type": "application/pdf", "filename": "a.pdf", "caption": "The bill"}))}),
            media("77", "application/pdf", Some("a.pdf"), Some("The bill")),
            &json!({"type": "document", "sha256": "Zm9v"}),
        ),
        row(
            "sticker",
            json!({"type": "sticker", "sticker": file(json!({"mime_type": "image/webp", "animated": true}))}),
            media("77", "image/webp", None, None),
            &json!({"type": "sticker", "sha256": "Zm9v", "animated": true}),
        ),
    ]);
}

#[test]
fn places_and_cards() {
    let card = json!({"name": {"formatted_name": "Grace"}, "phones": [{"phone": "+1555", "wa_id": "1555"}]});
    let place = |label: Option<&str>, address: Option<&str>| Content {
        location: Some(Location {
            latitude: 52.5,
            longitude: -13.25,
            label: label.map(String::from),
            address: address.map(String::from),
        }),
        ..Content::default()
    };
    check(vec![
        row(
            "place",
            json!({"type": "location", "location": {"latitude": 52.5, "longitude": -13.25}}),
            place(None, None),
            &json!({"type": "location"}),
        ),
        row(
            "named place with numbers in strings",
            json!({"type": "location", "location": {"latitude": "52.5", "longitude": "-13.25", "name": "Office", "address": "1 Main Street", "url": "https://x.example"}}),
            place(Some("Office"), Some("1 Main Street")),
            &json!({"type": "location", "url": "https://x.example"}),
        ),
        row(
            "place that is none",
            json!({"type": "location", "location": {"latitude": 520, "longitude": 1}}),
            Content::default(),
            &json!({"type": "location", "location": {"latitude": 520, "longitude": 1}, "note": "This kind of message is not known: its fields are kept as they came."}),
        ),
        row(
            "cards",
            json!({"type": "contacts", "contacts": [card]}),
            Content {
                contacts: vec![card.clone()],
                ..Content::default()
            },
            &json!({"type": "contacts"}),
        ),
    ]);
}

#[test]
fn choices() {
    let answers = json!({"flow_token": "t", "size": "L"});
    check(vec![
        row_of(
            "quick reply of a template",
            json!({"type": "button", "button": {"text": "Yes", "payload": "confirm_42"}, "context": {"id": "wamid.T"}}),
            choice("button", Some("confirm_42"), Some("Yes"), Value::Null),
            &json!({"type": "button"}),
            Some("wamid.T"),
        ),
        row(
            "button",
            json!({"type": "interactive", "interactive": {"type": "button_reply", "button_reply": {"id": "b1", "title": "No"}}}),
            choice("button", Some("b1"), Some("No"), Value::Null),
            &json!({"type": "interactive"}),
        ),
        row(
            "list",
            json!({"type": "interactive", "interactive": {"type": "list_reply", "list_reply": {"id": "r1", "title": "Large", "description": "42 and up"}}}),
            choice(
                "list",
                Some("r1"),
                Some("Large"),
                json!({"description": "42 and up"}),
            ),
            &json!({"type": "interactive"}),
        ),
        row(
            "flow",
            json!({"type": "interactive", "interactive": {"type": "nfm_reply", "nfm_reply": {"name": "flow", "body": "Sent", "response_json": answers.to_string()}}}),
            choice("flow", Some("flow"), Some("Sent"), answers),
            &json!({"type": "interactive"}),
        ),
        row(
            "flow with answers that are no JSON",
            json!({"type": "interactive", "interactive": {"type": "nfm_reply", "nfm_reply": {"name": "flow", "response_json": "{broken"}}}),
            choice("flow", Some("flow"), None, json!("{broken")),
            &json!({"type": "interactive"}),
        ),
        row(
            "call permission",
            json!({"type": "interactive", "interactive": {"type": "call_permission_reply", "call_permission_reply": {"response": "accept"}}}),
            choice(
                "call_permission_reply",
                None,
                None,
                json!({"response": "accept"}),
            ),
            &json!({"type": "interactive"}),
        ),
    ]);
}

#[test]
fn orders_changes_and_what_is_not_known() {
    let order = json!({"catalog_id": "C1", "text": "Please", "product_items": [{"product_retailer_id": "P1", "quantity": "2"}]});
    let errors = json!([{"code": 131_051, "title": "Message type unknown"}]);
    let unknown = "This kind of message is not known: its fields are kept as they came.";
    check(vec![
        row(
            "order",
            json!({"type": "order", "order": order}),
            Content::text("Please"),
            &json!({"order": order, "type": "order", "note": "The person ordered from the catalogue: see order."}),
        ),
        row(
            "unsupported",
            json!({"type": "unsupported", "errors": errors}),
            Content::default(),
            &json!({"errors": errors, "type": "unsupported", "note": "WhatsApp does not hand this kind of message to businesses: the person's phone shows it."}),
        ),
        row(
            "hologram",
            json!({"type": "hologram", "hologram": {"id": 7}}),
            Content::default(),
            &json!({"hologram": {"id": 7}, "type": "hologram", "note": unknown}),
        ),
        row(
            "text without its member",
            json!({"type": "text", "text": null}),
            Content::default(),
            &json!({"note": unknown}),
        ),
        row(
            "no type",
            json!({"text": {"body": "Hi"}}),
            Content::default(),
            &json!({"text": {"body": "Hi"}, "type": "unknown", "note": unknown}),
        ),
        row_of(
            "revoke",
            json!({"type": "revoke", "revoke": {"original_message_id": "wamid.O"}}),
            Content::default(),
            &json!({"type": "revoke", "note": "The person deleted an earlier message for everybody."}),
            Some("wamid.O"),
        ),
        row_of(
            "edit",
            json!({"type": "edit", "edit": {"original_message_id": "wamid.O", "message": {"type": "text", "text": {"body": "Better"}}}}),
            Content::text("Better"),
            &json!({"type": "edit", "note": "The person changed an earlier message: this is its new content."}),
            Some("wamid.O"),
        ),
    ]);
}

#[test]
fn reactions_are_events_of_their_own() {
    let reaction = |emoji: &str| {
        authentic(vec![Event::Reaction(Reaction {
            id: WAMID.into(),
            target: "wamid.T".into(),
            address: Some(NUMBER.into()),
            sender: from_ada().sender,
            emoji: emoji.into(),
            sent_at_ms: Some(AT_MS),
        })])
    };
    let on = |reaction: Value| message(&json!({"type": "reaction", "reaction": reaction}));
    check(vec![
        Inbound {
            name: "put",
            request: on(json!({"message_id": "wamid.T", "emoji": "👍"})),
            want: reaction("👍"),
        },
        Inbound {
            name: "taken back",
            request: on(json!({"message_id": "wamid.T"})),
            want: reaction(""),
        },
        Inbound {
            name: "taken back by an empty emoji",
            request: on(json!({"message_id": "wamid.T", "emoji": ""})),
            want: reaction(""),
        },
    ]);
    let Event::Message(without_target) = only(&on(json!({"emoji": "x"}))) else {
        panic!("a reaction to nothing is kept as a message");
    };
    assert_eq!(without_target.metadata["reaction"], json!({"emoji": "x"}));
}
