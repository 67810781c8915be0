//! Anything in JSON, anything in a text: nothing panics, nothing is refused, nothing gets lost.

use proptest::prelude::*;
use serde_json::{Map, json};
use trunkline_plugin_api::{Event, Verdict};

use super::*;

/// JSON of a few levels, with Meta's own names among the keys.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        // Quarters: what serde_json reads back to the bit.
        any::<i16>().prop_map(|number| Value::from(f64::from(number) / 4.0)),
        "[a-zA-Z0-9+. ]{0,12}".prop_map(Value::from),
    ];
    let key = prop_oneof![
        "[a-z_]{1,6}",
        prop::sample::select(vec![
            "type",
            "text",
            "body",
            "id",
            "from",
            "image",
            "location",
            "latitude",
            "interactive",
            "button_reply",
            "reaction",
            "message_id",
            "system",
            "context",
            "errors",
            "status",
            "edit",
            "message",
            "contacts",
            "order",
            "wa_id",
            "user_id",
        ])
        .prop_map(String::from),
    ];
    leaf.prop_recursive(4, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..6)
                .prop_map(|pairs| { Value::Object(pairs.into_iter().collect::<Map<_, _>>()) }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever a genuine webhook holds, it is taken.
    #[test]
    fn genuine_webhooks_are_never_refused(
        value in anything(),
        message in anything(),
        field in prop::sample::select(vec!["messages", "user_preferences", "message_template_status_update", "new"]),
    ) {
        let mut inner = super::value();
        inner["messages"] = json!([message, value]);
        inner["contacts"] = value.clone();
        inner["statuses"] = json!([message]);
        inner["user_preferences"] = json!([value]);
        for request in [change(field, &inner), change(field, &value), signed(&value.to_string())] {
            let received = kit().receive(&request);
            prop_assert_eq!((received.verdict, received.response.status), (Verdict::Authentic, 200));
        }
    }

    /// One text in, the same text out, escaped as Meta escapes or not.
    #[test]
    fn texts_survive(text in any::<String>()) {
        let request = message(&json!({"type": "text", "text": {"body": text}}));
        let Event::Message(read) = only(&request) else {
            panic!("a message");
        };
        prop_assert_eq!(read.content.text.as_deref(), Some(text.as_str()));
    }

    /// A kind that is not known keeps all its fields.
    #[test]
    fn unknown_kinds_keep_their_fields(member in anything(), kind in "[x-z]{3,8}") {
        let request = message(&json!({"type": kind, kind.as_str(): member}));
        let Event::Message(read) = only(&request) else {
            panic!("a message");
        };
        prop_assert_eq!(read.metadata.get("type").and_then(Value::as_str), Some(kind.as_str()));
        prop_assert!(read.metadata.contains_key("note"));
        prop_assert_eq!(read.metadata.get(&kind).cloned().unwrap_or_default(), member);
    }
}
