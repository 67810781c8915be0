//! Every kind of message that a person can send by WhatsApp.

use serde_json::{Value, json};
use trunkline_simulator::WaMessage;

use crate::whatsapp::ADA;

/// A message, a place in what is shown of it, and what must stand there.
pub(crate) type Kind = (WaMessage, &'static str, Value);

/// All of them.
pub(crate) fn all() -> Vec<Kind> {
    [texts(), files(), choices(), others()].concat()
}

fn of(kind: &str, object: Value) -> WaMessage {
    WaMessage::new(ADA, kind, object)
}

fn texts() -> Vec<Kind> {
    let text = |text: &str| WaMessage::text(ADA, text);
    let forwarded = text("passed on").with("context", json!({"forwarded": true}));
    let from_ad = text("from an ad").with("referral", json!({"source_type": "ad"}));
    vec![
        (
            text(" caf\u{e9} / 😀\n"),
            "/content/text",
            json!(" caf\u{e9} / 😀\n"),
        ),
        (
            text("answer").answering("wamid.Q"),
            "/reply_to",
            json!("wamid.Q"),
        ),
        (forwarded, "/metadata/forwarded", json!(true)),
        (from_ad, "/metadata/referral/source_type", json!("ad")),
    ]
}

fn files() -> Vec<Kind> {
    let file = |kind: &str, mime: &str| {
        of(
            kind,
            json!({"id": "77", "mime_type": mime, "caption": "Look", "voice": true, "filename": "a.pdf"}),
        )
    };
    let place = of(
        "location",
        json!({"latitude": 52.5, "longitude": 13.4, "name": "Office"}),
    );
    let cards = json!([{"name": {"formatted_name": "Grace"}}]);
    vec![
        (
            file("image", "image/jpeg"),
            "/content/media/0/content_type",
            json!("image/jpeg"),
        ),
        (file("video", "video/mp4"), "/content/text", json!("Look")),
        (file("audio", "audio/ogg"), "/metadata/voice", json!(true)),
        (
            file("document", "application/pdf"),
            "/content/media/0/name",
            json!("a.pdf"),
        ),
        (
            file("sticker", "image/webp"),
            "/metadata/type",
            json!("sticker"),
        ),
        (place, "/content/location/label", json!("Office")),
        (of("contacts", cards.clone()), "/content/contacts", cards),
    ]
}

fn choices() -> Vec<Kind> {
    let choice = |kind: &str, reply: Value| of("interactive", json!({"type": kind, kind: reply}));
    let flow = json!({"name": "flow", "body": "Sent", "response_json": "{\"a\":1}"});
    let button = choice("button_reply", json!({"id": "b1", "title": "Yes"}));
    let list = choice("list_reply", json!({"id": "r1", "title": "Large"}));
    let quick = of("button", json!({"text": "Yes", "payload": "p1"}));
    vec![
        (quick, "/content/interactive/id", json!("p1")),
        (button, "/content/interactive/kind", json!("button")),
        (list, "/content/interactive/title", json!("Large")),
        (
            choice("nfm_reply", flow),
            "/content/interactive/data/a",
            json!(1),
        ),
    ]
}

fn others() -> Vec<Kind> {
    let order = of(
        "order",
        json!({"catalog_id": "C1", "text": "Please", "product_items": []}),
    );
    let system = json!({"type": "user_changed_number", "body": "changed", "wa_id": "15005550101"});
    let unsupported = of("unsupported", Value::Null).with("errors", json!([{"code": 131_051}]));
    let reaction = WaMessage::reaction(ADA, "wamid.UNKNOWN", "👍");
    vec![
        (order, "/metadata/order/catalog_id", json!("C1")),
        (of("system", system), "/content/text", json!("changed")),
        (unsupported, "/metadata/errors/0/code", json!(131_051)),
        (
            of("hologram", json!({"depth": 3})),
            "/metadata/hologram/depth",
            json!(3),
        ),
        (reaction, "/content/reaction/emoji", json!("👍")),
    ]
}
