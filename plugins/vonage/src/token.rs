//! JSON Web Tokens (RFC 7519, compact form): the one that a webhook brings, and the one that
//! authenticates a call to the Messages API.

use data_encoding::BASE64URL_NOPAD;
use ring::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use serde_json::{Value, json};
use trunkline_plugin_api::{SecretList, Turn, Verdict, WebhookRequest, sign};

use crate::{config::Settings, json::Object};

/// How long a token of ours is valid, in seconds (Vonage's SDKs).
const VALID_S: i64 = 15 * 60;

/// An application at Vonage, which signs the tokens of its calls.
pub(crate) struct Application {
    pub(crate) id: String,
    pub(crate) key: RsaKeyPair,
}

impl Application {
    /// A fresh token, RS256 (Vonage's page on authentication). Its id comes from the turn's random
    /// bytes, so that the same turn makes the same token.
    pub(crate) fn token(&self, turn: &Turn) -> String {
        let now_s = turn.now_ms.div_euclid(1_000);
        let header = json!({"alg": "RS256", "typ": "JWT"});
        let claims = json!({
            "application_id": self.id,
            "iat": now_s,
            "exp": now_s + VALID_S,
            "jti": uuid(&turn.random),
        });
        let signed = format!("{}.{}", encoded(&header), encoded(&claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                signed.as_bytes(),
                &mut signature,
            )
            .expect("the buffer has the length of the key's modulus");
        format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature))
    }
}

fn encoded(value: &Value) -> String {
    BASE64URL_NOPAD.encode(value.to_string().as_bytes())
}

/// 32 hexadecimal digits as a random UUID (version 4).
fn uuid(random: &str) -> String {
    let mut digits: Vec<char> = random
        .chars()
        .chain(std::iter::repeat('0'))
        .take(32)
        .collect();
    digits[12] = '4';
    digits[16] = '8';
    let groups = [0..8, 8..12, 12..16, 16..20, 20..32];
    groups
        .map(|group| digits[group].iter().collect::<String>())
        .join("-")
}

/// Why a webhook is not genuine.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Forged {
    pub(crate) verdict: Verdict,
    pub(crate) reason: &'static str,
}

impl Forged {
    pub(crate) fn new(verdict: Verdict, reason: &'static str) -> Self {
        Self { verdict, reason }
    }

    pub(crate) fn mismatch(reason: &'static str) -> Self {
        Self::new(Verdict::Mismatch, reason)
    }

    /// A signed time too far from ours, in either direction.
    pub(crate) fn unless_recent(
        signed_s: Option<i64>,
        settings: &Settings,
        request: &WebhookRequest,
    ) -> Result<(), Self> {
        let signed_s = signed_s.ok_or(Self::mismatch("the signature covers no usable time"))?;
        let age_ms = signed_s
            .checked_mul(1_000)
            .and_then(|signed_ms| request.received_at_ms.checked_sub(signed_ms))
            .ok_or(Self::mismatch("the signed time is out of range"))?;
        if age_ms.unsigned_abs() > settings.tolerance_ms {
            return Err(Self::new(
                Verdict::Expired,
                "the signed time is outside tolerance_s: a replay, or the clocks differ",
            ));
        }
        Ok(())
    }
}

/// Checks that Vonage sent this webhook of the Messages API: `Authorization: Bearer <token>`, HS256
/// under the account's signature secret, with the body's hash in it (its page on signed webhooks).
pub(crate) fn verify(settings: &Settings, request: &WebhookRequest) -> Result<(), Forged> {
    let Some(header) = request.header("authorization") else {
        return Err(Forged::new(
            Verdict::Unsigned,
            "the Authorization header is missing",
        ));
    };
    let token = bearer(header).ok_or(Forged::mismatch("Authorization holds no bearer token"))?;
    let claims = open(token, &settings.secrets)?;
    let claims = Object(&claims);
    if claims.text("iss") != Some("Vonage") {
        return Err(Forged::mismatch("the token is not issued by Vonage"));
    }
    if settings.api_key.is_some() && claims.text("api_key") != settings.api_key.as_deref() {
        return Err(Forged::mismatch("the token is for another api_key"));
    }
    let application = settings.application_id.as_deref();
    let theirs = claims.text("application_id");
    if application.is_some() && theirs.is_some() && theirs != application {
        return Err(Forged::mismatch("the token is for another application_id"));
    }
    let hash = claims
        .text("payload_hash")
        .and_then(sign::from_hex)
        .ok_or(Forged::mismatch("the token holds no payload_hash"))?;
    if !sign::equal(&hash, &sign::sha256(&request.body)) {
        return Err(Forged::mismatch("payload_hash does not match the body"));
    }
    let seconds = |claim: &str| claims.0.get(claim).and_then(Value::as_i64);
    let now_s = request.received_at_ms.div_euclid(1_000);
    if seconds("exp").is_some_and(|exp| exp < now_s) {
        return Err(Forged::new(Verdict::Expired, "the token has expired"));
    }
    Forged::unless_recent(seconds("iat"), settings, request)
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.trim().split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(token.trim())
}

/// The claims of a token that one of the secrets signed. The header decides nothing: only HS256
/// is ever tried.
fn open(token: &str, secrets: &SecretList) -> Result<Value, Forged> {
    let damaged = || Forged::mismatch("the bearer token is damaged");
    let (signed, mac) = token.rsplit_once('.').ok_or_else(damaged)?;
    let (header, claims) = signed.split_once('.').ok_or_else(damaged)?;
    let decode = |text: &str| {
        BASE64URL_NOPAD
            .decode(text.as_bytes())
            .map_err(|_| damaged())
    };
    let read = |text: &str| {
        let value: Value = serde_json::from_slice(&decode(text)?).map_err(|_| damaged())?;
        Ok::<_, Forged>(value)
    };
    let mac = decode(mac)?;
    if Object(&read(header)?).text("alg") != Some("HS256") {
        return Err(Forged::mismatch("the token is not signed with HS256"));
    }
    let genuine = secrets.iter().any(|secret| {
        sign::equal(
            &sign::hmac_sha256(secret.as_bytes(), signed.as_bytes()),
            &mac,
        )
    });
    if !genuine {
        return Err(Forged::mismatch(
            "the token's signature does not match: check signature_secret",
        ));
    }
    read(claims)
}
