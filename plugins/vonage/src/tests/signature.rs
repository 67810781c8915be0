//! What is not genuine on the SMS API, and why.

use serde_json::{Value, json};
use trunkline_plugin_api::{
    Verdict, WebhookRequest, sign,
    testkit::{self, Kit, NOW_MS},
};

use super::{
    HOOK, KEY, SECRET, encoded, form, get, inbound, json_body, now_s, signed_params, signed_text,
    sms, sms_kit, with,
};
use crate::{Vonage, sms::Method};

fn refused(request: &WebhookRequest) -> (Verdict, String) {
    let received = sms_kit().receive(request);
    assert_eq!(received.response.status, 401);
    assert_eq!(received.events, []);
    (received.verdict, received.reason.expect("a reason"))
}

#[test]
fn every_form_of_every_method_is_genuine() {
    let params = inbound(&[("text", "Grüße & mehr = 50% 😀 ")]);
    let methods = [
        ("md5hash", Method::Md5hash),
        ("md5", Method::Md5),
        ("sha1", Method::Sha1),
        ("sha256", Method::Sha256),
        ("sha512", Method::Sha512),
    ];
    for (name, method) in methods {
        let kit = Kit::<Vonage>::open(with(sms(), &json!({"signature_method": name})));
        let pairs = signed_params(method, &params);
        let query = encoded(&pairs);
        let object: serde_json::Map<String, Value> = pairs
            .into_iter()
            .map(|(name, value)| (name, value.into()))
            .collect();
        let by_form = testkit::form(HOOK, &query);
        let by_json = testkit::post(HOOK, "application/json", Value::from(object).to_string());
        let by_get = WebhookRequest {
            method: "GET".into(),
            url: format!("{HOOK}?{query}"),
            received_at_ms: NOW_MS,
            ..WebhookRequest::default()
        };
        let first = kit.receive(&by_form);
        assert_eq!(first.verdict, Verdict::Authentic, "{name}: {first:?}");
        for request in [&by_json, &by_get] {
            assert_eq!(kit.receive(request), first, "{name}");
        }
        for (other, _) in methods.iter().filter(|(other, _)| *other != name) {
            let kit = Kit::<Vonage>::open(with(sms(), &json!({"signature_method": other})));
            assert_eq!(kit.receive(&by_form).verdict, Verdict::Mismatch, "{other}");
        }
    }
}

/// The default is Vonage's default.
#[test]
fn the_method_is_md5hash_where_none_is_set() {
    let kit = Kit::<Vonage>::open(with(sms(), &json!({"signature_method": null})));
    let query = encoded(&signed_params(Method::Md5hash, &inbound(&[("text", "Hi")])));
    let received = kit.receive(&testkit::form(HOOK, &query));
    assert_eq!(received.verdict, Verdict::Authentic);
}

#[test]
fn while_a_secret_is_rotated_either_verifies() {
    let list = json!({"signature_secret": ["the-next-secret", SECRET]});
    let kit = Kit::<Vonage>::open(with(sms(), &list));
    let request = form(&inbound(&[("text", "Hi")]));
    assert_eq!(kit.receive(&request).verdict, Verdict::Authentic);
    let only_next = with(sms(), &json!({"signature_secret": "the-next-secret"}));
    let kit = Kit::<Vonage>::open(only_next);
    assert_eq!(kit.receive(&request).verdict, Verdict::Mismatch);
}

#[test]
fn what_is_missing_or_wrong_is_refused() {
    let genuine = encoded(&signed_params(Method::Sha256, &inbound(&[("text", "Hi")])));
    let (unsigned, sig) = genuine.rsplit_once("&sig=").expect("a signature");
    let rows = [
        (
            unsigned.to_owned(),
            Verdict::Unsigned,
            "sig parameter is missing",
        ),
        (
            format!("{unsigned}&sig="),
            Verdict::Mismatch,
            "sig does not match",
        ),
        (
            format!("{unsigned}&sig=xyz"),
            Verdict::Mismatch,
            "not hexadecimal",
        ),
        (
            format!("{unsigned}&sig={}", &sig[..32]),
            Verdict::Mismatch,
            "sig does not match",
        ),
        (
            format!("{unsigned}&sig={sig}00"),
            Verdict::Mismatch,
            "sig does not match",
        ),
        (
            genuine.replace("text=Hi", "text=Ho"),
            Verdict::Mismatch,
            "sig does not match",
        ),
        (
            format!("{genuine}&more=1"),
            Verdict::Mismatch,
            "sig does not match",
        ),
        (
            format!("{genuine}&text=Ho"),
            Verdict::Mismatch,
            "comes twice",
        ),
        (String::new(), Verdict::Unsigned, "sig parameter is missing"),
    ];
    for (body, verdict, words) in rows {
        let (found, reason) = refused(&testkit::form(HOOK, &body));
        assert_eq!(found, verdict, "{body}");
        assert!(reason.contains(words), "{body}: {reason}");
    }
}

