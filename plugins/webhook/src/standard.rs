//! Standard Webhooks 1.0.0, and Svix, which has other header names only.
//!
//! ```text
//! {webhook-id}.{webhook-timestamp}.{body} ──HMAC-SHA256 under whsec_──> v1,base64
//!                                         ──Ed25519, checked by whpk_─> v1a,base64
//! ```
//!
//! `webhook-signature` lists several of them, separated by spaces, while a secret is rotated;
//! versions that are not known are passed over.

use ring::signature::{ED25519, UnparsedPublicKey};
use trunkline_plugin_api::{Timestamp, Verdict, WebhookRequest, sign};

use crate::{ID_BYTES_MAX, proof::Forged};

/// How far the signed time may be off, both ways, in milliseconds (the reference libraries').
const TOLERANCE_MS: u64 = 300_000;

/// Signatures of one request that are looked at; more are never made by a rotation.
const SIGNATURES_MAX: usize = 32;

/// The names of the three headers.
struct Names {
    id: &'static str,
    timestamp: &'static str,
    signature: &'static str,
}

/// In the order in which the reference libraries look.
const FAMILIES: [Names; 2] = [
    Names {
        id: "svix-id",
        timestamp: "svix-timestamp",
        signature: "svix-signature",
    },
    Names {
        id: "webhook-id",
        timestamp: "webhook-timestamp",
        signature: "webhook-signature",
    },
];

/// What verifies a signature.
pub(crate) enum Key {
    Hmac(Vec<u8>),
    Ed25519(UnparsedPublicKey<Vec<u8>>),
}

impl Key {
    /// Reads `whpk_...` or `whsec_...`; the error never quotes the secret.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        if text.starts_with("whsk_") {
            return Err("this is the private key; give the public one, whpk_...");
        }
        let Some(encoded) = text.strip_prefix("whpk_") else {
            return SigningKey::parse(text).map(|key| Self::Hmac(key.0));
        };
        let point = sign::from_base64(encoded).filter(|point| point.len() == 32);
        let point = point.ok_or("after whpk_ there must be 32 bytes in base64")?;
        Ok(Self::Ed25519(UnparsedPublicKey::new(&ED25519, point)))
    }

    /// The length of an HMAC key in bytes.
    pub(crate) fn hmac_len(&self) -> Option<usize> {
        match self {
            Self::Hmac(key) => Some(key.len()),
            Self::Ed25519(_) => None,
        }
    }

    fn version(&self) -> &'static str {
        match self {
            Self::Hmac(_) => "v1",
            Self::Ed25519(_) => "v1a",
        }
    }

    fn matches_any(&self, signed: &[&[u8]], signatures: &[(&str, Vec<u8>)]) -> bool {
        let mut own = signatures
            .iter()
            .filter(|(version, _)| *version == self.version())
            .map(|(_, bytes)| bytes)
            .peekable();
        if own.peek().is_none() {
            return false;
        }
        match self {
            Self::Hmac(key) => {
                let mac = sign::hmac_sha256_of(key, signed);
                own.any(|signature| sign::equal(&mac, signature))
            }
            Self::Ed25519(key) => {
                // Ed25519 goes over its message twice, so this one needs it in one piece.
                let signed = signed.concat();
                own.any(|signature| key.verify(&signed, signature).is_ok())
            }
        }
    }
}

/// What signs our own posts.
pub(crate) struct SigningKey(Vec<u8>);

impl SigningKey {
    /// Reads `whsec_...`, the prefix optional; the error never quotes the secret.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let encoded = text.strip_prefix("whsec_").unwrap_or(text);
        let key = sign::from_base64(encoded).filter(|key| !key.is_empty());
        key.map(Self)
            .ok_or("not whsec_ followed by base64 (with its padding)")
    }

    /// The length of the key in bytes.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// One entry of `webhook-signature`.
    pub(crate) fn sign(&self, id: &str, time_s: &str, body: &[u8]) -> String {
        let mac = sign::hmac_sha256_of(&self.0, &signed_content(id, time_s, body));
        format!("v1,{}", sign::base64(&mac))
    }
}

/// What is signed, in parts that stand one behind the other.
fn signed_content<'a>(id: &'a str, time_s: &'a str, body: &'a [u8]) -> [&'a [u8]; 5] {
    [id.as_bytes(), b".", time_s.as_bytes(), b".", body]
}

/// Checks every signature that is there. Gives the signed id; none where nothing is signed.
pub(crate) fn verify<'r>(
    keys: &[Key],
    request: &'r WebhookRequest,
) -> Result<Option<&'r str>, Forged> {
    let mut signed_id = None;
    for names in &FAMILIES {
        if let Some(signatures) = request.header(names.signature) {
            let id = verify_family(keys, request, names, signatures)?;
            signed_id = signed_id.or(Some(id));
        }
    }
    Ok(signed_id)
}

/// The id that a request gives in its headers, proven or not.
pub(crate) fn header_id(request: &WebhookRequest) -> Option<&str> {
    FAMILIES
        .iter()
        .filter_map(|names| request.header(names.id))
        .find(|id| !id.is_empty() && id.len() <= ID_BYTES_MAX)
}

fn verify_family<'r>(
    keys: &[Key],
    request: &'r WebhookRequest,
    names: &Names,
    signatures: &str,
) -> Result<&'r str, Forged> {
    let id = request
        .header(names.id)
        .filter(|id| !id.is_empty() && id.len() <= ID_BYTES_MAX && !id.contains('.'))
        .ok_or(Forged::mismatch(
            "the id header of the signature is missing, too long or has a dot",
        ))?;
    let time = request
        .header(names.timestamp)
        .and_then(|text| Some((text, text.parse::<i64>().ok()?)));
    let Some((time_text, time_s)) = time else {
        return Err(Forged::mismatch(
            "the timestamp header of the signature is no whole number of seconds",
        ));
    };
    let signatures: Vec<_> = signatures
        .split(' ')
        .filter_map(|entry| entry.split_once(','))
        .filter_map(|(version, encoded)| Some((version, sign::from_base64(encoded)?)))
        .take(SIGNATURES_MAX)
        .collect();
    let signed = signed_content(id, time_text, &request.body);
    if !keys.iter().any(|key| key.matches_any(&signed, &signatures)) {
        return Err(Forged::mismatch(
            "the Standard Webhooks signature does not match: check signing_secret",
        ));
    }
    if is_fresh(time_s, request.received_at_ms) {
        Ok(id)
    } else {
        Err(Forged {
            verdict: Verdict::Expired,
            reason: "the signed timestamp is more than 5 minutes off",
        })
    }
}

fn is_fresh(time_s: i64, received_at_ms: Timestamp) -> bool {
    let signed_ms = time_s.saturating_mul(1_000);
    received_at_ms.abs_diff(signed_ms) <= TOLERANCE_MS
}
