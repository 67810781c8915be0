//! Messages that come in by the SMS API.

use serde_json::json;
use trunkline_plugin_api::{
    Content, Event, Identity, InboundMessage, Received, Verdict,
    testkit::{self, Fixtures, Inbound},
};

use super::{ID, Pairs, authentic, form, from_ada, get, inbound, json_body, ok, sms, sms_kit};
use crate::Vonage;

fn message(message: InboundMessage) -> Received {
    authentic(Event::Message(message))
}

#[test]
fn the_table() {
    let text = inbound(&[("text", "Hello there & more = 😀 "), ("keyword", "HELLO")]);
    let want_text = message(InboundMessage {
        content: Content::text("Hello there & more = 😀 "),
        ..from_ada(&json!({"type": "text", "keyword": "HELLO"}))
    });
    let part = inbound(&[
        ("text", "the second half"),
        ("type", "unicode"),
        ("concat", "true"),
        ("concat-ref", "108"),
        ("concat-total", "3"),
        ("concat-part", "2"),
    ]);
    let want_part = message(InboundMessage {
        content: Content::text("the second half"),
        ..from_ada(&json!({
            "type": "unicode", "concat": "true", "concat-ref": "108", "concat-total": 3,
            "concat-part": 2,
        }))
    });
    let binary = inbound(&[
        ("type", "binary"),
        ("data", "0011FFEE"),
        ("udh", "050003120301"),
    ]);
    let want_binary = message(from_ada(
        &json!({"type": "binary", "data": "0011FFEE", "udh": "050003120301"}),
    ));
    let rows = [
        ("text as a form", form(&text), want_text.clone()),
        ("text as JSON", json_body(&text), want_text.clone()),
        ("text by GET", get(&text), want_text),
        ("a part as a form", form(&part), want_part.clone()),
        ("a part by GET", get(&part), want_part),
        ("binary as JSON", json_body(&binary), want_binary.clone()),
        ("binary as a form", form(&binary), want_binary),
    ];
    let rows = rows.map(|(name, request, want)| Inbound {
        name,
        request,
        want,
    });
    let fixtures = Fixtures {
        inbound: rows.into(),
        ..Fixtures::default()
    };
    testkit::check::<Vonage>(sms(), &fixtures);
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
        "👩‍👩‍👧",
        "\u{0}",
        "e\u{301}",
        "STOP",
    ] {
        let params = inbound(&[("text", text)]);
        let want = message(InboundMessage {
            content: Content::text(text),
            ..from_ada(&json!({"type": "text"}))
        });
        for request in [form(&params), get(&params), json_body(&params)] {
            assert_eq!(sms_kit().receive(&request), want, "{text:?}");
        }
    }
}

/// Only numbers get a `+`: short codes and names stay as they are.
#[test]
fn senders() {
    let rows = [
        ("447700900001", "+447700900001"),
        ("15550100", "+15550100"),
        ("12345", "12345"),
        ("123456", "123456"),
        ("Acme", "Acme"),
        ("+447700900001", "+447700900001"),
        ("00447700900001", "00447700900001"),
    ];
    for (msisdn, identifier) in rows {
        let params = inbound(&[("text", "Hi"), ("msisdn", msisdn)]);
        let received = sms_kit().receive(&form(&params));
        let [Event::Message(message)] = received.events.as_slice() else {
            panic!("{received:?}");
        };
        let want = Identity::new("phone", identifier);
        assert_eq!(message.sender.identity, want);
    }
}

/// Genuine, kept for a replay, and answered as if it had been read: Vonage would only repeat it.
#[test]
fn what_can_not_be_read_is_kept() {
    let long = "A".repeat(129);
    let rows: [(Pairs<'_>, &str); 5] = [
        (
            &[("msisdn", "447700900001"), ("text", "Hi")],
            "no messageId",
        ),
        (
            &[("messageId", ""), ("msisdn", "1"), ("text", "Hi")],
            "no messageId",
        ),
        (
            &[("messageId", &long), ("text", "Hi")],
            "messageId is longer than 128 bytes",
        ),
        (&[("messageId", ID), ("text", "Hi")], "no msisdn"),
        (
            &[("messageId", ID), ("msisdn", "447700900001")],
            "neither text nor data",
        ),
    ];
    for (params, why) in rows {
        let received = sms_kit().receive(&form(params));
        assert_eq!(received, Received::unparsed(ok(), why));
    }
}

/// The query of a webhook's URL is no part of a POST.
#[test]
fn a_query_beside_a_form_is_not_read() {
    let mut request = form(&inbound(&[("text", "Hi")]));
    let plain = sms_kit().receive(&request);
    request.url.push_str("?text=Ho&messageId=2");
    assert_eq!(sms_kit().receive(&request), plain);
    let mut request = get(&inbound(&[("text", "Hi")]));
    request.body = b"text=Ho".into();
    assert_eq!(sms_kit().receive(&request), plain);
    request.url.push_str("&text=Ho");
    assert_eq!(sms_kit().receive(&request).verdict, Verdict::Mismatch);
}
