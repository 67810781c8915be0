//! Tests of the adapter: what comes in, what goes out, and what either means. Everything runs
//! through the test kit, so each call is also checked to be pure and to keep its secrets.
//!
//! `keys/` holds RSA keys that were made for these tests and are used nowhere else.

mod config;
mod folder;
mod media;
mod messages_inbound;
mod messages_send;
mod partial;
mod probe;
mod property;
mod receipts;
mod signature;
mod sms_inbound;
mod sms_send;
mod statuses;
mod token;
mod vectors;

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use trunkline_plugin_api::{
    Event, InboundMessage, Received, Response, Sender, WebhookRequest, sign,
    testkit::{self, Kit, NOW_MS},
};

use crate::{
    Vonage,
    address::identity,
    sms::{Method, Params},
};

const KEY: &str = "abcd1234";
const API_SECRET: &str = "api-secret-0123456789";
/// `KEY:API_SECRET` as HTTP Basic credentials.
const BASIC: &str = "Basic YWJjZDEyMzQ6YXBpLXNlY3JldC0wMTIzNDU2Nzg5";
const SECRET: &str = "signature-secret-of-the-tests";
const APPLICATION: &str = "aaaaaaaa-bbbb-cccc-dddd-0123456789ab";
const PRIVATE_KEY: &str = include_str!("keys/pkcs8.pem");
const HOOK: &str = "https://gw.example.com/webhooks/sms_support/token";

const ADA: &str = "+447700900001";
const US: &str = "+447700900000";
const ID: &str = "0A0000000123ABCD1";
const UUID: &str = "11111111-2222-4333-8444-555555555555";
const REFERENCE: &str = "0198b2a0-0000-7000-8000-000000000001";

type Pairs<'a> = &'a [(&'a str, &'a str)];

/// A channel on the SMS API that can do everything.
fn sms() -> Value {
    json!({
        "api_key": KEY, "api_secret": API_SECRET, "signature_secret": SECRET,
        "signature_method": "sha256", "from": US,
    })
}

/// A channel on the Messages API that can do everything.
fn messages() -> Value {
    json!({
        "api": "messages", "api_key": KEY, "api_secret": API_SECRET, "signature_secret": SECRET,
        "application_id": APPLICATION, "private_key": PRIVATE_KEY, "from": US,
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

fn sms_kit() -> Kit<Vonage> {
    Kit::open(sms())
}

fn messages_kit() -> Kit<Vonage> {
    Kit::open(messages())
}

fn now_s() -> String {
    (NOW_MS / 1_000).to_string()
}

/// What Vonage's page has signed: sorted, each `&name=value` with `&` and `=` in values as `_`.
fn signed_text(params: Pairs<'_>) -> String {
    let mut sorted = params.to_vec();
    sorted.sort_unstable();
    let pair = |(name, value): (&str, &str)| {
        let value: String = value
            .chars()
            .map(|character| {
                if "&=".contains(character) {
                    '_'
                } else {
                    character
                }
            })
            .collect();
        format!("&{name}={value}")
    };
    sorted.into_iter().map(pair).collect()
}

/// The parameters with `timestamp` (now, unless they have one) and their signature.
fn signed_params(method: Method, params: Pairs<'_>) -> Vec<(String, String)> {
    let now_s = now_s();
    let mut params = params.to_vec();
    if !params.iter().any(|(name, _)| *name == "timestamp") {
        params.push(("timestamp", &now_s));
    }
    let sig = sign::hex(&method.sign(SECRET, &signed_text(&params)));
    params.push(("sig", &sig));
    params
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn encoded(params: &[(String, String)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(params)
        .finish()
}

/// A genuine webhook of the SMS API as a form.
fn form(params: Pairs<'_>) -> WebhookRequest {
    testkit::form(HOOK, &encoded(&signed_params(Method::Sha256, params)))
}

/// The same by GET.
fn get(params: Pairs<'_>) -> WebhookRequest {
    let query = encoded(&signed_params(Method::Sha256, params));
    WebhookRequest {
        method: "GET".into(),
        url: format!("{HOOK}?{query}"),
        received_at_ms: NOW_MS,
        ..WebhookRequest::default()
    }
}

/// The same as JSON.
fn json_body(params: Pairs<'_>) -> WebhookRequest {
    let members = signed_params(Method::Sha256, params);
    let members = members
        .into_iter()
        .map(|(name, value)| (name, Value::from(value)));
    let body: Value = members.collect::<serde_json::Map<_, _>>().into();
    testkit::post(HOOK, "application/json", body.to_string())
}

/// The parameters of every inbound message, and these.
fn inbound<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut params = vec![
        ("api-key", KEY),
        ("msisdn", "447700900001"),
        ("to", "447700900000"),
        ("messageId", ID),
        ("nonce", "aaaaaaaa-bbbb-cccc-dddd-0123456789ab"),
        ("type", "text"),
        ("message-timestamp", "2026-01-01 00:00:00"),
    ];
    for (name, value) in more {
        params.retain(|(known, _)| known != name);
        params.push((*name, *value));
    }
    params
}

/// What the parameters of [`inbound`] mean, but for the content.
fn from_ada(metadata: &Value) -> InboundMessage {
    InboundMessage {
        id: ID.into(),
        address: Some(US.into()),
        sender: Sender {
            identity: identity("sms", "447700900001"),
            ..Sender::default()
        },
        sent_at_ms: Some(NOW_MS),
        metadata: metadata.as_object().expect("an object").clone(),
        ..InboundMessage::default()
    }
}

fn ok() -> Response {
    Response::status(200)
}

fn authentic(event: Event) -> Received {
    Received::authentic(ok(), vec![event])
}

/// A token with these claims, signed with HS256.
fn hs256(secret: &str, header: &Value, claims: &Value) -> String {
    let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let signed = format!("{}.{}", part(header), part(claims));
    let mac = sign::hmac_sha256(secret.as_bytes(), signed.as_bytes());
    format!("{signed}.{}", BASE64URL_NOPAD.encode(&mac))
}

fn claims(body: &[u8]) -> Value {
    json!({
        "iat": NOW_MS / 1_000, "jti": UUID, "iss": "Vonage", "api_key": KEY,
        "application_id": APPLICATION, "payload_hash": sign::hex(&sign::sha256(body)),
    })
}

fn with_token(body: impl Into<Vec<u8>>, token: &str) -> WebhookRequest {
    let mut request = testkit::post(HOOK, "application/json", body);
    let header = ("authorization".into(), format!("Bearer {token}"));
    request.headers.push(header);
    request
}

/// A genuine webhook of the Messages API.
fn tokened(body: &Value) -> WebhookRequest {
    let body = body.to_string().into_bytes();
    let header = json!({"alg": "HS256", "typ": "JWT"});
    let token = hs256(SECRET, &header, &claims(&body));
    with_token(body, &token)
}

/// The canonical text as the adapter has it.
fn canonical(params: Pairs<'_>) -> String {
    let pairs: Vec<_> = params
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let request = testkit::form(HOOK, &encoded(&pairs));
    Params::read(&request)
        .expect("plain parameters")
        .canonical()
}
