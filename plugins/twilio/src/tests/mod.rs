//! Tests of the adapter: what comes in, what goes out, and what either means. Everything runs
//! through the test kit, so each call is also checked to be pure and to keep its secrets.

mod backfill;
mod body_hash;
mod config;
mod errors;
mod folder;
mod inbound;
mod lookup;
mod media;
mod probe;
mod property;
mod receive;
mod replies;
mod send;
mod shared_keys;
mod signature;
mod status;
mod templates;
mod unsent;
mod whatsapp;

use serde_json::{Value, json};
use trunkline_plugin_api::{
    Event, HttpRequest, Identity, InboundMessage, Received, Response, Sender, WebhookRequest, sign,
    testkit::{self, Kit},
};

use crate::Twilio;

const ACCOUNT: &str = "AC00000000000000000000000000000001";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";
/// `ACCOUNT:TOKEN` as HTTP Basic credentials.
const BASIC: &str = "Basic QUMwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMTowMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZg==";
const HOOK: &str = "https://gw.example.com/in/twilio/acme";
const ACCOUNTS: &str = "https://api.twilio.com/2010-04-01/Accounts";

const ADA: &str = "+15005550101";
const US: &str = "+15005550102";
const SID: &str = "SM00000000000000000000000000000001";

type Pairs<'a> = &'a [(&'a str, &'a str)];

/// An SMS channel that can do everything.
fn config() -> Value {
    json!({"account_sid": ACCOUNT, "auth_token": TOKEN, "from": US})
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

fn kit() -> Kit<Twilio> {
    Kit::open(config())
}

fn kit_with(changes: &Value) -> Kit<Twilio> {
    Kit::open(config_with(changes))
}

/// A form as Twilio encodes it, in the given order.
fn encoded(params: Pairs<'_>) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(params)
        .finish()
}

/// The signature as Twilio's page describes it, for parameters without repeated names.
fn signature(token: &str, url: &str, params: Pairs<'_>) -> String {
    let mut sorted = params.to_vec();
    sorted.sort_unstable();
    let pairs = sorted
        .into_iter()
        .map(|(name, value)| [name, value].concat());
    let signed = url.to_owned() + &pairs.collect::<String>();
    sign::base64(&sign::hmac_sha1(token.as_bytes(), signed.as_bytes()))
}

fn with_signature(mut request: WebhookRequest, signature: &str) -> WebhookRequest {
    let header = ("x-twilio-signature".into(), signature.into());
    request.headers.push(header);
    request
}

/// A genuine webhook by POST.
fn signed(url: &str, params: Pairs<'_>) -> WebhookRequest {
    let request = testkit::form(url, &encoded(params));
    with_signature(request, &signature(TOKEN, url, params))
}

/// A genuine webhook by GET.
fn signed_get(url: &str) -> WebhookRequest {
    let request = WebhookRequest {
        method: "GET".into(),
        url: url.into(),
        ..WebhookRequest::default()
    };
    with_signature(request, &signature(TOKEN, url, &[]))
}

/// The parameters of every inbound message, and these.
fn message<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut params = vec![
        ("MessageSid", SID),
        ("SmsSid", SID),
        ("SmsMessageSid", SID),
        ("SmsStatus", "received"),
        ("AccountSid", ACCOUNT),
        ("From", ADA),
        ("To", US),
        ("ApiVersion", "2010-04-01"),
    ];
    for (name, value) in more {
        params.retain(|(known, _)| known != name);
        params.push((*name, *value));
    }
    params
}

fn twiml() -> Response {
    let body = r#"<?xml version="1.0" encoding="UTF-8"?><Response/>"#;
    Response::with_body(200, "text/xml", body)
}

fn authentic(events: Vec<Event>) -> Received {
    Received::authentic(twiml(), events)
}

/// What the parameters of [`message`] mean, but for the content.
fn from_ada() -> InboundMessage {
    InboundMessage {
        id: SID.into(),
        address: Some(US.into()),
        sender: Sender {
            identity: Identity::new("phone", ADA),
            ..Sender::default()
        },
        ..InboundMessage::default()
    }
}

/// A reading call, exactly.
fn get(url: &str) -> HttpRequest {
    HttpRequest::new("GET", url)
        .sensitive_header("authorization", BASIC)
        .header("accept", "application/json")
}
