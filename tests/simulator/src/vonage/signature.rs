//! The `sig` parameter of the SMS API (Vonage's page on signing messages).

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};

/// How an account signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureMethod {
    /// "MD5 hash".
    Md5hash,
    /// "MD5 HMAC signature".
    Md5,
    /// "SHA1 HMAC signature".
    Sha1,
    /// "SHA-256 HMAC signature".
    Sha256,
    /// "SHA-512 HMAC signature".
    Sha512,
}

impl SignatureMethod {
    /// All of them, with the words of the channel's configuration.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Md5hash, "md5hash"),
        (Self::Md5, "md5"),
        (Self::Sha1, "sha1"),
        (Self::Sha256, "sha256"),
        (Self::Sha512, "sha512"),
    ];
}

macro_rules! hmac_hex {
    ($hash:ty, $secret:expr, $text:expr) => {{
        let mut mac = Hmac::<$hash>::new_from_slice($secret.as_bytes())
            .expect("HMAC takes a key of any length");
        mac.update($text.as_bytes());
        data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes())
    }};
}

/// The signature of parameters: sorted by name, `&name=value` each, `&` and `=` in values as `_`.
pub fn sign_params(method: SignatureMethod, secret: &str, params: &[(String, String)]) -> String {
    let mut sorted: Vec<&(String, String)> = params.iter().collect();
    sorted.sort_by(|left, right| left.0.cmp(&right.0));
    let mut text = String::new();
    for (name, value) in sorted {
        text.extend(["&", name, "=", &value.replace(['&', '='], "_")]);
    }
    match method {
        SignatureMethod::Md5hash => {
            let hash = Md5::digest(format!("{text}{secret}").as_bytes());
            data_encoding::HEXLOWER.encode(&hash)
        }
        SignatureMethod::Md5 => hmac_hex!(Md5, secret, text),
        SignatureMethod::Sha1 => hmac_hex!(sha1::Sha1, secret, text),
        SignatureMethod::Sha256 => hmac_hex!(sha2::Sha256, secret, text),
        SignatureMethod::Sha512 => hmac_hex!(sha2::Sha512, secret, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Published in the tests of Vonage's Python SDK.
    #[test]
    fn published_signatures_are_met() {
        let params = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            pairs.iter().map(own).collect()
        };
        let plain = params(&[
            ("timestamp", "1234567890"),
            ("param1", "value1"),
            ("param2", "value2"),
        ]);
        let odd = params(&[
            ("timestamp", "1234567890"),
            ("param1", "value&1"),
            ("param2", "value=2"),
        ]);
        let rows = [
            (
                SignatureMethod::Md5,
                &plain,
                "724c2bf6ca423c36e20631b11d1c5753",
            ),
            (
                SignatureMethod::Sha256,
                &plain,
                "280c4320703dbc98bfa22db676655ed2acfbfe8792b062ff7622e67f1183c287",
            ),
            (
                SignatureMethod::Md5,
                &odd,
                "2bbf0abafb2c55e5af6231513896a2ac",
            ),
            (
                SignatureMethod::Md5hash,
                &plain,
                "d72f75ac8cda9bbce891c4fa62bee6cd",
            ),
        ];
        for (method, params, expected) in rows {
            assert_eq!(sign_params(method, "signature_secret", params), expected);
        }
    }
}
