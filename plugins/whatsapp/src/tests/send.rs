//! Messages out: the exact request for each kind.

use serde_json::json;
use trunkline_plugin_api::{
    Content, Interactive, Location, Media, MediaRef, OutboundMessage, Part, ReactionCall, Receipt,
    ReceivedRef, Request, TemplateCall,
    testkit::{self, Exchange, Fixtures},
};

use super::*;

pub(super) const SENT: &str = "wamid.SENT=";
pub(super) const ID: &str = "0198b2a0-0000-7000-8000-000000000001";

pub(super) fn to_ada(content: Content) -> OutboundMessage {
    OutboundMessage {
        content,
        ..testkit::message("whatsapp", ADA, "")
    }
}

/// Meta's answer to an accepted message.
pub(super) fn accepted() -> Value {
    json!({
        "messaging_product": "whatsapp",
        "contacts": [{"input": ADA, "wa_id": "15005550101"}],
        "messages": [{"id": SENT}],
    })
}

pub(super) fn receipt() -> Receipt {
    Receipt {
        external_id: SENT.into(),
        code: Some("accepted".into()),
        ..Receipt::default()
    }
}

/// The whole body of a message to Ada.
pub(super) fn body(kind: &str, object: &Value) -> Value {
    json!({
        "messaging_product": "whatsapp", "recipient_type": "individual", "to": ADA,
        "type": kind, kind: object, "biz_opaque_callback_data": ID,
    })
}

