//! Properties: no webhook makes the adapter panic, what is signed is genuine, and nothing else is.

use proptest::prelude::*;
use serde_json::{Map, Value};
use trunkline_plugin_api::{Verdict, WebhookRequest, testkit};

use super::{
    HOOK, Pairs, encoded, form, get, inbound, json_body, messages_kit, signed_params, sms_kit,
    tokened,
};
use crate::sms::{Method, Params};

/// Names that mean something, so that every branch is met.
const KNOWN: &[&str] = &[
    "messageId",
    "msisdn",
    "to",
    "text",
    "type",
    "data",
    "udh",
    "status",
    "err-code",
    "client-ref",
    "concat",
    "concat-ref",
    "concat-total",
    "concat-part",
    "message-timestamp",
    "keyword",
];

fn name() -> impl Strategy<Value = String> {
    let any = "[^&=\u{fffd}]{0,8}".prop_filter("names of the proof", |name| {
        !matches!(name.as_str(), "sig" | "timestamp" | "api-key")
    });
    prop_oneof![3 => prop::sample::select(KNOWN).prop_map(String::from), 1 => any]
}

fn params() -> impl Strategy<Value = Vec<(String, String)>> {
    let map = prop::collection::btree_map(name(), any::<String>(), 0..12);
    map.prop_map(|map| map.into_iter().collect())
}

fn borrowed(params: &[(String, String)]) -> Vec<(&str, &str)> {
    let pairs = params
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    pairs.collect()
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    let names = prop::sample::select(
        &[
            "message_uuid",
            "from",
            "to",
            "type",
            "number",
            "status",
            "error",
            "code",
            "title",
            "text",
            "message_type",
            "image",
            "url",
            "content",
            "location",
            "lat",
            "long",
            "reaction",
            "context",
            "message",
            "profile",
            "channel",
            "timestamp",
            "caption",
            "contact",
        ][..],
    );
    leaf.prop_recursive(4, 32, 6, move |inner| {
        let object = prop::collection::btree_map(names.clone(), inner.clone(), 0..6);
        prop_oneof![
            3 => object.prop_map(|map| {
                let map: Map<String, Value> =
                    map.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
                Value::from(map)
            }),
            1 => prop::collection::vec(inner, 0..4).prop_map(Value::from),
        ]
    })
}

proptest! {
    /// Anything at all: never a panic, never genuine.
    #[test]
    fn noise_is_refused(
        method in prop_oneof![Just("GET".to_owned()), Just("POST".to_owned()), any::<String>()],
        url in prop_oneof![any::<String>(), "https://a/b[?]sig=[0-9a-f]{0,70}&.{0,20}"],
        headers in prop::collection::vec(
            (
                prop_oneof![
                    Just("authorization".to_owned()),
                    Just("content-type".to_owned()),
                    any::<String>(),
                ],
                prop_oneof![
                    Just("application/json".to_owned()),
                    "Bearer [a-zA-Z0-9_.-]{0,60}",
                    any::<String>(),
                ],
            ),
            0..6,
        ),
        body in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let request = WebhookRequest { method, url, headers, received_at_ms: 0, body: body.into() };
        for kit in [sms_kit(), messages_kit()] {
            let received = kit.receive(&request);
            prop_assert!(!received.verdict.is_authentic());
            prop_assert_eq!(received.response.status, 401);
        }
    }

    /// Whatever Vonage signs is genuine, answered with 200, read or kept, and means the same in
    /// every form.
    #[test]
    fn signed_noise_is_read_or_kept(params in params()) {
        let params = borrowed(&params);
        let received = sms_kit().receive(&form(&params));
        prop_assert_eq!(received.verdict, Verdict::Authentic);
        prop_assert_eq!(received.response.status, 200);
        prop_assert_ne!(received.events.is_empty(), received.unparsed.is_none());
        prop_assert_eq!(&sms_kit().receive(&json_body(&params)), &received);
        prop_assert_eq!(&sms_kit().receive(&get(&params)), &received);
    }

    /// A parameter that is changed, lost or added breaks the signature, unless the change is one that
    /// Vonage's rule can't see: `&`, `=` and `_` in a value are one.
    #[test]
    fn a_change_is_seen(params in params(), name in name(), value in any::<String>()) {
        let mut signed = signed_params(Method::Sha512, &borrowed(&params));
        let blind = |text: &str| text.replace(['&', '='], "_");
        let before = signed.iter().find(|(known, _)| *known == name).map(|(_, value)| blind(value));
        prop_assume!(before != Some(blind(&value)));
        signed.retain(|(known, _)| *known != name);
        signed.push((name, value));
        let kit = testkit::Kit::<crate::Vonage>::open(super::with(
            super::sms(),
            &serde_json::json!({"signature_method": "sha512"}),
        ));
        let received = kit.receive(&testkit::form(HOOK, &encoded(&signed)));
        prop_assert_eq!(received.verdict, Verdict::Mismatch);
    }

    /// Neither the order of the parameters nor their form changes what is signed.
    #[test]
    fn order_does_not_matter(params in params(), at in any::<prop::sample::Index>()) {
        let read = |params: &[(String, String)]| {
            Params::read(&testkit::form(HOOK, &encoded(params)))
                .expect("plain parameters")
                .canonical()
        };
        let mut moved = params.clone();
        if !moved.is_empty() {
            let at = at.index(moved.len());
            moved.rotate_left(at);
            moved.reverse();
        }
        prop_assert_eq!(read(&moved), read(&params));
    }

    /// Two readings of what was signed are never told apart by their names: what is one parameter
    /// for us is one for whoever signed.
    #[test]
    fn raw_bodies_are_parsed_or_refused(
        body in prop::collection::vec(prop_oneof![
            1 => any::<u8>(),
            2 => prop::sample::select(&b"&=_%+sig2630"[..]),
        ], 0..120),
    ) {
        if let Ok(params) = Params::read(&testkit::form(HOOK, &String::from_utf8_lossy(&body))) {
            let text = params.canonical();
            let count = params.to_object(&["sig"]).len();
            prop_assert!(text.matches('=').count() >= count);
            prop_assert_eq!(text.matches('&').count(), text.matches('=').count());
        }
    }

    /// One text in, the same text out.
    #[test]
    fn texts_survive(text in any::<String>()) {
        let pairs = inbound(&[("text", &text)]);
        let params: Pairs<'_> = &pairs;
        for request in [form(params), get(params), json_body(params)] {
            let json = serde_json::to_value(sms_kit().receive(&request).events).expect("JSON");
            prop_assert_eq!(json[0]["content"]["text"].as_str(), Some(text.as_str()));
        }
    }

    /// Any JSON under a genuine token is read or kept.
    #[test]
    fn genuine_json_is_read_or_kept(body in json()) {
        let received = messages_kit().receive(&tokened(&body));
        prop_assert_eq!(received.verdict, Verdict::Authentic);
        prop_assert_eq!(received.response.status, 200);
        prop_assert_ne!(received.events.is_empty(), received.unparsed.is_none());
    }
}
