//! Signs webhooks as the providers do, by their public pages; no code of the adapters is used. `way` chooses
//! among the forms of a provider's signature.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value, json};
use trunkline_plugin_api::{WebhookRequest, sign, testkit::NOW_MS};

/// The first secret under a key of the configuration.
fn secret<'c>(config: &'c Value, key: &str) -> Option<&'c str> {
    match &config[key] {
        Value::Array(secrets) => secrets.first()?.as_str(),
        secret => secret.as_str(),
    }
}

/// Sets a header, once.
fn set(request: &mut WebhookRequest, name: &str, value: impl Into<String>) {
    request.headers.retain(|(known, _)| known != name);
    request.headers.push((name.into(), value.into()));
}

/// The door itself vouches for a frame.
pub fn chat(_: &Value, _: u8, request: &mut WebhookRequest) {
    request.method = "CHAT".into();
    set(request, "x-chat-visitor", "4f0c2a");
}

/// The secret in its header.
pub fn example_c(config: &Value, _: u8, request: &mut WebhookRequest) {
    if let Some(secret) = secret(config, "secret") {
        set(request, "x-example-secret", secret);
    }
}

/// The secret that an MTA posts with, Resend's signature, or the LMTP door.
pub fn email(config: &Value, way: u8, request: &mut WebhookRequest) {
    if way & 1 == 1 {
        request.method = "LMTP".into();
    } else if let Some(secret) = secret(config, "webhook_secret") {
        standard("svix", secret, request);
    } else if let Some(secret) = secret(config, "inbound_secret") {
        set(request, "x-webhook-secret", secret);
    }
}

/// The secret in its header.
pub fn telegram(config: &Value, _: u8, request: &mut WebhookRequest) {
    request.method = "POST".into();
    if let Some(secret) = secret(config, "secret_token") {
        set(request, "x-telegram-bot-api-secret-token", secret);
    }
}

/// HMAC-SHA1 over URL and sorted parameters; with JSON over the URL, which holds the body's hash.
pub fn twilio(config: &Value, way: u8, request: &mut WebhookRequest) {
    let Some(token) = secret(config, "auth_token") else {
        return;
    };
    request
        .headers
        .retain(|(name, _)| name != "x-twilio-webhooks-signature-settings");
    request.url = "https://gw.example.com/in/twilio/acme?message=0198b2a0".into();
    let mut signed = request.url.clone();
    match way % 3 {
        0 => {
            request.method = "POST".into();
            set(request, "content-type", "application/x-www-form-urlencoded");
            signed += &twilio_parameters(request);
        }
        1 => {
            request.method = "POST".into();
            set(request, "content-type", "application/json");
            let hash = sign::hex(&sign::sha256(&request.body));
            request.url = format!("{signed}&bodySHA256={hash}");
            signed = request.url.clone();
        }
        _ => {
            request.method = "GET".into();
            let query = String::from_utf8_lossy(&request.body).replace(['#', '\n'], "");
            request.url = format!("{signed}&{query}");
            request.body = Vec::new().into();
            signed = request.url.clone();
        }
    }
    let mac = sign::hmac_sha1(token.as_bytes(), signed.as_bytes());
    set(request, "x-twilio-signature", sign::base64(&mac));
}

/// What Twilio signs of a form: names in order, and each different value of a name in order.
pub fn twilio_parameters(request: &WebhookRequest) -> String {
    let mut parameters = BTreeMap::<String, BTreeSet<String>>::new();
    for (name, value) in form_urlencoded::parse(&request.body).into_owned() {
        parameters.entry(name).or_default().insert(value);
    }
    let mut text = String::new();
    for (name, values) in &parameters {
        for value in values {
            text.push_str(name);
            text.push_str(value);
        }
    }
    text
}

