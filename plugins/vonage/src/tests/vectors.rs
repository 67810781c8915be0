//! Signatures that others computed: Vonage's Python SDK publishes some, the rest were made with
//! another implementation of the same rules.

use serde_json::json;
use trunkline_plugin_api::{
    Adapter, Content, Event, InboundMessage, OpenContext, Verdict, WebhookRequest, sign,
    testkit::{self, Kit},
};

use super::{HOOK, KEY, Pairs, canonical, encoded, from_ada, with_token};
use crate::{Vonage, sms::Method};

const SECRET: &str = "signature_secret";
/// When the webhooks of the vectors were signed: 2026-01-01T12:00:00Z.
const SIGNED_MS: i64 = 1_767_268_800_000;

const PLAIN: Pairs<'_> = &[
    ("param1", "value1"),
    ("param2", "value2"),
    ("timestamp", "1234567890"),
];
const INBOUND: Pairs<'_> = &[
    ("api-key", KEY),
    ("keyword", "A=B"),
    ("message-timestamp", "2026-01-01 12:00:00"),
    ("messageId", "0A0000000123ABCD1"),
    ("msisdn", "447700900001"),
    ("nonce", "aaaaaaaa-bbbb-cccc-dddd-0123456789ab"),
    ("text", "a=b & c"),
    ("timestamp", "1767268800"),
    ("to", "447700900000"),
    ("type", "text"),
];

