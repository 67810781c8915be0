//! `X-Twilio-Signature`, computed from Twilio's "Validating requests are coming from Twilio".

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

/// The signature of a form POST (of a GET with no `params`): base64 of HMAC-SHA1 under `token`. The
/// fragment and the user info of `url` are left out, everything else of it counts byte for byte.
pub fn sign_form(token: &str, url: &str, params: &[(String, String)]) -> String {
    let mut mac =
        Hmac::<Sha1>::new_from_slice(token.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(signed_text(url, params).as_bytes());
    BASE64.encode(&mac.finalize().into_bytes())
}

/// The same under a shared key, with SHA-256.
pub(super) fn sign_form_sha256(secret: &str, url: &str, params: &[(String, String)]) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(signed_text(url, params).as_bytes());
    BASE64.encode(&mac.finalize().into_bytes())
}

/// URL, then every name with each of its distinct values, both sorted by bytes.
fn signed_text(url: &str, params: &[(String, String)]) -> String {
    let mut sorted: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, value) in params {
        sorted.entry(name).or_default().insert(value);
    }
    let mut text = without_user_info(without_fragment(url));
    for (name, values) in sorted {
        for value in values {
            text.push_str(name);
            text.push_str(value);
        }
    }
    text
}

/// The URL up to its `#`.
pub(super) fn without_fragment(url: &str) -> &str {
    url.split_once('#').map_or(url, |(address, _)| address)
}

/// The URL without `user:password@`.
fn without_user_info(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef0123456789abcdef";

    fn pairs(params: &[(&str, &str)]) -> Vec<(String, String)> {
        params
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn check(token: &str, url: &str, params: &[(&str, &str)], signature: &str) {
        assert_eq!(sign_form(token, url, &pairs(params)), signature, "{url}");
    }

    #[test]
    fn published_vector_of_the_documentation() {
        let params = [
            ("CallSid", "CA1234567890ABCDE"),
            ("Caller", "+14158675310"),
            ("Digits", "1234"),
            ("From", "+14158675310"),
            ("To", "+18005551212"),
        ];
        let url = "https://example.com/myapp.php?foo=1&bar=2";
        check("12345", url, &params, "L/OH5YylLD5NRKLltdqwSvS0BnU=");
    }

    #[test]
    fn published_vectors_of_the_python_library() {
        let params = [
            ("CallSid", "CA1234567890ABCDE"),
            ("Digits", "1234"),
            ("From", "+14158675309"),
            ("To", "+18005551212"),
            ("Caller", "+14158675309"),
        ];
        for (origin, signature) in [
            ("https://mycompany.com", "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
            ("https://mycompany.com:443", "kvajT1Ptam85bY51eRf/AJRuM3w="),
            ("http://mycompany.com:80", "0ZXoZLH/DfblKGATFgpif+LLRf4="),
            ("http://mycompany.com:1234", "Zmvh+3yNM1Phv2jhDCwEM3q5ebU="),
        ] {
            let url = format!("{origin}/myapp.php?foo=1&bar=2");
            check("12345", &url, &params, signature);
        }
    }

    #[test]
    fn repeated_parameters_count_once_per_value() {
        let params = [
            ("Sid", "CA123"),
            ("SidAccount", "AC123"),
            ("Digits", "5678"),
            ("Digits", "1234"),
            ("Digits", "1234"),
        ];
        let url = "https://mycompany.com/myapp.php?foo=1&bar=2";
        check("12345", url, &params, "IK+Dwps556ElfBT0I3Rgjkr1wJU=");
    }

    #[test]
    fn port_escapes_utf8_and_trailing_space() {
        let sid = "SM00000000000000000000000000000001";
        let params = [
            ("ToCountry", "US"),
            ("MessageSid", sid),
            ("SmsSid", sid),
            ("AccountSid", "AC00000000000000000000000000000001"),
            ("From", "+15005550101"),
            ("To", "+15005550102"),
            ("Body", "Hello & welcome: 50% off? é😀 "),
            ("NumMedia", "0"),
            ("NumSegments", "1"),
        ];
        let url = "https://gw.example.com:8443/in/twilio/acme?tenant=a%20b";
        let signature = "jybBVNy+3t0nkkVwh1x1AvTphmE=";
        check(TOKEN, url, &params, signature);
        let dressed = "https://me:pass@gw.example.com:8443/in/twilio/acme?tenant=a%20b#rc=3&rp=all";
        check(TOKEN, dressed, &params, signature);
    }

    #[test]
    fn empty_values_count_by_name() {
        let params = [
            ("MessageSid", "SM00000000000000000000000000000002"),
            ("MessageStatus", "delivered"),
            ("To", "whatsapp:+15005550101"),
            ("From", "whatsapp:+15005550102"),
            ("AccountSid", "AC00000000000000000000000000000001"),
            ("EventType", "DELIVERED"),
            ("Empty", ""),
        ];
        let url = "https://gw.example.com/in/twilio/acme";
        check(TOKEN, url, &params, "zPNRDamU/rvyKHwxdPxjF8lnve4=");
    }

    #[test]
    fn a_get_signs_its_address() {
        let url = "https://gw.example.com/in/twilio/acme?Body=Hi+there&From=%2B15005550101&To=%2B15005550102";
        check(TOKEN, url, &[], "qbJPGK17qRBFZJ+tNS+OFeOXWWI=");
    }
}
