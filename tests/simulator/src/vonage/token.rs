//! Tokens: the application's, which calls bring (RS256), and Vonage's own, which webhooks bring (HS256).

use super::account::{Account, random_uuid};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use ring::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The application's key, made for tests and used nowhere else.
pub(super) const PRIVATE_KEY: &str = include_str!("application.pem");
/// How far a token's time may be from ours, in seconds.
const SKEW_S: i64 = 60;
/// The longest validity, in seconds (Vonage's page on authentication: 24 hours).
const VALID_S_MAX: i64 = 24 * 60 * 60;

/// Who calls: the application with a token, or the account with key and secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
    Application,
    Login,
}

/// Checks `Authorization`. The words say what is wrong with it.
pub(super) fn authenticate(account: &mut Account, header: Option<&str>) -> Result<Caller, String> {
    let header = header.ok_or("no Authorization header")?;
    if let Some(login) = header.strip_prefix("Basic ") {
        let given = BASE64.decode(login.as_bytes()).unwrap_or_default();
        let ours = format!("{}:{}", account.api_key, account.api_secret);
        return if given == ours.as_bytes() {
            Ok(Caller::Login)
        } else {
            Err("key and secret are not the account's".into())
        };
    }
    let token = header
        .strip_prefix("Bearer ")
        .ok_or("neither Basic nor Bearer")?;
    check(account, token, Timestamp::now().as_second())?;
    Ok(Caller::Application)
}

/// Checks a token of the application as strictly as Vonage's page on authentication describes it.
fn check(account: &mut Account, token: &str, now_s: i64) -> Result<(), String> {
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, signature] = parts.as_slice() else {
        return Err("the token has not three parts".into());
    };
    let decode = |part: &str| {
        BASE64URL_NOPAD
            .decode(part.as_bytes())
            .map_err(|_| "a part of the token is not base64url")
    };
    let json = |part: &str| {
        serde_json::from_slice::<Value>(&decode(part)?)
            .map_err(|_| "a part of the token is not JSON")
    };
    let head = json(header)?;
    if head["alg"] != "RS256" || head["typ"] != "JWT" {
        return Err(format!("the token's header is {head}"));
    }
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public_key());
    key.verify(format!("{header}.{claims}").as_bytes(), &decode(signature)?)
        .map_err(|_| "the token's signature does not verify")?;
    let claims = json(claims)?;
    let seconds = |name: &str| {
        claims[name]
            .as_i64()
            .ok_or(format!("the token has no {name}"))
    };
    let (issued, expires) = (seconds("iat")?, seconds("exp")?);
    if (now_s - issued).abs() > SKEW_S {
        return Err(format!("the token was issued at {issued}, it is {now_s}"));
    }
    if expires <= now_s || expires - issued > VALID_S_MAX {
        return Err(format!("the token expires at {expires}"));
    }
    if claims["application_id"] != account.application_id.as_str() {
        return Err("the token is of another application".into());
    }
    let id = claims["jti"].as_str().unwrap_or_default();
    if !is_uuid(id) {
        return Err(format!("the token's jti `{id}` is no UUID"));
    }
    if !account.tokens.insert(id.to_owned()) {
        return Err(format!("the token's jti {id} was used before"));
    }
    Ok(())
}

fn public_key() -> Vec<u8> {
    let base64: String = PRIVATE_KEY
        .lines()
        .filter(|line| !line.starts_with("-----"))
        .collect();
    let der = BASE64
        .decode(base64.as_bytes())
        .expect("the key of the tests is base64");
    let pair = RsaKeyPair::from_pkcs8(&der).expect("the key of the tests is an RSA key");
    pair.public_key().as_ref().to_vec()
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.char_indices().all(|(at, character)| match at {
            8 | 13 | 18 | 23 => character == '-',
            _ => character.is_ascii_hexdigit(),
        })
}

/// The token of a webhook with this body (Vonage's page on signed webhooks).
pub(super) fn of_webhook(account: &Account, body: &[u8], issued_s: i64) -> String {
    let claims = json!({
        "iat": issued_s,
        "jti": random_uuid(),
        "iss": "Vonage",
        "payload_hash": data_encoding::HEXLOWER.encode(&Sha256::digest(body)),
        "api_key": account.api_key,
        "application_id": account.application_id,
    });
    let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let head = json!({"alg": "HS256", "typ": "JWT"});
    let signed = format!("{}.{}", part(&head), part(&claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(account.signature_secret.as_bytes())
        .expect("HMAC takes a key of any length");
    mac.update(signed.as_bytes());
    let mac = BASE64URL_NOPAD.encode(&mac.finalize().into_bytes());
    format!("{signed}.{mac}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::rand::SystemRandom;
    use ring::signature::RSA_PKCS1_SHA256;

    const NOW_S: i64 = 1_767_225_600;

    fn signed(head: &Value, claims: &Value) -> String {
        let base64: String = PRIVATE_KEY
            .lines()
            .filter(|line| !line.starts_with("-----"))
            .collect();
        let der = BASE64.decode(base64.as_bytes()).expect("base64");
        let key = RsaKeyPair::from_pkcs8(&der).expect("a key");
        let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let text = format!("{}.{}", part(head), part(claims));
        let mut signature = vec![0; key.public().modulus_len()];
        let random = SystemRandom::new();
        key.sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature)
            .expect("a signature");
        format!("{text}.{}", BASE64URL_NOPAD.encode(&signature))
    }

    #[test]
    fn only_a_fresh_token_of_the_application_is_taken() {
        let mut account = Account::new();
        let head = json!({"alg": "RS256", "typ": "JWT"});
        let claims = json!({
            "application_id": account.application_id, "iat": NOW_S, "exp": NOW_S + 900,
            "jti": random_uuid(),
        });
        let good = signed(&head, &claims);
        assert_eq!(check(&mut account, &good, NOW_S), Ok(()));
        let again = check(&mut account, &good, NOW_S).expect_err("used before");
        assert!(again.contains("used before"), "{again}");
        let rows = [
            ("iat", json!(NOW_S - 61), "issued"),
            ("exp", json!(NOW_S), "expires"),
            ("exp", json!(NOW_S + 86_401), "expires"),
            ("application_id", json!("other"), "another application"),
            ("jti", json!("1"), "no UUID"),
        ];
        for (name, value, words) in rows {
            let mut changed = claims.clone();
            changed[name] = value;
            let why = check(&mut account, &signed(&head, &changed), NOW_S).expect_err("refused");
            assert!(why.contains(words), "{name}: {why}");
        }
        let none = json!({"alg": "none", "typ": "JWT"});
        assert!(check(&mut account, &signed(&none, &claims), NOW_S).is_err());
        let forged = format!("{}A", &good[..good.len() - 1]);
        assert!(check(&mut account, &forged, NOW_S).is_err());
    }
}
