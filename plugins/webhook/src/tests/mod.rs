//! The adapter against tables, published vectors and hostile input.

mod folder;
mod hostile;
mod inbound;
mod outbound;
mod proofs;
mod reports;
mod settings;

use serde_json::{Value, json};
use trunkline_plugin_api::{
    Event, Identity, InboundMessage, Received, Sender, WebhookRequest, sign,
    testkit::{self, Kit, NOW_MS},
};

use crate::Webhook;

/// 32 bytes, 00 to 1f.
const WHSEC: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const OTHER_WHSEC: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const SECRET: &str = "a shared secret of the tests";
const HUB_SECRET: &str = "gh-secret-example";
const URL: &str = "https://hooks.example.org/webhooks/site/token";

fn kit(config: Value) -> Kit<Webhook> {
    Kit::open(config)
}

fn request(body: impl Into<Vec<u8>>) -> WebhookRequest {
    testkit::post(URL, "application/json", body)
}

fn with(mut request: WebhookRequest, name: &str, value: impl Into<String>) -> WebhookRequest {
    request.headers.push((name.into(), value.into()));
    request
}

fn with_secret(body: impl Into<Vec<u8>>) -> WebhookRequest {
    with(request(body), "x-webhook-secret", SECRET)
}

fn hub(body: &[u8]) -> String {
    let mac = sign::hmac_sha256(HUB_SECRET.as_bytes(), body);
    format!("sha256={}", sign::hex(&mac))
}

/// `v1,base64` under [`WHSEC`] or another secret.
fn v1(secret: &str, id: &str, time_s: i64, body: &[u8]) -> String {
    let key = sign::from_base64(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let signed = [format!("{id}.{time_s}.").as_bytes(), body].concat();
    format!("v1,{}", sign::base64(&sign::hmac_sha256(&key, &signed)))
}

/// Signed under [`WHSEC`], `off_s` seconds from the time of the request.
fn signed(family: &str, id: &str, off_s: i64, body: &str) -> WebhookRequest {
    let time_s = NOW_MS / 1_000 + off_s;
    let request = with(request(body), &format!("{family}-id"), id);
    let request = with(request, &format!("{family}-timestamp"), time_s.to_string());
    let signature = v1(WHSEC, id, time_s, body.as_bytes());
    with(request, &format!("{family}-signature"), signature)
}

fn text(id: &str, from: &str, text: &str) -> Event {
    Event::Message(InboundMessage {
        id: id.into(),
        sender: Sender {
            identity: Identity::new("webhook", from),
            ..Sender::default()
        },
        content: trunkline_plugin_api::Content::text(text),
        ..InboundMessage::default()
    })
}

fn accepted(events: Vec<Event>) -> Received {
    let body = json!({"status": "accepted"}).to_string();
    let response = trunkline_plugin_api::Response::with_body(200, "application/json", body);
    Received::authentic(response, events)
}

/// Ids of the messages in a result.
fn ids(received: &Received) -> Vec<&str> {
    let messages = received.events.iter().filter_map(|event| match event {
        Event::Message(message) => Some(message.id.as_str()),
        _ => None,
    });
    messages.collect()
}

fn receive(config: Value, body: &Value) -> Received {
    kit(config).receive(&with_secret(body.to_string()))
}

fn read(body: &Value) -> Received {
    receive(json!({"secret": SECRET}), body)
}

/// Why a genuine webhook could not be read; it is answered as if it had been.
fn fault(received: &Received) -> &str {
    assert_eq!(received.response.status, 200);
    assert!(received.events.is_empty());
    received.unparsed.as_deref().expect("unparsed")
}
