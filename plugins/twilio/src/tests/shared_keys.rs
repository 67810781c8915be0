//! Webhooks that are signed with a shared key and HMAC-SHA256: the header picks the key, and
//! never a weaker check.

use serde_json::json;
use trunkline_plugin_api::{Verdict, WebhookRequest, sign, testkit, testkit::Kit};

use super::{HOOK, TOKEN, config_with, encoded, message};
use crate::Twilio;

const NEW: &str = "shared-secret-new";
const OLD: &str = "shared-secret-old";

fn kit() -> Kit<Twilio> {
    let keys = json!({"K1": [NEW, OLD], "K2": "shared-secret-other"});
    Kit::open(config_with(&json!({"shared_keys": keys})))
}

fn request(settings: &str, mac: impl Fn(&[u8]) -> Vec<u8>) -> WebhookRequest {
    let mut params = message(&[("Body", "Hi")]);
    params.sort_unstable();
    let mut request = testkit::form(HOOK, &encoded(&params));
    let pairs = params.iter().map(|(name, value)| [*name, *value].concat());
    let signed = HOOK.to_owned() + &pairs.collect::<String>();
    let signature = sign::base64(&mac(signed.as_bytes()));
    for (name, value) in [
        ("x-twilio-signature", signature.as_str()),
        ("x-twilio-webhooks-signature-settings", settings),
    ] {
        request.headers.push((name.into(), value.into()));
    }
    request
}

fn sha256(key: &str) -> impl Fn(&[u8]) -> Vec<u8> {
    move |signed| sign::hmac_sha256(key.as_bytes(), signed).to_vec()
}

fn sha1(key: &str) -> impl Fn(&[u8]) -> Vec<u8> {
    move |signed| sign::hmac_sha1(key.as_bytes(), signed).to_vec()
}

#[test]
fn the_named_key_verifies() {
    for settings in [
        "key=K1,algorithm=HMAC_SHA256",
        "algorithm=HMAC_SHA256,key=K1",
        " key = K1 , algorithm = HMAC_SHA256 , later=yes",
    ] {
        for key in [NEW, OLD] {
            let received = kit().receive(&request(settings, sha256(key)));
            assert_eq!(received.verdict, Verdict::Authentic, "{settings} {key}");
            assert_eq!(received.events.len(), 1);
        }
    }
    let genuine = request("key=K1,algorithm=HMAC_SHA256", sha256(NEW));
    kit().tamper(&genuine);
    kit().fuzz(&genuine);
}

#[test]
fn nothing_is_downgraded() {
    let named = "key=K1,algorithm=HMAC_SHA256";
    let rows = [
        (
            "other key's secret",
            request(named, sha256("shared-secret-other")),
        ),
        ("SHA-1 with the shared key", request(named, sha1(NEW))),
        ("auth token instead", request(named, sha1(TOKEN))),
        ("auth token with SHA-256", request(named, sha256(TOKEN))),
        (
            "unknown key, auth token",
            request("key=K9,algorithm=HMAC_SHA256", sha1(TOKEN)),
        ),
        (
            "unknown key, token with SHA-256",
            request("key=K9,algorithm=HMAC_SHA256", sha256(TOKEN)),
        ),
        (
            "empty key name",
            request("key=,algorithm=HMAC_SHA256", sha256("")),
        ),
        (
            "SHA-1 asked for",
            request("key=K1,algorithm=HMAC_SHA1", sha1(NEW)),
        ),
        ("no algorithm", request("key=K1", sha1(NEW))),
        ("no algorithm, auth token", request("key=K1", sha1(TOKEN))),
        (
            "unknown algorithm",
            request("key=K1,algorithm=none", sha256(NEW)),
        ),
        (
            "no key named",
            request("algorithm=HMAC_SHA256", sha256(TOKEN)),
        ),
        ("no settings, shared key", request("", sha256(NEW))),
        ("no settings, SHA-1 shared key", request("", sha1(NEW))),
    ];
    for (what, request) in rows {
        let received = kit().receive(&request);
        assert_eq!(received.verdict, Verdict::Mismatch, "{what}");
        assert!(received.events.is_empty(), "{what}");
    }
}

/// The auth token verifies where no key is named.
#[test]
fn the_auth_token_is_the_default() {
    for settings in ["", "algorithm=HMAC_SHA1", "version=2"] {
        let received = kit().receive(&request(settings, sha1(TOKEN)));
        assert_eq!(received.verdict, Verdict::Authentic, "{settings:?}");
    }
}

/// Without an auth token only the shared keys count, and an empty list is no key.
#[test]
fn shared_keys_are_enough() {
    let kit = Kit::<Twilio>::open(json!({"shared_keys": {"K1": NEW, "K2": []}}));
    assert!(kit.facts.can_receive);
    let verdict = |settings: &str, key: &str| kit.receive(&request(settings, sha256(key))).verdict;
    assert_eq!(
        verdict("key=K1,algorithm=HMAC_SHA256", NEW),
        Verdict::Authentic
    );
    assert_eq!(
        verdict("key=K2,algorithm=HMAC_SHA256", ""),
        Verdict::Mismatch
    );
    let unnamed = kit.receive(&request("", sha1("")));
    assert_eq!(unnamed.verdict, Verdict::Mismatch);
    let none = Kit::<Twilio>::open(json!({"shared_keys": {"K1": []}}));
    assert!(!none.facts.can_receive);
}
