//! What is not genuine on the Messages API, and why.

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use trunkline_plugin_api::{
    Verdict, WebhookRequest, sign,
    testkit::{Kit, NOW_MS},
};

use super::{
    SECRET, UUID, claims, form, hs256, inbound, messages, messages_kit, tokened, with, with_token,
};
use crate::Vonage;

const BODY: &[u8] = br#"{"message_uuid":"1","from":"447700900001","text":"hi"}"#;

fn verdict(token: &str) -> (Verdict, String) {
    let received = messages_kit().receive(&with_token(BODY, token));
    let refused = !received.verdict.is_authentic();
    assert_eq!(received.response.status, if refused { 401 } else { 200 });
    (received.verdict, received.reason.unwrap_or_default())
}

fn header() -> Value {
    json!({"alg": "HS256", "typ": "JWT"})
}

#[test]
fn claims_are_checked() {
    let now_s = NOW_MS / 1_000;
    let other_hash = sign::hex(&sign::sha256(b"other"));
    let rows = [
        ("iss", json!("Mallory"), Verdict::Mismatch, "issued by"),
        ("iss", Value::Null, Verdict::Mismatch, "issued by"),
        ("api_key", json!("other"), Verdict::Mismatch, "api_key"),
        ("api_key", Value::Null, Verdict::Mismatch, "api_key"),
        (
            "application_id",
            json!("other"),
            Verdict::Mismatch,
            "application_id",
        ),
        ("application_id", Value::Null, Verdict::Authentic, ""),
        (
            "payload_hash",
            json!(other_hash),
            Verdict::Mismatch,
            "payload_hash",
        ),
        (
            "payload_hash",
            json!(&other_hash[..32]),
            Verdict::Mismatch,
            "payload_hash",
        ),
        (
            "payload_hash",
            json!("xyz"),
            Verdict::Mismatch,
            "payload_hash",
        ),
        (
            "payload_hash",
            Value::Null,
            Verdict::Mismatch,
            "payload_hash",
        ),
        ("iat", json!(now_s - 300), Verdict::Authentic, ""),
        ("iat", json!(now_s + 300), Verdict::Authentic, ""),
        ("iat", json!(now_s - 301), Verdict::Expired, "tolerance_s"),
        ("iat", json!(now_s + 301), Verdict::Expired, "tolerance_s"),
        ("iat", json!(i64::MAX), Verdict::Mismatch, "out of range"),
        ("iat", json!("soon"), Verdict::Mismatch, "usable time"),
        ("iat", Value::Null, Verdict::Mismatch, "usable time"),
        ("exp", json!(now_s), Verdict::Authentic, ""),
        ("exp", json!(now_s - 1), Verdict::Expired, "expired"),
        ("jti", Value::Null, Verdict::Authentic, ""),
    ];
    for (claim, value, want, words) in rows {
        let changed = with(claims(BODY), &json!({ claim: value }));
        let (found, reason) = verdict(&hs256(SECRET, &header(), &changed));
        assert_eq!(found, want, "{claim} {value}: {reason}");
        assert!(reason.contains(words), "{claim} {value}: {reason}");
    }
}

/// The header never picks the method: neither `none` nor a public key's.
#[test]
fn only_hs256_counts() {
    for alg in [
        json!("none"),
        json!("RS256"),
        json!("HS512"),
        json!("hs256"),
        Value::Null,
    ] {
        let header = json!({"alg": alg, "typ": "JWT"});
        let (found, reason) = verdict(&hs256(SECRET, &header, &claims(BODY)));
        assert_eq!(found, Verdict::Mismatch, "{alg}");
        assert!(reason.contains("HS256"), "{reason}");
    }
    let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let bare = format!("{}.{}.", part(&json!({"alg": "none"})), part(&claims(BODY)));
    assert_eq!(verdict(&bare).0, Verdict::Mismatch);
    let unsigned = format!("{}.{}.", part(&header()), part(&claims(BODY)));
    assert_eq!(verdict(&unsigned).0, Verdict::Mismatch);
}

#[test]
fn damaged_tokens_are_refused() {
    let genuine = hs256(SECRET, &header(), &claims(BODY));
    assert_eq!(verdict(&genuine).0, Verdict::Authentic);
    let other_secret = hs256("another secret", &header(), &claims(BODY));
    let rows = [
        other_secret,
        genuine[..genuine.len() - 10].to_owned(),
        genuine.replacen('.', "", 1),
        format!("{genuine}."),
        format!("{genuine}="),
        format!(".{genuine}"),
        genuine.to_uppercase(),
        "a.b.c".into(),
        "..".into(),
        String::new(),
    ];
    for token in rows {
        assert_eq!(verdict(&token).0, Verdict::Mismatch, "{token}");
    }
}

#[test]
fn the_header_is_read_as_http_has_it() {
    let genuine = hs256(SECRET, &header(), &claims(BODY));
    let with_header = |value: Option<String>| {
        let mut request = with_token(BODY, &genuine);
        request.headers.retain(|(name, _)| name != "authorization");
        request
            .headers
            .extend(value.map(|value| ("authorization".into(), value)));
        messages_kit().receive(&request).verdict
    };
    assert_eq!(
        with_header(Some(format!("bearer {genuine}"))),
        Verdict::Authentic
    );
    assert_eq!(
        with_header(Some(format!("Bearer  {genuine} "))),
        Verdict::Authentic
    );
    assert_eq!(with_header(Some(genuine.clone())), Verdict::Mismatch);
    assert_eq!(
        with_header(Some(format!("Basic {genuine}"))),
        Verdict::Mismatch
    );
    assert_eq!(with_header(None), Verdict::Unsigned);
}

#[test]
fn while_a_secret_is_rotated_either_verifies() {
    let list = json!({"signature_secret": ["the-next-secret", SECRET]});
    let kit = Kit::<Vonage>::open(with(messages(), &list));
    for secret in [SECRET, "the-next-secret"] {
        let request = with_token(BODY, &hs256(secret, &header(), &claims(BODY)));
        assert_eq!(kit.receive(&request).verdict, Verdict::Authentic);
    }
}

/// A channel takes the proof of its own API alone: the other one's may be weaker.
#[test]
fn the_other_apis_proof_does_not_count() {
    let of_sms = form(&inbound(&[("text", "Hi")]));
    assert_eq!(messages_kit().receive(&of_sms).verdict, Verdict::Unsigned);
    let of_messages = tokened(&json!({"message_uuid": UUID, "from": "1", "text": "Hi"}));
    assert_eq!(
        super::sms_kit().receive(&of_messages).verdict,
        Verdict::Unsigned
    );
}

#[test]
fn a_changed_or_cut_body_is_refused() {
    let request = tokened(&json!({
        "message_uuid": UUID, "from": "447700900001", "channel": "sms", "text": "Pay 100",
    }));
    messages_kit().tamper(&request);
    let forged = WebhookRequest {
        body: String::from_utf8_lossy(&request.body)
            .replace("100", "900")
            .into(),
        ..request.clone()
    };
    assert_eq!(messages_kit().receive(&forged).verdict, Verdict::Mismatch);
    let cut = WebhookRequest {
        body: request.body[..20].into(),
        ..request
    };
    assert_eq!(messages_kit().receive(&cut).verdict, Verdict::Mismatch);
}
