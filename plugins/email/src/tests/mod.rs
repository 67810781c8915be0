//! Tests of the adapter. Everything runs through the test kit, so each call is also checked to be pure and to
//! keep its secrets.
//!
//! `mails/NAME.eml` are mails as they come; what must be made of them is in the case `mail_NAME` of the fixtures.

mod config;
mod errors;
mod folder;
mod mails;
mod memory;
mod probe;
mod proofs;
mod property;
mod reports;
mod resend;
mod resend_in;
mod ses;
mod smtp;

use serde_json::{Value, json};
use trunkline_plugin_api::{
    Event, InboundMessage, OutboundMessage, Received, WebhookRequest, sign,
    testkit::{self, Kit, NOW_MS},
};

use crate::Email;

const SECRET: &str = "pipe-secret-0123456789abcdef0123";
const WHSEC: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const HOOK: &str = "https://gw.example.com/webhooks/mail/t0ken";
const ADA: &str = "ada@example.org";
const ID: &str = "0198b2a0-0000-7000-8000-000000000001";
/// The SHA-256 of nothing, as the name of a file.
const FILE: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// A channel with its own MTA, open to raw mail.
fn smtp() -> Value {
    json!({
        "provider": "smtp", "from": "Support <support@example.com>", "host": "mail.example.com",
        "username": "support", "password": "submission-password", "inbound_secret": SECRET,
    })
}

/// A channel at Resend.
fn resend() -> Value {
    json!({
        "provider": "resend", "from": "Support <support@example.com>", "api_key": "re_0123456789abcdef",
        "webhook_secret": WHSEC,
    })
}

/// A channel at SES; the key pair is the one of AWS's documentation.
fn ses() -> Value {
    json!({
        "provider": "ses", "from": "Support <support@example.com>", "region": "eu-west-1",
        "access_key_id": "AKIDEXAMPLE", "secret_access_key": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    })
}

/// A configuration with some keys set anew; null removes one.
fn with(mut config: Value, changes: &Value) -> Value {
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

fn kit(config: Value) -> Kit<Email> {
    Kit::open(config)
}

/// A mail as Postfix's pipe posts it.
fn raw(mail: impl Into<Vec<u8>>) -> WebhookRequest {
    let mut request = testkit::post(HOOK, "message/rfc822", mail);
    let bearer = ("authorization".into(), format!("Bearer {SECRET}"));
    request.headers.push(bearer);
    request
}

/// The same mail through the daemon's LMTP listener.
fn lmtp(mail: impl Into<Vec<u8>>, from: &str, to: &str) -> WebhookRequest {
    WebhookRequest {
        method: "LMTP".into(),
        url: String::new(),
        headers: vec![
            ("x-envelope-from".into(), from.into()),
            ("x-envelope-to".into(), to.into()),
        ],
        received_at_ms: NOW_MS,
        body: mail.into().into(),
    }
}

/// A webhook of Resend, signed.
fn signed(body: &Value) -> WebhookRequest {
    let body = body.to_string();
    let (id, time) = ("msg_1", (NOW_MS / 1_000).to_string());
    let key = sign::from_base64(WHSEC.trim_start_matches("whsec_")).expect("base64");
    let mac = sign::hmac_sha256(&key, format!("{id}.{time}.{body}").as_bytes());
    let mut request = testkit::post(HOOK, "application/json", body);
    for (name, value) in [
        ("svix-id", id.to_owned()),
        ("svix-timestamp", time),
        ("svix-signature", format!("v1,{}", sign::base64(&mac))),
    ] {
        request.headers.push((name.into(), value));
    }
    request
}

fn message(text: &str) -> OutboundMessage {
    let mut message = testkit::message("email", ADA, text);
    message.content.subject = Some("Your order".into());
    message
}

/// The one message in a result.
fn only(received: Received) -> InboundMessage {
    match <[Event; 1]>::try_from(received.events) {
        Ok([Event::Message(message)]) => message,
        other => panic!("not one message: {other:?}"),
    }
}
