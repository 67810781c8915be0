//! Properties: no webhook makes the adapter panic, and what is genuine is read or kept.

use proptest::prelude::*;
use serde_json::{Value, json};
use trunkline_plugin_api::{Verdict, WebhookRequest, testkit};

use super::{HOOK, kit, message, signed, taken, update};
use crate::{ids, kinds};

/// Names that mean something, so that every branch is met.
const NAMES: &[&str] = &[
    "update_id",
    "message",
    "edited_message",
    "callback_query",
    "message_reaction",
    "my_chat_member",
    "chat",
    "id",
    "type",
    "from",
    "date",
    "message_id",
    "text",
    "caption",
    "photo",
    "document",
    "file_id",
    "width",
    "height",
    "location",
    "latitude",
    "venue",
    "contact",
    "reply_to_message",
    "data",
    "reply_markup",
    "inline_keyboard",
    "new_reaction",
    "old_reaction",
    "emoji",
    "new_chat_member",
    "status",
    "sticker",
    "is_animated",
    "title",
];

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<i32>().prop_map(|number| json!(f64::from(number) / 4.0)),
        ".{0,8}".prop_map(Value::from),
        prop::sample::select(vec!["private", "kicked", "member", "👍"]).prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        let name = prop::sample::select(NAMES).prop_map(String::from);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name, inner, 0..6).prop_map(|map| json!(map)),
        ]
    })
}

proptest! {
    /// Anything at all without the secret: never a panic, never genuine.
    #[test]
    fn noise_is_refused(
        headers in prop::collection::vec(
            (prop_oneof![Just("x-telegram-bot-api-secret-token".to_owned()), any::<String>()], any::<String>()),
            0..4,
        ),
        body in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let request = WebhookRequest { headers, ..testkit::post(HOOK, "application/json", body) };
        let received = kit().receive(&request);
        prop_assert!(matches!(received.verdict, Verdict::Unsigned | Verdict::Mismatch));
        prop_assert!(matches!(received.response.status, 401 | 403));
    }

    /// Whatever Telegram sends is answered with 200, and read or kept.
    #[test]
    fn genuine_updates_are_read_or_kept(mut body in json_value(), number in any::<i64>()) {
        if let Some(update) = body.as_object_mut() {
            update.insert("update_id".into(), number.into());
        }
        let received = kit().receive(&signed(body.to_string()));
        prop_assert_eq!((received.verdict, received.response.status), (Verdict::Authentic, 200));
        prop_assert_ne!(received.events.is_empty(), received.unparsed.is_none());
    }

    /// One text in, the same text out; nothing but what the text is in changes.
    #[test]
    fn texts_survive_both_ways(text in "\\PC{1,200}") {
        let said = message(&json!({"text": text}));
        let received = kit().receive(&update("message", &said));
        let read = json!(received.events);
        prop_assert_eq!(read[0]["content"]["text"].as_str(), Some(text.as_str()));
        let run = kit().send(&super::to_ada(&text), [taken(1)]);
        let request = super::call("sendMessage", &json!({"text": text, "chat_id": 5001}));
        prop_assert_eq!(run.requests, vec![request_of(request)]);
    }

    /// Ids come back as what they were made of.
    #[test]
    fn ids_are_read_back(chat in any::<i64>(), number in any::<i64>(), tail in "(:[a-z0-9]{0,5}){0,2}") {
        let id = ids::joined(chat, number);
        prop_assert_eq!(ids::split(&format!("{id}{tail}")), Some((chat, number)));
    }

    /// Nothing is lost: a member is in the content or in the metadata.
    #[test]
    fn members_are_read_or_kept(member in json_value()) {
        let said = message(&json!({"unheard_of": member}));
        prop_assume!(!kinds::is_service(&said) && !member.is_null());
        let received = kit().receive(&update("message", &said));
        let read = json!(received.events);
        prop_assert_eq!(&read[0]["metadata"]["unheard_of"], &serde_json::from_str::<Value>(&member.to_string()).expect("JSON"));
    }
}

fn request_of(request: trunkline_plugin_api::HttpRequest) -> trunkline_plugin_api::Request {
    trunkline_plugin_api::Request::Http(request)
}
