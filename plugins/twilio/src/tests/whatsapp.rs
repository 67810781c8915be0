//! What only WhatsApp has: profile names, buttons, flows, places, people without a number.

use serde_json::{Value, json};
use trunkline_plugin_api::{
    Content, Event, Identity, InboundMessage, Interactive, Location, Sender,
};

use super::{
    ADA, HOOK, Pairs,
    inbound::{Row, check, says},
    kit, message, signed,
};

const FROM: (&str, &str) = ("From", "whatsapp:+15005550101");
const TO: (&str, &str) = ("To", "whatsapp:+15005550102");

/// What Ada wrote on WhatsApp.
fn wrote(content: Content, metadata: &Value) -> InboundMessage {
    InboundMessage {
        address: Some("whatsapp:+15005550102".into()),
        sender: Sender {
            identity: Identity::new("whatsapp", ADA),
            ..Sender::default()
        },
        ..says(content, metadata)
    }
}

fn chose(interactive: Interactive, text: Option<&str>) -> Content {
    Content {
        text: text.map(String::from),
        interactive: Some(interactive),
        ..Content::default()
    }
}

fn button() -> Row<'static> {
    let params: Pairs<'_> = &[
        FROM,
        TO,
        ("WaId", "15005550101"),
        ("ProfileName", "Ada ✓"),
        ("Body", "Yes"),
        ("ButtonText", "Yes"),
        ("ButtonPayload", "confirm_42"),
        ("NumMedia", "0"),
        ("NumSegments", "1"),
        ("OriginalRepliedMessageSid", "SM9"),
        ("OriginalRepliedMessageSender", "whatsapp:+15005550102"),
    ];
    let pressed = Interactive {
        kind: "button".into(),
        id: Some("confirm_42".into()),
        title: Some("Yes".into()),
        data: Value::Null,
    };
    let metadata = json!({
        "WaId": "15005550101",
        "NumSegments": "1",
        "OriginalRepliedMessageSender": "whatsapp:+15005550102",
    });
    let mut want = wrote(chose(pressed, Some("Yes")), &metadata);
    want.sender.name = Some("Ada ✓".into());
    want.reply_to = Some("SM9".into());
    ("button that answers a message", params, want)
}

#[test]
fn choices() {
    let flow = Interactive {
        kind: "flow".into(),
        data: json!({"screen": "done"}),
        ..Interactive::default()
    };
    let row = Interactive {
        kind: "list".into(),
        id: Some("size_l".into()),
        title: Some("Large".into()),
        data: Value::Null,
    };
    let other = Interactive {
        kind: "interactive".into(),
        ..Interactive::default()
    };
    let raw = json!({"InteractiveData": {"a": 1}, "ChannelMetadata": "{broken"});
    check(vec![
        button(),
        (
            "entry of a list",
            &[
                FROM,
                TO,
                ("Body", "Large"),
                ("ListId", "size_l"),
                ("ListTitle", "Large"),
                ("MessageType", "interactive"),
            ],
            wrote(
                chose(row, Some("Large")),
                &json!({"MessageType": "interactive"}),
            ),
        ),
        (
            "finished flow",
            &[FROM, TO, ("Body", ""), ("FlowData", r#"{"screen":"done"}"#)],
            wrote(chose(flow, None), &json!({})),
        ),
        (
            "other rich reply, with raw channel data",
            &[
                FROM,
                TO,
                ("Body", ""),
                ("InteractiveData", r#"{"a":1}"#),
                ("ChannelMetadata", "{broken"),
            ],
            wrote(chose(other, None), &raw),
        ),
        (
            "forwarded, from an advertisement",
            &[
                FROM,
                TO,
                ("Body", "Hi"),
                ("Forwarded", "true"),
                ("ReferralSourceId", "77"),
            ],
            wrote(
                Content::text("Hi"),
                &json!({"Forwarded": "true", "ReferralSourceId": "77"}),
            ),
        ),
    ]);
}

#[test]
fn places() {
    let place = Content {
        location: Some(Location {
            latitude: 52.5,
            longitude: -13.25,
            label: Some("Office".into()),
            address: Some("1 Main Street".into()),
        }),
        ..Content::default()
    };
    let nowhere = json!({"Latitude": "91", "Longitude": "NaN", "Label": "L"});
    check(vec![
        (
            "shared place",
            &[
                FROM,
                TO,
                ("Body", ""),
                ("Latitude", "52.5"),
                ("Longitude", "-13.25"),
                ("Label", "Office"),
                ("Address", "1 Main Street"),
            ],
            wrote(place, &json!({})),
        ),
        (
            "place outside the earth",
            &[
                FROM,
                TO,
                ("Body", "x"),
                ("Latitude", "91"),
                ("Longitude", "NaN"),
                ("Label", "L"),
            ],
            wrote(Content::text("x"), &nowhere),
        ),
    ]);
}

/// People on WhatsApp may have no number; whatever names them belongs to one person.
#[test]
fn people_without_a_number() {
    let whatsapp = |identifier: &str| Identity::new("whatsapp", identifier);
    let rows: [(Pairs<'_>, Identity, Vec<Identity>); 5] = [
        (&[("From", "whatsapp:US.77")], whatsapp("US.77"), vec![]),
        (
            &[("From", "whatsapp:US.77"), ("WaId", "15005550101")],
            whatsapp(ADA),
            vec![whatsapp("US.77")],
        ),
        (
            &[
                ("From", "whatsapp:+15005550101"),
                ("ExternalUserId", "US.77"),
            ],
            whatsapp(ADA),
            vec![whatsapp("US.77")],
        ),
        (
            &[("From", ""), ("ExternalUserId", "whatsapp:US.77")],
            whatsapp("US.77"),
            vec![],
        ),
        (
            &[("From", "whatsapp:US.77"), ("WaId", "no digits")],
            whatsapp("US.77"),
            vec![],
        ),
    ];
    for (params, identity, also) in rows {
        let received = kit().receive(&signed(HOOK, &message(params)));
        let [Event::Message(inbound)] = received.events.as_slice() else {
            panic!("{received:?}");
        };
        let want = Sender {
            identity,
            also,
            name: None,
        };
        assert_eq!(inbound.sender, want, "{params:?}");
    }
}
