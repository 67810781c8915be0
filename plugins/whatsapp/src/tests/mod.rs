//! Tests of the adapter: what comes in, what goes out, and what either means. Everything runs
//! through the test kit, so each call is also checked to be pure and to keep its secrets.

mod account;
mod config;
mod errors;
mod folder;
mod kinds;
mod media;
mod probe;
mod property;
mod receive;
mod refused;
mod send;
mod senders;
mod status;
mod templates;
mod upload;

use serde_json::{Value, json};
use trunkline_plugin_api::{
    Event, HttpRequest, Identity, InboundMessage, Received, Response, Sender, WebhookRequest, sign,
    testkit::{self, Kit},
};

use crate::WhatsApp;

const NUMBER: &str = "1000000000001";
const ACCOUNT: &str = "2000000000002";
const APP_SECRET: &str = "app-secret-example";
const TOKEN: &str = "EAAtoken-of-a-system-user";
const BEARER: &str = "Bearer EAAtoken-of-a-system-user";
const VERIFY_TOKEN: &str = "verify-token-example";
const HOOK: &str = "https://gw.example.com/webhooks/wa/token";
const GRAPH: &str = "https://graph.facebook.com/v25.0";

const ADA: &str = "+15005550101";
const ADA_ID: &str = "US.1234567890";
const WAMID: &str = "wamid.AAA=";
/// 2026-01-01T12:00:00Z, in seconds as Meta writes it and in milliseconds.
const AT: &str = "1767268800";
const AT_MS: i64 = 1_767_268_800_000;

/// A channel that can do everything.
fn config() -> Value {
    json!({
        "phone_number_id": NUMBER,
        "waba_id": ACCOUNT,
        "app_secret": APP_SECRET,
        "access_token": TOKEN,
        "verify_token": VERIFY_TOKEN,
    })
}

/// [`config`] with some keys set anew; null removes one.
fn config_with(changes: &Value) -> Value {
    let mut config = config();
    let keys = config.as_object_mut().expect("an object");
    for (key, value) in changes.as_object().expect("an object") {
        if value.is_null() {
            keys.remove(key);
        } else {
            keys.insert(key.clone(), value.clone());
        }
    }
    config
}

fn kit() -> Kit<WhatsApp> {
    Kit::open(config())
}

fn kit_with(changes: &Value) -> Kit<WhatsApp> {
    Kit::open(config_with(changes))
}

/// A genuine webhook with this body.
fn signed(body: &str) -> WebhookRequest {
    signed_with(APP_SECRET, body)
}

fn signed_with(secret: &str, body: &str) -> WebhookRequest {
    let mac = sign::hmac_sha256(secret.as_bytes(), body.as_bytes());
    let mut request = testkit::post(HOOK, "application/json", body);
    let signature = format!("sha256={}", sign::hex(&mac));
    request
        .headers
        .push(("x-hub-signature-256".into(), signature));
    request
}

/// A genuine webhook with one change.
fn change(field: &str, value: &Value) -> WebhookRequest {
    let payload = json!({
        "object": "whatsapp_business_account",
        "entry": [{"id": ACCOUNT, "changes": [{"field": field, "value": value}]}],
    });
    signed(&payload.to_string())
}

/// What every change about a number has.
fn value() -> Value {
    json!({
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15005550102", "phone_number_id": NUMBER},
    })
}

/// A genuine webhook with one message of Ada's, of any kind: its `type` and further members.
fn message(members: &Value) -> WebhookRequest {
    let mut message = json!({"from": "15005550101", "id": WAMID, "timestamp": AT});
    for (name, value) in members.as_object().expect("an object") {
        message[name.as_str()] = value.clone();
    }
    let mut value = value();
    value["contacts"] = json!([{"profile": {"name": "Ada"}, "wa_id": "15005550101"}]);
    value["messages"] = json!([message]);
    change("messages", &value)
}

fn authentic(events: Vec<Event>) -> Received {
    Received::authentic(Response::status(200), events)
}

/// The one event of a webhook.
fn only(request: &WebhookRequest) -> Event {
    let received = kit().receive(request);
    assert_eq!(received.unparsed, None);
    let [event] = <[Event; 1]>::try_from(received.events).expect("one event");
    event
}

fn person(id: &str) -> Identity {
    Identity::new("whatsapp", id)
}

/// What [`message`] means, but for the content.
fn from_ada() -> InboundMessage {
    InboundMessage {
        id: WAMID.into(),
        address: Some(NUMBER.into()),
        sender: Sender {
            identity: person(ADA),
            name: Some("Ada".into()),
            ..Sender::default()
        },
        sent_at_ms: Some(AT_MS),
        ..InboundMessage::default()
    }
}

/// A reading call, exactly.
fn get(url: impl Into<String>) -> HttpRequest {
    HttpRequest::new("GET", url)
        .sensitive_header("authorization", BEARER)
        .header("accept", "application/json")
}

/// A call with JSON, exactly.
fn post(path: &str, body: &Value) -> HttpRequest {
    HttpRequest::new("POST", format!("{GRAPH}/{path}"))
        .sensitive_header("authorization", BEARER)
        .header("accept", "application/json")
        .header("content-type", "application/json")
        .body(body.to_string())
}

/// Meta's error answer.
fn error(code: u64, message: &str) -> Value {
    json!({"error": {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "A"}})
}
