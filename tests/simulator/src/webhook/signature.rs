//! Standard Webhooks 1.0.0 (symmetric, `v1`) and `X-Hub-Signature-256`, from their specifications.

use crate::SimulatorError;
use data_encoding::{BASE64, HEXLOWER};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`. The key is the base64 of `secret`
/// after an optional `whsec_`; `timestamp` is in Unix seconds.
pub fn standard_signature(
    secret: &str,
    id: &str,
    timestamp: i64,
    body: &[u8],
) -> Result<String, SimulatorError> {
    let encoded = secret.strip_prefix("whsec_").unwrap_or(secret);
    let key = BASE64
        .decode(encoded.as_bytes())
        .map_err(|error| SimulatorError::BadSecret(format!("not base64: {error}")))?;
    let head = format!("{id}.{timestamp}.");
    Ok(format!(
        "v1,{}",
        BASE64.encode(&hmac(&key, &[head.as_bytes(), body]))
    ))
}

/// `sha256=` and the lower-case hexadecimal of HMAC-SHA256 over the body; the key is the secret's text.
pub fn hub_signature(secret: &str, body: &[u8]) -> String {
    format!(
        "sha256={}",
        HEXLOWER.encode(&hmac(secret.as_bytes(), &[body]))
    )
}

/// A fresh secret of 32 bytes.
pub(crate) fn random_secret() -> String {
    let bytes: [u8; 32] = rand::random();
    format!("whsec_{}", BASE64.encode(&bytes))
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_webhooks_vectors() {
        for (secret, id, timestamp, body, signature) in [
            (
                "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
                "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
                1_649_367_553,
                r#"{"email":"test@example.com","username":"test_user"}"#,
                "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
            ),
            (
                "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
                "msg_example0001",
                1_767_225_600,
                r#"{"type":"message.created","timestamp":"2026-01-01T00:00:00Z","data":{"id":"m1"}}"#,
                "v1,ZJ5i5QSd0jgUQMLtFTdaxebdVpciR6aWFQJdmmDX0cI=",
            ),
        ] {
            let computed = standard_signature(secret, id, timestamp, body.as_bytes());
            assert_eq!(computed.unwrap(), signature);
        }
        assert!(standard_signature("whsec_???", "a", 1, b"").is_err());
    }

    #[test]
    fn hub_vector_of_the_github_documentation() {
        assert_eq!(
            hub_signature("It's a Secret to Everybody", b"Hello, World!"),
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        );
    }
}