/// A signature among the parameters, or a token that holds the body's hash.
pub fn vonage(config: &Value, way: u8, request: &mut WebhookRequest) {
    let Some(secret) = secret(config, "signature_secret") else {
        return;
    };
    if config["api"] == "messages" {
        return vonage_token(config, secret, request);
    }
    let pairs: Map<String, Value> = match serde_json::from_slice(&request.body) {
        Ok(Value::Object(members)) => members,
        _ => form_urlencoded::parse(&request.body)
            .into_owned()
            .map(|(name, value)| (name, Value::from(value)))
            .collect(),
    };
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let mut pairs: BTreeMap<String, String> = pairs
        .iter()
        .map(|(name, value)| (name.clone(), text(value)))
        .collect();
    pairs.remove("sig");
    pairs.insert("timestamp".into(), (NOW_MS / 1_000).to_string());
    let signed: String = pairs
        .iter()
        .map(|(name, value)| format!("&{name}={}", value.replace(['&', '='], "_")))
        .collect();
    let sig = sign::hex(&sign::hmac_sha256(secret.as_bytes(), signed.as_bytes()));
    pairs.insert("sig".into(), sig);
    let mut form = form_urlencoded::Serializer::new(String::new());
    let form = form.extend_pairs(&pairs).finish();
    request.method = "POST".into();
    match way % 3 {
        0 => {
            set(request, "content-type", "application/x-www-form-urlencoded");
            request.body = form.into();
        }
        1 => {
            set(request, "content-type", "application/json");
            request.body = json!(pairs).to_string().into();
        }
        _ => {
            request.method = "GET".into();
            request.url = format!("https://gw.example.com/webhooks/sms/token?{form}");
        }
    }
}

fn vonage_token(config: &Value, secret: &str, request: &mut WebhookRequest) {
    let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let claims = json!({
        "iat": NOW_MS / 1_000, "jti": "1", "iss": "Vonage", "api_key": config["api_key"],
        "application_id": config["application_id"],
        "payload_hash": sign::hex(&sign::sha256(&request.body)),
    });
    let signed = format!(
        "{}.{}",
        part(&json!({"alg": "HS256", "typ": "JWT"})),
        part(&claims)
    );
    let mac = sign::hmac_sha256(secret.as_bytes(), signed.as_bytes());
    request.method = "POST".into();
    set(request, "content-type", "application/json");
    set(
        request,
        "authorization",
        format!("Bearer {signed}.{}", BASE64URL_NOPAD.encode(&mac)),
    );
}

/// Standard Webhooks, GitHub's signature, or the shared secret, whatever the channel has.
pub fn webhook(config: &Value, way: u8, request: &mut WebhookRequest) {
    request.method = "POST".into();
    if way & 1 == 1
        && let Some(secret) = secret(config, "hub_secret")
    {
        hub(secret, request);
    } else if let Some(secret) = secret(config, "signing_secret") {
        standard("webhook", secret, request);
    } else if let Some(secret) = secret(config, "secret") {
        set(request, "x-webhook-secret", secret);
    }
}

/// HMAC-SHA256 over the body.
pub fn whatsapp(config: &Value, _: u8, request: &mut WebhookRequest) {
    request.method = "POST".into();
    if let Some(secret) = secret(config, "app_secret") {
        hub(secret, request);
    }
}

fn hub(secret: &str, request: &mut WebhookRequest) {
    let mac = sign::hmac_sha256(secret.as_bytes(), &request.body);
    let signature = format!("sha256={}", sign::hex(&mac));
    set(request, "x-hub-signature-256", signature);
}

/// `v1,base64` over id, time and body (Standard Webhooks 1.0.0).
fn standard(family: &str, secret: &str, request: &mut WebhookRequest) {
    let Some(key) = sign::from_base64(secret.trim_start_matches("whsec_")) else {
        return;
    };
    let (id, time_s) = ("msg_fuzzed", NOW_MS / 1_000);
    let signed = [format!("{id}.{time_s}.").as_bytes(), &request.body].concat();
    let mac = sign::hmac_sha256(&key, &signed);
    set(request, &format!("{family}-id"), id);
    set(request, &format!("{family}-timestamp"), time_s.to_string());
    set(
        request,
        &format!("{family}-signature"),
        format!("v1,{}", sign::base64(&mac)),
    );
}
