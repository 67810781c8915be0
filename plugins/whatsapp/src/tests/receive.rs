//! Which webhooks are genuine, and how batches are walked.

use serde_json::json;
use trunkline_plugin_api::{
    Content, Event, InboundMessage, Received, Response, Sender, Verdict, WebhookRequest,
    testkit::{self, Fixtures, Inbound},
};

use super::*;

fn verdict(request: &WebhookRequest) -> (Verdict, u16) {
    let received = kit().receive(request);
    assert!(received.events.is_empty(), "{received:?}");
    (received.verdict, received.response.status)
}

fn get_hook(query: &str) -> WebhookRequest {
    WebhookRequest {
        method: "GET".into(),
        url: format!("{HOOK}?{query}"),
        ..WebhookRequest::default()
    }
}

/// The published and computed vectors of the signature.
#[test]
fn signatures_are_those_of_meta() {
    let table = [
        (
            r#"{"object":"whatsapp_business_account","entry":[]}"#,
            "6c957c4f986b25135337b7da0baf9a0341f32c395dec049e0fe15c294df2842b",
        ),
        (
            r#"{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":{"messaging_product":"whatsapp","messages":[{"text":{"body":"caf\u00e9 \/ \ud83d\ude00"}}]}}]}]}"#,
            "8ddfbc5609d93cdb8039e922af3adea7b9b147ed00d0281b4b7079d4b85922dc",
        ),
    ];
    for (body, signature) in table {
        let mut request = testkit::post(HOOK, "application/json", body);
        let header = format!("sha256={signature}");
        request.headers.push(("x-hub-signature-256".into(), header));
        assert_eq!(
            kit().receive(&request).verdict,
            Verdict::Authentic,
            "{body}"
        );
    }
    let mac = sign::hmac_sha256(b"secret", b"test");
    let published = "0329a06b62cd16b33eb6792be8c60b158d89a2ee3a876fce9a881ebb488c0914";
    assert_eq!(sign::hex(&mac), published);
}

#[test]
fn what_is_not_signed_is_refused() {
    let body = r#"{"object":"whatsapp_business_account","entry":[]}"#;
    let unsigned = testkit::post(HOOK, "application/json", body);
    assert_eq!(verdict(&unsigned), (Verdict::Unsigned, 401));
    let other = signed_with("another-app-secret", body);
    assert_eq!(verdict(&other), (Verdict::Mismatch, 403));
    for header in ["", "sha256=", "sha256=00", "sha1=00", &"0".repeat(64)] {
        let mut request = unsigned.clone();
        request
            .headers
            .push(("x-hub-signature-256".into(), header.into()));
        assert_eq!(verdict(&request), (Verdict::Mismatch, 403), "{header:?}");
    }
    let none = kit_with(&json!({"app_secret": null})).receive(&signed(body));
    assert_eq!(
        (none.verdict, none.response.status),
        (Verdict::NoSecret, 404)
    );
    let rotated = kit_with(&json!({"app_secret": ["a-new-secret", APP_SECRET]}));
    assert_eq!(rotated.receive(&signed(body)).verdict, Verdict::Authentic);
}

#[test]
fn the_challenge_is_answered_to_who_knows_the_token() {
    let right = get_hook(
        "hub.mode=subscribe&hub.challenge=11%2058+x&hub.verify_token=verify-token-example",
    );
    let received = kit().receive(&right);
    assert_eq!(received.verdict, Verdict::Challenge);
    assert_eq!(
        received.response,
        Response::with_body(200, "text/plain", "11 58 x")
    );
    for (query, want) in [
        (
            "hub.mode=subscribe&hub.challenge=1&hub.verify_token=wrong",
            Verdict::Mismatch,
        ),
        (
            "hub.mode=unsubscribe&hub.challenge=1&hub.verify_token=verify-token-example",
            Verdict::Mismatch,
        ),
        (
            "hub.challenge=1&hub.verify_token=verify-token-example",
            Verdict::Mismatch,
        ),
        ("hub.mode=subscribe&hub.challenge=1", Verdict::Unsigned),
        ("", Verdict::Unsigned),
    ] {
        assert_eq!(verdict(&get_hook(query)), (want, 403), "{query}");
    }
    let none = kit_with(&json!({"verify_token": null}));
    assert!(!none.facts.accepts_get);
    assert_eq!(none.receive(&right).response.status, 403);
    let rotated = kit_with(&json!({"verify_token": ["a-new-token", VERIFY_TOKEN]}));
    assert_eq!(rotated.receive(&right).verdict, Verdict::Challenge);
}

