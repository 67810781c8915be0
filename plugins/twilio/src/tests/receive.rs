//! Which kind of webhook it is, byte-exact texts, and genuine webhooks that can't be read.

use serde_json::json;
use trunkline_plugin_api::{
    Content, Event, InboundMessage, Received, ReportedStatus, StatusReport, Verdict, testkit,
};

use super::{
    ACCOUNT, ADA, HOOK, Pairs, SID, TOKEN, US, authentic, encoded, from_ada, kit, kit_with,
    message, signature, signed, signed_get, twiml, with_signature,
};

/// Text with port, escapes, UTF-8 and a trailing space, signed beforehand.
#[test]
fn a_text_is_kept_byte_for_byte() {
    let text = "Hello & welcome: 50% off? é😀 ";
    let params: Pairs<'_> = &[
        ("ToCountry", "US"),
        ("MessageSid", SID),
        ("SmsSid", SID),
        ("AccountSid", ACCOUNT),
        ("From", ADA),
        ("To", US),
        ("Body", text),
        ("NumMedia", "0"),
        ("NumSegments", "1"),
    ];
    let url = "https://gw.example.com:8443/in/twilio/acme?tenant=a%20b";
    let request = testkit::form(url, &encoded(params));
    let request = with_signature(request, "jybBVNy+3t0nkkVwh1x1AvTphmE=");
    let metadata = json!({"ToCountry": "US", "NumSegments": "1"});
    let want = InboundMessage {
        content: Content::text(text),
        metadata: metadata.as_object().expect("an object").clone(),
        ..from_ada()
    };
    assert_eq!(
        kit().receive(&request),
        authentic(vec![Event::Message(want)])
    );
}

/// A status callback with an empty value, signed beforehand.
#[test]
fn an_empty_value_is_signed_by_its_name() {
    let params: Pairs<'_> = &[
        ("MessageSid", "SM00000000000000000000000000000002"),
        ("MessageStatus", "delivered"),
        ("To", "whatsapp:+15005550101"),
        ("From", "whatsapp:+15005550102"),
        ("AccountSid", ACCOUNT),
        ("EventType", "DELIVERED"),
        ("Empty", ""),
    ];
    let request = testkit::form(HOOK, &encoded(params));
    let request = with_signature(request, "zPNRDamU/rvyKHwxdPxjF8lnve4=");
    let want = StatusReport {
        external_id: "SM00000000000000000000000000000002".into(),
        address: Some("whatsapp:+15005550102".into()),
        reference: None,
        status: ReportedStatus::Delivered,
        code: Some("delivered".into()),
        detail: None,
        error: None,
        at_ms: None,
    };
    assert_eq!(
        kit().receive(&request),
        authentic(vec![Event::Status(want)])
    );
}

/// A GET, signed beforehand: its URL alone is signed. This one names no message.
#[test]
fn a_get_is_signed_by_its_url() {
    let url = format!("{HOOK}?Body=Hi+there&From=%2B15005550101&To=%2B15005550102");
    let mut request = signed_get(&url);
    assert_eq!(request.headers[0].1, "qbJPGK17qRBFZJ+tNS+OFeOXWWI=");
    let received = kit().receive(&request);
    assert_eq!(received, Received::unparsed(twiml(), "no MessageSid"));
    kit().fuzz(&request);
    request.url = url.replace("Hi", "Ho");
    assert_eq!(kit().receive(&request).verdict, Verdict::Mismatch);
}

/// A GET carries the same parameters, and a body that it has is not read.
#[test]
fn a_get_means_the_same() {
    let params = message(&[("Body", "Hi there ✓")]);
    let mut get = signed_get(&format!("{HOOK}?{}", encoded(&params)));
    let post = kit().receive(&signed(HOOK, &params));
    assert_eq!(kit().receive(&get), post);
    get.headers.push((
        "content-type".into(),
        "application/x-www-form-urlencoded".into(),
    ));
    get.body = b"Body=forged".into();
    assert_eq!(kit().receive(&get), post);
    get.url.push_str("#rc=3");
    assert_eq!(kit().receive(&get), post);
}

