//! Verifies the `sig` parameter (Vonage's page on signing messages).

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use schemars::JsonSchema;
use serde::Deserialize;
use trunkline_plugin_api::{Verdict, WebhookRequest, sign};

use super::Params;
use crate::{config::Settings, token::Forged};

/// How an account signs, by its settings at Vonage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Method {
    /// MD5 of the text with the secret behind it: "MD5 hash".
    #[default]
    Md5hash,
    /// HMAC with MD5.
    Md5,
    /// HMAC with SHA-1.
    Sha1,
    /// HMAC with SHA-256.
    Sha256,
    /// HMAC with SHA-512.
    Sha512,
}

impl Method {
    /// The signature of a text under a secret, as bytes.
    pub(crate) fn sign(self, secret: &str, text: &str) -> Vec<u8> {
        let (key, text) = (secret.as_bytes(), text.as_bytes());
        match self {
            Self::Md5hash => Md5::new()
                .chain_update(text)
                .chain_update(key)
                .finalize()
                .to_vec(),
            Self::Md5 => {
                let mut mac =
                    Hmac::<Md5>::new_from_slice(key).expect("HMAC takes a key of any length");
                mac.update(text);
                mac.finalize().into_bytes().to_vec()
            }
            Self::Sha1 => sign::hmac_sha1(key, text).to_vec(),
            Self::Sha256 => sign::hmac_sha256(key, text).to_vec(),
            Self::Sha512 => sign::hmac_sha512(key, text).to_vec(),
        }
    }
}

/// Checks that Vonage sent these parameters, and not long ago.
pub(crate) fn verify(
    settings: &Settings,
    request: &WebhookRequest,
    params: &Params,
) -> Result<(), Forged> {
    let Some(given) = params.get("sig") else {
        return Err(Forged::new(
            Verdict::Unsigned,
            "the sig parameter is missing: have Vonage's support turn on signed webhooks",
        ));
    };
    let given = sign::from_hex(given).ok_or(Forged::mismatch("sig is not hexadecimal"))?;
    let text = params.canonical();
    let genuine = settings
        .secrets
        .iter()
        .any(|secret| sign::equal(&settings.method.sign(secret, &text), &given));
    if !genuine {
        return Err(Forged::mismatch(
            "sig does not match: check signature_secret and signature_method",
        ));
    }
    let signed_s = params
        .filled("timestamp")
        .and_then(|text| text.parse().ok());
    Forged::unless_recent(signed_s, settings, request)
}