/// A verified payload is never refused, whatever is in it.
#[test]
fn genuine_nonsense_is_kept() {
    for body in ["", "nonsense", "[]", "{}", "{\"object\":7}", "\u{0}"] {
        let received = kit().receive(&signed(body));
        assert_eq!(
            (received.verdict, received.response.status),
            (Verdict::Authentic, 200),
            "{body:?}"
        );
        assert!(
            received.unparsed.is_some() && received.events.is_empty(),
            "{body:?}"
        );
    }
    let odd = [
        r#"{"object":"whatsapp_business_account"}"#,
        r#"{"object":"whatsapp_business_account","entry":{"id":1}}"#,
        r#"{"object":"whatsapp_business_account","entry":[null,7,{"changes":[null,{"field":"messages"},{"field":"messages","value":{"messages":7,"statuses":{},"contacts":[7]}}]}]}"#,
    ];
    for body in odd {
        let received = kit().receive(&signed(body));
        assert_eq!(received.verdict, Verdict::Authentic, "{body}");
        assert!(received.unparsed.is_none(), "{body}");
        assert!(
            received
                .events
                .iter()
                .all(|event| matches!(event, Event::Note(_))),
            "{received:?}"
        );
    }
    let page = kit().receive(&signed(r#"{"object":"page","entry":[]}"#));
    assert!(matches!(page.events.as_slice(), [Event::Note(note)] if note.kind == "page"));
}

fn part(number: &str, texts: &[(&str, &str, &str)]) -> Value {
    let contacts: Vec<Value> = texts
        .iter()
        .map(|(_, from, _)| json!({"profile": {"name": format!("P{from}")}, "wa_id": from}))
        .collect();
    let messages: Vec<Value> = texts
        .iter()
        .map(|(id, from, text)| {
            json!({"from": from, "id": id, "timestamp": AT, "type": "text", "text": {"body": text}})
        })
        .collect();
    json!({"field": "messages", "value": {
        "messaging_product": "whatsapp", "contacts": contacts, "messages": messages,
        "metadata": {"phone_number_id": number},
    }})
}

/// Two accounts, three changes, two numbers: each message keeps its own number and name.
#[test]
fn batches_are_walked_at_every_level() {
    let payload = json!({"object": "whatsapp_business_account", "entry": [
        {"id": "1", "changes": [
            part("77", &[("a", "1555", "one"), ("b", "1556", "two")]),
            part("88", &[("c", "1555", "three")]),
        ]},
        {"id": "2", "changes": [part("77", &[("d", "1557", "four")])]},
    ]});
    let want = |id: &str, number: &str, from: &str, text: &str| {
        Event::Message(InboundMessage {
            id: id.into(),
            address: Some(number.into()),
            sender: Sender {
                identity: person(&format!("+{from}")),
                name: Some(format!("P{from}")),
                ..Sender::default()
            },
            content: Content::text(text),
            sent_at_ms: Some(AT_MS),
            ..InboundMessage::default()
        })
    };
    let rows = vec![
        Inbound {
            name: "batch",
            request: signed(&payload.to_string()),
            want: authentic(vec![
                want("a", "77", "1555", "one"),
                want("b", "77", "1556", "two"),
                want("c", "88", "1555", "three"),
                want("d", "77", "1557", "four"),
            ]),
        },
        Inbound {
            name: "forged",
            request: signed_with("not-the-secret", &payload.to_string()),
            want: Received::refused(
                Verdict::Mismatch,
                403,
                "X-Hub-Signature-256 does not match the body: check app_secret",
            ),
        },
    ];
    let fixtures = Fixtures {
        inbound: rows,
        ..Fixtures::default()
    };
    testkit::check::<WhatsApp>(config(), &fixtures);
}