/// `&a=1&b=2` is also what one parameter named `a=1&b` would give: a message could lose its text.
#[test]
fn parameters_can_not_be_merged() {
    let params = inbound(&[("text", "Hi")]);
    let genuine = encoded(&signed_params(Method::Sha256, &params));
    assert_eq!(
        sms_kit().receive(&testkit::form(HOOK, &genuine)).verdict,
        Verdict::Authentic
    );
    let merged = genuine.replace("&text=Hi", "").replace(
        &format!("timestamp={}", now_s()),
        &format!("text%3DHi%26timestamp={}", now_s()),
    );
    assert_ne!(merged, genuine);
    let (verdict, reason) = refused(&testkit::form(HOOK, &merged));
    assert_eq!(verdict, Verdict::Mismatch);
    assert!(reason.contains("name holds"), "{reason}");
}

#[test]
fn an_old_or_future_time_is_expired() {
    for (shift_s, genuine) in [
        (-300, true),
        (300, true),
        (-301, false),
        (301, false),
        (-86_400, false),
    ] {
        let signed_s = (NOW_MS / 1_000 + shift_s).to_string();
        let params = inbound(&[("text", "Hi"), ("timestamp", &signed_s)]);
        for request in [form(&params), get(&params), json_body(&params)] {
            let verdict = sms_kit().receive(&request).verdict;
            let want = if genuine {
                Verdict::Authentic
            } else {
                Verdict::Expired
            };
            assert_eq!(verdict, want, "{shift_s}");
        }
    }
    let kit = Kit::<Vonage>::open(with(sms(), &json!({"tolerance_s": 86_400})));
    let yesterday = (NOW_MS / 1_000 - 86_400).to_string();
    let request = form(&inbound(&[("text", "Hi"), ("timestamp", &yesterday)]));
    assert_eq!(kit.receive(&request).verdict, Verdict::Authentic);
}

/// Without a time that it covers, a signature could be used for ever.
#[test]
fn a_signature_needs_a_time() {
    for time in [
        "",
        "soon",
        "2026-01-01 00:00:00",
        "99999999999999999999",
        "9223372036854775807",
    ] {
        let params = inbound(&[("text", "Hi"), ("timestamp", time)]);
        let (verdict, _) = refused(&form(&params));
        assert_eq!(verdict, Verdict::Mismatch, "{time}");
    }
    let params = inbound(&[("text", "Hi")]);
    let sig = sign::hex(&Method::Sha256.sign(SECRET, &signed_text(&params)));
    let mut pairs: Vec<_> = params
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    pairs.push(("sig".into(), sig));
    let (verdict, _) = refused(&testkit::form(HOOK, &encoded(&pairs)));
    assert_eq!(verdict, Verdict::Mismatch);
}

#[test]
fn another_account_is_not_ours() {
    let (verdict, reason) = refused(&form(&inbound(&[("text", "Hi"), ("api-key", "other")])));
    assert_eq!(verdict, Verdict::Mismatch);
    assert!(reason.contains("api-key"), "{reason}");
    let unnamed = Kit::<Vonage>::open(with(sms(), &json!({"api_key": null, "api_secret": null})));
    let request = form(&inbound(&[("text", "Hi"), ("api-key", "other")]));
    assert_eq!(unnamed.receive(&request).verdict, Verdict::Authentic);
    assert_eq!(sms()["api_key"], KEY);
}

#[test]
fn bodies_that_no_signature_covers_are_refused() {
    let genuine = encoded(&signed_params(Method::Sha256, &inbound(&[("text", "Hi")])));
    let rows = [
        ("text/plain", genuine.clone()),
        ("multipart/form-data; boundary=x", genuine),
        ("application/json", "[]".into()),
        ("application/json", "{".into()),
        ("application/json", "[".repeat(10_000)),
        ("application/json", r#"{"sig":"00","text":{"a":1}}"#.into()),
    ];
    for (content_type, body) in rows {
        let (verdict, _) = refused(&testkit::post(HOOK, content_type, body));
        assert_eq!(verdict, Verdict::Mismatch, "{content_type}");
    }
}

/// Numbers and booleans count as they are written.
#[test]
fn plain_json_values_are_signed_as_text() {
    let text = format!(
        "&concat=true&empty=&messageId=1&msisdn=447700900001&text=7&timestamp={}",
        now_s()
    );
    let sig = sign::hex(&Method::Sha256.sign(SECRET, &text));
    let body = json!({
        "concat": true, "empty": null, "messageId": "1", "msisdn": 447_700_900_001_u64, "text": 7,
        "timestamp": NOW_MS / 1_000, "sig": sig,
    });
    let received = sms_kit().receive(&testkit::post(HOOK, "application/json", body.to_string()));
    assert_eq!(received.verdict, Verdict::Authentic, "{received:?}");
}

#[test]
fn without_a_secret_nothing_is_genuine() {
    for config in [
        json!({}),
        json!({"signature_secret": []}),
        json!({"api": "messages"}),
    ] {
        let received = Kit::<Vonage>::open(config).receive(&form(&inbound(&[("text", "Hi")])));
        assert_eq!(received.verdict, Verdict::NoSecret);
        assert_eq!(received.response.status, 404);
    }
}
