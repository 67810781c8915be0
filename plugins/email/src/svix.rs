//! Svix signatures, which Resend's webhooks carry (Standard Webhooks 1.0.0 under other header names).
//!
//! ```text
//! {svix-id}.{svix-timestamp}.{body} ──HMAC-SHA256 under whsec_──> v1,base64
//! ```

use trunkline_plugin_api::{Verdict, WebhookRequest, sign};

use crate::proof::Forged;

/// How far the signed time may be off, both ways, in milliseconds (Svix's libraries).
const TOLERANCE_MS: u64 = 300_000;
/// Signatures of one request that are looked at; a rotation never makes more.
const SIGNATURES_MAX: usize = 32;

/// One webhook secret.
pub(crate) struct Key(Vec<u8>);

impl Key {
    /// Reads `whsec_...`, the prefix optional; the error never quotes the secret.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let encoded = text.strip_prefix("whsec_").unwrap_or(text);
        let key = sign::from_base64(encoded).filter(|key| !key.is_empty());
        key.map(Self)
            .ok_or("not whsec_ followed by base64 (with its padding)")
    }
}

/// True where a request claims to be signed.
pub(crate) fn is_signed(request: &WebhookRequest) -> bool {
    header(request, "signature").is_some()
}

/// Checks that one of the keys signed this request, of late.
pub(crate) fn verify(keys: &[Key], request: &WebhookRequest) -> Result<(), Forged> {
    let id = header(request, "id").filter(|id| !id.is_empty() && !id.contains('.'));
    let time =
        header(request, "timestamp").and_then(|text| Some((text, text.parse::<i64>().ok()?)));
    let (Some(id), Some((time_text, time_s))) = (id, time) else {
        return Err(Forged::mismatch(
            "svix-id or svix-timestamp is missing or malformed",
        ));
    };
    let signatures: Vec<_> = header(request, "signature")
        .unwrap_or_default()
        .split(' ')
        .filter_map(|entry| entry.strip_prefix("v1,"))
        .filter_map(sign::from_base64)
        .take(SIGNATURES_MAX)
        .collect();
    let signed = [
        id.as_bytes(),
        b".",
        time_text.as_bytes(),
        b".",
        &request.body,
    ];
    let genuine = keys.iter().any(|key| {
        let mac = sign::hmac_sha256_of(&key.0, &signed);
        signatures.iter().any(|given| sign::equal(&mac, given))
    });
    if !genuine {
        return Err(Forged::mismatch(
            "svix-signature does not match: check webhook_secret",
        ));
    }
    let off = request
        .received_at_ms
        .abs_diff(time_s.saturating_mul(1_000));
    if off > TOLERANCE_MS {
        return Err(Forged {
            verdict: Verdict::Expired,
            reason: "the signed timestamp is more than 5 minutes off",
        });
    }
    Ok(())
}

/// A header of the signature, under Svix's name or the specification's.
fn header<'r>(request: &'r WebhookRequest, name: &str) -> Option<&'r str> {
    request
        .header(&format!("svix-{name}"))
        .or_else(|| request.header(&format!("webhook-{name}")))
}