/// Rows of message and body, all of which Meta takes.
fn check(rows: Vec<(&'static str, OutboundMessage, Value)>) {
    let sends = rows.into_iter().map(|(name, message, body)| Exchange {
        name,
        message,
        replies: vec![testkit::json_reply(200, &accepted())],
        requests: vec![Request::Http(post(&format!("{NUMBER}/messages"), &body))],
        outcome: Ok(receipt()),
    });
    let fixtures = Fixtures {
        sends: sends.collect(),
        ..Fixtures::default()
    };
    testkit::check::<WhatsApp>(config(), &fixtures);
}

fn link(url: &str, content_type: Option<&str>, name: Option<&str>) -> Media {
    Media {
        source: MediaRef {
            url: Some(url.into()),
            ..MediaRef::default()
        },
        content_type: content_type.map(String::from),
        name: name.map(String::from),
        size: None,
    }
}

fn with_media(media: Media, text: &str) -> OutboundMessage {
    to_ada(Content {
        media: vec![media],
        ..Content::text(text)
    })
}

#[test]
fn texts() {
    let text =
        |text: &str, preview: bool| body("text", &json!({"body": text, "preview_url": preview}));
    let mut answer = text("Hi", false);
    answer
        .as_object_mut()
        .expect("an object")
        .remove("biz_opaque_callback_data");
    answer["context"] = json!({"message_id": WAMID});
    answer["biz_opaque_callback_data"] = ID.into();
    let mut to_id = text("Hi", false);
    let members = to_id.as_object_mut().expect("an object");
    *members = members
        .iter()
        .map(|(name, value)| match name.as_str() {
            "to" => ("recipient".into(), ADA_ID.into()),
            _ => (name.clone(), value.clone()),
        })
        .collect();
    let mut part = text("two", false);
    part["biz_opaque_callback_data"] = format!("{ID}.1").into();
    check(vec![
        (
            "text",
            to_ada(Content::text("Hi 😀\n")),
            text("Hi 😀\n", false),
        ),
        (
            "link",
            to_ada(Content::text("See https://x.example")),
            text("See https://x.example", true),
        ),
        (
            "link without preview",
            OutboundMessage {
                metadata: json!({"preview_url": false})
                    .as_object()
                    .expect("an object")
                    .clone(),
                ..to_ada(Content::text("See https://x.example"))
            },
            text("See https://x.example", false),
        ),
        (
            "answer",
            OutboundMessage {
                reply_to: Some(WAMID.into()),
                ..to_ada(Content::text("Hi"))
            },
            answer,
        ),
        (
            "to an id",
            testkit::message("whatsapp", ADA_ID, "Hi"),
            to_id,
        ),
        (
            "part",
            OutboundMessage {
                part: Some(Part { index: 1, count: 2 }),
                ..to_ada(Content::text("two"))
            },
            part,
        ),
    ]);
}

#[test]
fn attachments_by_link() {
    let at = "https://m.example/a";
    check(vec![
        (
            "image",
            with_media(link(at, Some("image/png"), None), "Look"),
            body("image", &json!({"link": at, "caption": "Look"})),
        ),
        (
            "video by its ending",
            with_media(link("https://m.example/a.mp4?x=1", None, None), ""),
            body("video", &json!({"link": "https://m.example/a.mp4?x=1"})),
        ),
        (
            "audio",
            with_media(link(at, Some("audio/ogg; codecs=opus"), Some("a.ogg")), ""),
            body("audio", &json!({"link": at})),
        ),
        (
            "document",
            with_media(link(at, Some("application/pdf"), Some("Bill.pdf")), "Yours"),
            body(
                "document",
                &json!({"link": at, "caption": "Yours", "filename": "Bill.pdf"}),
            ),
        ),
        (
            "sticker",
            with_media(link(at, Some("image/webp"), None), ""),
            body("sticker", &json!({"link": at})),
        ),
        (
            "unknown type",
            with_media(link(at, None, None), ""),
            body("document", &json!({"link": at})),
        ),
        (
            "an id of Meta's",
            with_media(
                Media {
                    source: MediaRef {
                        provider_id: Some("77".into()),
                        ..MediaRef::default()
                    },
                    ..link(at, Some("image/jpeg"), None)
                },
                "",
            ),
            body("image", &json!({"id": "77"})),
        ),
    ]);
}

fn template(variables: &Value, components: Value) -> OutboundMessage {
    to_ada(Content {
        template: Some(TemplateCall {
            name: "order_update".into(),
            language: Some("en_US".into()),
            variables: variables.as_object().expect("an object").clone(),
            components,
            ..TemplateCall::default()
        }),
        ..Content::text("what the template says, for the timeline")
    })
}

#[test]
fn templates_take_variables_or_components() {
    let call = |components: Option<Value>| {
        let mut call = json!({"name": "order_update", "language": {"code": "en_US"}});
        if let Some(components) = components {
            call["components"] = components;
        }
        body("template", &call)
    };
    let of_body =
        |parameters: Value| call(Some(json!([{"type": "body", "parameters": parameters}])));
    let header = json!([{"type": "header", "parameters": [{"type": "image", "image": {"link": "https://m.example/1"}}]}]);
    let money = json!({"type": "currency", "currency": {"fallback_value": "$1", "code": "USD", "amount_1000": 1000}});
    check(vec![
        ("bare", template(&json!({}), Value::Null), call(None)),
        (
            "numbered, by number and not by spelling",
            template(
                &json!({"10": "j", "2": 2, "1": "a", "3": "c", "4": "d", "5": "e", "6": "f", "7": "g", "8": "h", "9": "i"}),
                Value::Null,
            ),
            of_body(
                ["a", "2", "c", "d", "e", "f", "g", "h", "i", "j"]
                    .map(|text| json!({"type": "text", "text": text}))
                    .into(),
            ),
        ),
        (
            "named",
            template(&json!({"first_name": "Ada"}), Value::Null),
            of_body(json!([{"type": "text", "text": "Ada", "parameter_name": "first_name"}])),
        ),
        (
            "an object of Meta's",
            template(&json!({"1": money}), Value::Null),
            of_body(json!([money])),
        ),
        (
            "components in place of variables",
            template(&json!({"1": "ignored"}), header.clone()),
            call(Some(header)),
        ),
    ]);
}

#[test]
fn everything_else() {
    let buttons = json!({"buttons": [{"type": "reply", "reply": {"id": "y", "title": "Yes"}}]});
    let offer = |data: Value, text: Option<&str>| {
        to_ada(Content {
            text: text.map(String::from),
            interactive: Some(Interactive {
                kind: "button".into(),
                data,
                ..Interactive::default()
            }),
            ..Content::default()
        })
    };
    let whole = json!({"type": "button", "body": {"text": "Sure?"}, "action": buttons});
    let filled = json!({"action": buttons, "type": "button", "body": {"text": "Sure?"}});
    let card = json!({"name": {"formatted_name": "Grace", "first_name": "Grace"}});
    let react = |emoji: &str| {
        to_ada(Content {
            reaction: Some(ReactionCall {
                target: WAMID.into(),
                emoji: emoji.into(),
            }),
            ..Content::default()
        })
    };
    check(vec![
        (
            "buttons",
            offer(whole.clone(), None),
            body("interactive", &whole),
        ),
        (
            "buttons with the text as body",
            offer(json!({"action": buttons}), Some("Sure?")),
            body("interactive", &filled),
        ),
        (
            "place",
            to_ada(Content {
                location: Some(Location {
                    latitude: 52.5,
                    longitude: 13.25,
                    label: Some("Office".into()),
                    address: None,
                }),
                ..Content::default()
            }),
            body(
                "location",
                &json!({"latitude": 52.5, "longitude": 13.25, "name": "Office"}),
            ),
        ),
        (
            "cards",
            to_ada(Content {
                contacts: vec![card.clone()],
                ..Content::default()
            }),
            body("contacts", &json!([card])),
        ),
        (
            "reaction",
            react("👍"),
            body("reaction", &json!({"message_id": WAMID, "emoji": "👍"})),
        ),
        (
            "reaction taken back",
            react(""),
            body("reaction", &json!({"message_id": WAMID, "emoji": ""})),
        ),
    ]);
}

#[test]
fn read_marks() {
    for (typing, extra) in [
        (false, json!({})),
        (true, json!({"typing_indicator": {"type": "text"}})),
    ] {
        let message = ReceivedRef {
            external_id: WAMID.into(),
            sender: person(ADA),
            typing,
        };
        let run = kit().mark_read(
            &message,
            [testkit::json_reply(200, &json!({"success": true}))],
        );
        let mut want =
            json!({"messaging_product": "whatsapp", "status": "read", "message_id": WAMID});
        for (name, value) in extra.as_object().expect("an object") {
            want[name.as_str()] = value.clone();
        }
        assert_eq!(
            run.requests,
            [Request::Http(post(&format!("{NUMBER}/messages"), &want))]
        );
        assert_eq!(run.outcome, Ok(()));
    }
    let run = kit_with(&json!({"access_token": null})).mark_read(&ReceivedRef::default(), []);
    assert_eq!(run.outcome.unwrap_err().code, "no_credentials");
}
