//! Tests of the adapter: what comes in, what goes out, and what either means. Everything runs through the test kit,
//! so each call is also checked to be pure and to keep its secrets.

mod config;
mod errors;
mod folder;
mod inbound;
mod kinds;
mod media;
mod photos;
mod probe;
mod property;
mod send;
mod signals;
mod typing;
mod upload;

use serde_json::{Value, json};
use trunkline_plugin_api::{
    Event, HttpRequest, Identity, InboundMessage, OutboundMessage, Received, Reply, Response,
    Sender, WebhookRequest,
    testkit::{self, Kit, NOW_MS},
};

use crate::Telegram;

const TOKEN: &str = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw0";
const SECRET: &str = "made-up_SECRET-0123456789";
const HOOK: &str = "https://hooks.example.org/webhooks/telegram/path-token";
const API: &str = "https://api.telegram.org/bot110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw0";
const FILES: &str =
    "https://api.telegram.org/file/bot110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw0";
const BOT: &str = "110201543";
const ADA: i64 = 5_001;
const GROUP: i64 = -1_001_234;

fn config() -> Value {
    json!({"bot_token": TOKEN, "secret_token": SECRET})
}

fn kit() -> Kit<Telegram> {
    Kit::open(config())
}

/// A genuine webhook with this body.
fn signed(body: impl Into<Vec<u8>>) -> WebhookRequest {
    let mut request = testkit::post(HOOK, "application/json", body);
    let header = (
        "x-telegram-bot-api-secret-token".to_owned(),
        SECRET.to_owned(),
    );
    request.headers.push(header);
    request
}

/// A genuine update of a kind.
fn update(kind: &str, member: &Value) -> WebhookRequest {
    signed(json!({"update_id": 10_000, kind: member}).to_string())
}

fn ada() -> Value {
    json!({"id": ADA, "is_bot": false, "first_name": "Ada", "last_name": "L", "language_code": "en"})
}

fn chat() -> Value {
    json!({"id": ADA, "type": "private", "first_name": "Ada", "last_name": "L"})
}

fn group() -> Value {
    json!({"id": GROUP, "type": "supergroup", "title": "Support"})
}

/// A message of Ada's in her chat with the bot, and these members.
fn message(more: &Value) -> Value {
    let mut message =
        json!({"message_id": 7, "from": ada(), "chat": chat(), "date": NOW_MS / 1_000});
    for (name, value) in more.as_object().expect("an object") {
        message[name] = value.clone();
    }
    message
}

/// What [`message`] means, but for the content.
fn from_ada() -> InboundMessage {
    InboundMessage {
        id: "5001:7".into(),
        address: Some(BOT.into()),
        sender: Sender {
            identity: Identity::new("telegram", "5001"),
            name: Some("Ada L".into()),
            ..Sender::default()
        },
        sent_at_ms: Some(NOW_MS),
        metadata: json!({"from": ada()}).as_object().expect("one").clone(),
        ..InboundMessage::default()
    }
}

fn authentic(event: Event) -> Received {
    Received::authentic(Response::status(200), vec![event])
}

/// The one message in what was received.
fn only_message(received: &Received) -> InboundMessage {
    match received.events.as_slice() {
        [Event::Message(message)] => message.clone(),
        other => panic!("not one message: {other:?}"),
    }
}

fn to_ada(text: &str) -> OutboundMessage {
    testkit::message("telegram", "5001", text)
}

/// A call with parameters in JSON, exactly.
fn call(method: &str, parameters: &Value) -> HttpRequest {
    HttpRequest::new("POST", format!("{API}/{method}"))
        .header("content-type", "application/json")
        .body(parameters.to_string())
}

fn taken(message_id: i64) -> Reply {
    let result = json!({"message_id": message_id, "chat": chat(), "date": NOW_MS / 1_000});
    testkit::json_reply(200, &json!({"ok": true, "result": result}))
}

fn refusal(code: u16, description: &str, parameters: &Value) -> Reply {
    let body = json!({
        "ok": false, "error_code": code, "description": description, "parameters": parameters,
    });
    testkit::json_reply(code, &body)
}
