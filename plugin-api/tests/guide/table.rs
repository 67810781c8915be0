//! An adapter's tests: a table of webhooks and messages, and the cases of `fixtures/`.

use serde_json::json;
use trunkline_plugin_api::{
    prelude::*,
    sign,
    testkit::{self, Exchange, Fixtures, Inbound, Kit, Tampering},
};

use super::acme::Acme;

fn a_text() -> WebhookRequest {
    let body = r#"{"id":"m1","from":"+15550111","text":"Hello"}"#;
    let mut request = testkit::post("https://hooks.example.org/", "application/json", body);
    let mac = sign::hex(&sign::hmac_sha256(b"made-up-token", body.as_bytes()));
    request.headers.push(("x-acme-signature".into(), mac));
    request
}

#[test]
fn the_table_holds() {
    let config = json!({"token": "made-up-token", "api_base": "https://api.acme.example"});
    let person = Identity::new("phone", "+15550111");
    let event = Event::Message(InboundMessage::text("m1", person, "Hello"));
    let call = HttpRequest::new("POST", "https://api.acme.example/messages")
        .bearer(&Secret::new("made-up-token"));
    let message = testkit::message("phone", "+15550111", "Hello back");
    let body = json!({"to": "+15550111", "text": "Hello back", "reference": message.id});
    testkit::check::<Acme>(
        config.clone(),
        &Fixtures {
            inbound: vec![Inbound {
                name: "a text",
                request: a_text(),
                want: Received::authentic(Response::status(200), vec![event]),
            }],
            sends: vec![Exchange {
                name: "taken",
                message: message.clone(),
                replies: vec![testkit::json_reply(201, &json!({"id": "a1"}))],
                requests: vec![Request::Http(call.json(&body))],
                outcome: Ok(Receipt::new("a1")),
            }],
            tampering: Tampering::Refused,
        },
    );
    // Single steps, for everything else: here a restart between the call and its reply.
    let run = Kit::<Acme>::open(config).send_from(&message, json!("asked"), []);
    assert_eq!(run.outcome, Err(AdapterError::unknown_outcome()));
}