#[test]
fn texts_survive() {
    for text in [
        "",
        " ",
        "  two  ",
        "\t\n\r\n",
        "+",
        "%2B",
        "a=b&c",
        "😀👩‍👩‍👧",
        "\u{0}",
        "é",
        "e\u{301}",
        "ﷺ",
        "<Response/>",
        "STOP",
    ] {
        let received = kit().receive(&signed(HOOK, &message(&[("Body", text)])));
        let want = InboundMessage {
            content: Content::text(text),
            ..from_ada()
        };
        assert_eq!(received, authentic(vec![Event::Message(want)]), "{text:?}");
    }
}

#[test]
fn the_older_names_of_the_sid_count() {
    for name in ["MessageSid", "SmsMessageSid", "SmsSid"] {
        let params: Pairs<'_> = &[(name, SID), ("From", ADA), ("To", US)];
        let received = kit().receive(&signed(HOOK, params));
        let want = authentic(vec![Event::Message(from_ada())]);
        assert_eq!(received, want, "{name}");
    }
}

/// Genuine, kept for a replay, and answered as if it had been read: Twilio would only repeat it.
#[test]
fn what_can_not_be_read_is_kept() {
    let long = "S".repeat(35);
    let rows: [(&str, Pairs<'_>, &str); 6] = [
        ("no id", &[("From", ADA), ("Body", "Hi")], "no MessageSid"),
        (
            "empty id",
            &[("MessageSid", ""), ("From", ADA)],
            "no MessageSid",
        ),
        (
            "long id",
            &[("MessageSid", &long), ("From", ADA)],
            "MessageSid is longer than 34 bytes",
        ),
        ("nobody", &[("MessageSid", SID), ("Body", "Hi")], "no From"),
        (
            "empty From",
            &[("MessageSid", SID), ("From", "")],
            "no From",
        ),
        (
            "bare prefix",
            &[("MessageSid", SID), ("From", "whatsapp:")],
            "no From",
        ),
    ];
    for (what, params, why) in rows {
        let received = kit().receive(&signed(HOOK, params));
        assert_eq!(received, Received::unparsed(twiml(), why), "{what}");
    }
    let received = kit().receive(&signed(HOOK, &[]));
    assert_eq!(received, Received::unparsed(twiml(), "no MessageSid"));
}

/// A webhook that somebody has seen, its SID with the next parameter in it: to the signature the same.
#[test]
fn a_seen_webhook_gets_no_new_id() {
    let seen: Pairs<'_> = &[("From", ADA), ("MessageSid", SID), ("NumMedia", "0")];
    let proof = signature(TOKEN, HOOK, seen);
    let longer = format!("{SID}NumMedia0");
    let changed: Pairs<'_> = &[("From", ADA), ("MessageSid", &longer)];
    assert_eq!(signature(TOKEN, HOOK, changed), proof);
    let request = with_signature(testkit::form(HOOK, &encoded(changed)), &proof);
    let received = kit().receive(&request);
    let why = "MessageSid is longer than 34 bytes";
    assert_eq!(received, Received::unparsed(twiml(), why));
}

/// JSON that is genuine but broken, or nested beyond reason.
#[test]
fn broken_json_is_kept() {
    for body in ["{", "", &"[".repeat(10_000)] {
        let hash = trunkline_plugin_api::sign::sha256(body.as_bytes());
        let hash = trunkline_plugin_api::sign::hex(&hash);
        let url = format!("{HOOK}?bodySHA256={hash}");
        let request = testkit::post(&url, "application/json", body);
        let request = with_signature(request, &signature(TOKEN, &url, &[]));
        let received = kit().receive(&request);
        assert_eq!(received.verdict, Verdict::Authentic);
        assert_eq!(received.response, twiml());
        let why = received.unparsed.expect("it can't be read");
        assert!(why.starts_with("JSON: "), "{why}");
    }
}

/// The channel's own sender does not matter to what comes in.
#[test]
fn a_send_half_is_not_needed() {
    let request = signed(HOOK, &message(&[("Body", "Hi")]));
    let inbound_only = kit_with(&json!({"from": null, "account_sid": null}));
    assert_eq!(inbound_only.receive(&request), kit().receive(&request));
    assert!(!inbound_only.facts.can_send);
}
