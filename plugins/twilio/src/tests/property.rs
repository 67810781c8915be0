//! Properties: no webhook makes the adapter panic, and what is signed does not depend on order.

use proptest::prelude::*;
use trunkline_plugin_api::{Verdict, WebhookRequest, testkit};

use super::{HOOK, TOKEN, encoded, kit, message, signature, signed, with_signature};
use crate::{params::Params, signature::url_forms};

/// Names that mean something, so that every branch is met.
const KNOWN: &[&str] = &[
    "MessageSid",
    "MessageStatus",
    "SmsStatus",
    "AccountSid",
    "From",
    "To",
    "Body",
    "NumMedia",
    "MediaUrl0",
    "Latitude",
    "Longitude",
    "ButtonText",
    "FlowData",
    "ChannelMetadata",
    "OptOutType",
    "WaId",
    "ExternalUserId",
    "ErrorCode",
];

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => prop::sample::select(KNOWN).prop_map(String::from),
        1 => any::<String>(),
    ]
}

fn params() -> impl Strategy<Value = Vec<(String, String)>> {
    prop::collection::vec((name(), any::<String>()), 0..12)
}

fn borrowed(params: &[(String, String)]) -> Vec<(&str, &str)> {
    let pairs = params
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    pairs.collect()
}

proptest! {
    /// Anything at all: never a panic, never genuine.
    #[test]
    fn noise_is_refused(
        method in prop_oneof![Just("GET".to_owned()), Just("POST".to_owned()), any::<String>()],
        url in prop_oneof![any::<String>(), "https?://[a-z@:\\[\\]0-9.]{0,20}[/?#]?.{0,20}"],
        headers in prop::collection::vec(
            (
                prop_oneof![
                    Just("x-twilio-signature".to_owned()),
                    Just("x-twilio-webhooks-signature-settings".to_owned()),
                    Just("content-type".to_owned()),
                    any::<String>(),
                ],
                any::<String>(),
            ),
            0..6,
        ),
        body in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let request = WebhookRequest { method, url, headers, received_at_ms: 0, body: body.into() };
        let received = kit().receive(&request);
        prop_assert!(!received.verdict.is_authentic());
        prop_assert_eq!(received.response.status, 401);
    }

    /// Whatever Twilio signs is genuine, answered with 200, and read or kept.
    #[test]
    fn signed_noise_is_read_or_kept(mut params in params()) {
        params.retain(|(name, _)| name != "AccountSid");
        params.sort();
        params.dedup();
        let received = kit().receive(&signed(HOOK, &borrowed(&params)));
        prop_assert_eq!(received.verdict, Verdict::Authentic);
        prop_assert_eq!(received.response.status, 200);
        prop_assert_ne!(received.events.is_empty(), received.unparsed.is_none());
    }

    /// Bytes that are no UTF-8 are decoded like everything else.
    #[test]
    fn raw_bodies_are_read_or_kept(body in prop::collection::vec(any::<u8>(), 0..300)) {
        let url = format!("{HOOK}?a=1");
        let canonical = Params::parse(&body).canonical();
        let signature = signature(TOKEN, &url, &[(&canonical, "")]);
        let request = with_signature(testkit::form(&url, ""), &signature);
        let received = kit().receive(&WebhookRequest { body: body.into(), ..request });
        let foreign_account = received.reason.as_deref().is_some_and(|why| why.contains("AccountSid"));
        prop_assert!(received.verdict == Verdict::Authentic || foreign_account);
    }

    /// Neither the order of the parameters nor repeating one changes what is signed.
    #[test]
    fn order_does_not_matter(params in params(), shuffle in any::<prop::sample::Index>()) {
        let canonical = |params: &[(String, String)]| {
            Params::parse(encoded(&borrowed(params)).as_bytes()).canonical()
        };
        let mut moved = params.clone();
        if !moved.is_empty() {
            let at = shuffle.index(moved.len());
            moved.rotate_left(at);
            moved.push(moved[at].clone());
            moved.reverse();
        }
        prop_assert_eq!(canonical(&moved), canonical(&params));
    }

    /// One text in, the same text out.
    #[test]
    fn texts_survive(text in any::<String>()) {
        let received = kit().receive(&signed(HOOK, &message(&[("Body", &text)])));
        let json = serde_json::to_value(&received.events).expect("JSON");
        prop_assert_eq!(json[0]["content"]["text"].as_str(), Some(text.as_str()));
    }

    /// The forms of a URL hold neither user info nor fragment, and differ by the port alone.
    #[test]
    fn url_forms_are_bare(
        host in "[a-z]{1,10}|\\[[0-9a-f:]{2,10}\\]",
        port in prop::option::of(1_u16..),
        user in prop::option::of("[a-z:]{0,8}"),
        tail in "(/[a-z@:%]{0,10}){0,2}(\\?[a-z@:=&%]{0,10})?",
        fragment in prop::option::of("[a-z#=]{0,8}"),
    ) {
        let user = user.map(|user| user + "@").unwrap_or_default();
        let given = port.map(|port| format!(":{port}")).unwrap_or_default();
        let fragment = fragment.map(|text| format!("#{text}")).unwrap_or_default();
        let url = format!("https://{user}{host}{given}{tail}{fragment}");
        let port = port.unwrap_or(443);
        let want = [format!("https://{host}{tail}"), format!("https://{host}:{port}{tail}")];
        prop_assert_eq!(url_forms(&url), want);
    }
}
