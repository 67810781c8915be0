//! Requests and JSON of every kind: nothing panics, passes for genuine, or is lost silently.

use proptest::prelude::*;
use serde_json::{Value, json};
use trunkline_plugin_api::{WebhookRequest, testkit::Kit};

use super::{HUB_SECRET, SECRET, WHSEC, accepted, kit, read, request, text, with_secret};
use crate::Webhook;

fn everything() -> Kit<Webhook> {
    let public = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";
    kit(json!({"secret": SECRET, "hub_secret": HUB_SECRET, "signing_secret": [WHSEC, public]}))
}

/// JSON of the members that are looked at, with values of every kind.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        Just(json!("message.status")),
    ];
    let key = prop::sample::select(vec![
        "id",
        "from",
        "text",
        "name",
        "media",
        "type",
        "data",
        "status",
        "error",
        "url",
        "timestamp",
    ]);
    leaf.prop_recursive(4, 64, 8, move |inner| {
        let object = prop::collection::vec((key.clone(), inner.clone()), 0..8).prop_map(|pairs| {
            Value::Object(
                pairs
                    .into_iter()
                    .map(|(key, value)| (key.into(), value))
                    .collect(),
            )
        });
        prop_oneof![
            prop::collection::vec(inner, 0..6).prop_map(Value::from),
            object
        ]
    })
}

proptest! {
    #[test]
    fn nothing_forged_is_taken(
        body in prop::collection::vec(any::<u8>(), 0..200),
        headers in prop::collection::vec(
            (
                prop::sample::select(vec![
                    "x-webhook-secret", "authorization", "x-hub-signature-256", "webhook-id",
                    "webhook-timestamp", "webhook-signature", "svix-id", "svix-timestamp",
                    "svix-signature",
                ]),
                prop_oneof![".{0,40}", "v1a?,[A-Za-z0-9+/]{0,86}==", "[0-9]{1,20}", "sha256=[0-9a-f]{64}"],
            ),
            0..8,
        ),
    ) {
        let headers = headers.into_iter().map(|(name, value)| (name.into(), value)).collect();
        let request = WebhookRequest { headers, ..request(body) };
        let received = everything().receive(&request);
        prop_assert!(!received.verdict.is_authentic());
        prop_assert_eq!(received.response.status, 401);
    }

    #[test]
    fn whatever_is_proven_is_answered(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let received = everything().receive(&with_secret(body));
        prop_assert!(received.verdict.is_authentic());
        prop_assert_eq!(received.response.status, 200);
    }

    #[test]
    fn nothing_is_lost_without_a_word(json in any_json()) {
        let received = read(&json);
        let silent = received.events.is_empty() && received.unparsed.is_none();
        prop_assert!(!silent || json == json!([]), "{json}");
        if let Value::Array(items) = &json && received.unparsed.is_none() {
            prop_assert_eq!(received.events.len(), items.len());
        }
    }

    #[test]
    fn every_text_comes_through(content in ".{1,80}") {
        let received = read(&json!({"id": 1, "from": "ada", "text": content}));
        prop_assert_eq!(received, accepted(vec![text("1", "ada", &content)]));
    }
}