#[test]
fn signatures_are_those_of_other_implementations() {
    let rows: [(Pairs<'_>, &str, Method, &str); 9] = [
        (
            PLAIN,
            "&param1=value1&param2=value2&timestamp=1234567890",
            Method::Md5,
            "724c2bf6ca423c36e20631b11d1c5753",
        ),
        (
            PLAIN,
            "&param1=value1&param2=value2&timestamp=1234567890",
            Method::Sha256,
            "280c4320703dbc98bfa22db676655ed2acfbfe8792b062ff7622e67f1183c287",
        ),
        (
            PLAIN,
            "&param1=value1&param2=value2&timestamp=1234567890",
            Method::Sha1,
            "e4ebfd0ecd877fed7b414b5c87d0d7dfebb10a19",
        ),
        (
            PLAIN,
            "&param1=value1&param2=value2&timestamp=1234567890",
            Method::Sha512,
            "740ea4cd4c004c619d3b4cf060484278290d43d2b9d6693ada7b4c4ac48b18f3\
             9675710a5a878cde6f4349bd19e8b8e033e3f0b4816b805a969e0f24ae726292",
        ),
        (
            PLAIN,
            "&param1=value1&param2=value2&timestamp=1234567890",
            Method::Md5hash,
            "d72f75ac8cda9bbce891c4fa62bee6cd",
        ),
        (
            &[
                ("param1", "value&1"),
                ("param2", "value=2"),
                ("timestamp", "1234567890"),
            ],
            "&param1=value_1&param2=value_2&timestamp=1234567890",
            Method::Md5,
            "2bbf0abafb2c55e5af6231513896a2ac",
        ),
        (
            &[("param", "value"), ("timestamp", "1234567890")],
            "&param=value&timestamp=1234567890",
            Method::Md5,
            "655a4d0b7f064dff438defc52b012cf5",
        ),
        (
            INBOUND,
            "&api-key=abcd1234&keyword=A_B&message-timestamp=2026-01-01 12:00:00\
             &messageId=0A0000000123ABCD1&msisdn=447700900001\
             &nonce=aaaaaaaa-bbbb-cccc-dddd-0123456789ab&text=a_b _ c&timestamp=1767268800\
             &to=447700900000&type=text",
            Method::Sha256,
            "77323bac108d0ff7519b77ddcade8131dfc562898ba22451fb2f7fd2534214e0",
        ),
        (
            INBOUND,
            "&api-key=abcd1234&keyword=A_B&message-timestamp=2026-01-01 12:00:00\
             &messageId=0A0000000123ABCD1&msisdn=447700900001\
             &nonce=aaaaaaaa-bbbb-cccc-dddd-0123456789ab&text=a_b _ c&timestamp=1767268800\
             &to=447700900000&type=text",
            Method::Md5hash,
            "bd68d4f4b6f2bdfb82f614e42e55c972",
        ),
    ];
    for (params, text, method, signature) in rows {
        assert_eq!(canonical(params), text, "{method:?}");
        assert_eq!(
            sign::hex(&method.sign(SECRET, text)),
            signature,
            "{method:?}"
        );
        // Neither the order nor a signature among the parameters changes what is signed.
        let mut moved = params.to_vec();
        moved.reverse();
        moved.push(("sig", signature));
        assert_eq!(canonical(&moved), text);
    }
}

fn inbound_with(signature: &str) -> WebhookRequest {
    let mut params = INBOUND.to_vec();
    params.push(("sig", signature));
    let pairs: Vec<_> = params
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    WebhookRequest {
        received_at_ms: SIGNED_MS,
        ..testkit::form(HOOK, &encoded(&pairs))
    }
}

#[test]
fn the_signed_message_of_the_vectors_is_read() {
    let rows = [
        (
            "sha256",
            "77323bac108d0ff7519b77ddcade8131dfc562898ba22451fb2f7fd2534214e0",
        ),
        ("md5hash", "bd68d4f4b6f2bdfb82f614e42e55c972"),
    ];
    for (method, signature) in rows {
        let kit = Kit::<Vonage>::open(json!({
            "signature_secret": SECRET, "signature_method": method,
        }));
        let want = InboundMessage {
            content: Content::text("a=b & c"),
            sent_at_ms: Some(SIGNED_MS),
            ..from_ada(&json!({"keyword": "A=B", "type": "text"}))
        };
        for signature in [signature, &signature.to_uppercase()] {
            let received = kit.receive(&inbound_with(signature));
            assert_eq!(received.events, [Event::Message(want.clone())], "{method}");
        }
        // The kit looks for the secret, which in these vectors is the name of a key of ours too.
        let config = json!({"signature_secret": SECRET, "signature_method": method});
        let config = serde_json::from_value(config).expect("a configuration");
        let (vonage, _) = Vonage::open(config, OpenContext::default()).expect("a channel");
        let (_, other) = rows.iter().find(|row| row.0 != method).expect("the other");
        let received = vonage.receive(&inbound_with(other));
        assert_eq!(received.verdict, Verdict::Mismatch, "{method}");
    }
}

/// A token made with another implementation, its claims in an order of its own.
#[test]
fn the_token_of_the_vectors_is_taken() {
    let body = r#"{"message_uuid":"aaaaaaaa-bbbb-cccc-dddd-0123456789ab","to":"447700900000","from":"447700900001","timestamp":"2026-01-01T12:00:00.000Z","channel":"sms","message_type":"text","text":"hi"}"#;
    let hash = "e905dcf63945fae2da1b9cabbffd7e7be20b0edb8f2cc598dce6c3591736a194";
    assert_eq!(sign::hex(&sign::sha256(body.as_bytes())), hash);
    let token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpYXQiOjE3NjcyNjg4MDAsImp0aSI6ImM1YmE4ZjI0LTFhMTQtNGMxMC1iZmRmLTNmYmU4Y2U1MTFiNSIsImlzcyI6IlZvbmFnZSIsInBheWxvYWRfaGFzaCI6ImU5MDVkY2Y2Mzk0NWZhZTJkYTFiOWNhYmJmZmQ3ZTdiZTIwYjBlZGI4ZjJjYzU5OGRjZTZjMzU5MTczNmExOTQiLCJhcGlfa2V5IjoiYWJjZDEyMzQiLCJhcHBsaWNhdGlvbl9pZCI6ImFhYWFhYWFhLWJiYmItY2NjYy1kZGRkLTAxMjM0NTY3ODlhYiJ9.y-FjgljoPy0OEhA3_pwGs90FHkWF3bt80WKA3VdJ5EQ";
    let kit = Kit::<Vonage>::open(json!({
        "api": "messages", "signature_secret": "vonage-signature-secret-example-32b", "api_key": KEY,
        "application_id": "aaaaaaaa-bbbb-cccc-dddd-0123456789ab",
    }));
    let request = WebhookRequest {
        received_at_ms: SIGNED_MS,
        ..with_token(body, token)
    };
    let want = InboundMessage {
        id: "aaaaaaaa-bbbb-cccc-dddd-0123456789ab".into(),
        content: Content::text("hi"),
        sent_at_ms: Some(SIGNED_MS),
        ..from_ada(&json!({"channel": "sms", "message_type": "text"}))
    };
    let received = kit.receive(&request);
    assert_eq!(received.events, [Event::Message(want)], "{received:?}");
    kit.tamper(&request);
    kit.fuzz(&request);
    let late = WebhookRequest {
        received_at_ms: SIGNED_MS + 301_000,
        ..request
    };
    assert_eq!(kit.receive(&late).verdict, Verdict::Expired);
}
