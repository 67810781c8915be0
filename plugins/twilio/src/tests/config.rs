//! The configuration: what a channel can do with it, what is noted, what is refused.

use serde_json::{Value, json};
use trunkline_plugin_api::{ErrorClass, Facts, Medium, testkit::Kit};

use super::{ACCOUNT, US, config, config_with, kit, kit_with};
use crate::Twilio;

#[test]
fn facts_of_a_whole_channel() {
    let want = Facts {
        addresses: vec![US.into()],
        can_receive: true,
        can_send: true,
        max_len: Some(1_600),
        accepts_get: true,
        webhook_url_suffix: "#rc=3&rp=all".into(),
        ..Facts::new(Medium::Sms, "phone")
    };
    assert_eq!(kit().facts, want);
    let whatsapp = Facts {
        addresses: vec!["whatsapp:+15005550102".into()],
        media: vec![Medium::Whatsapp],
        space: "whatsapp".into(),
        reply_window_ms: Some(86_400_000),
        ..want
    };
    assert_eq!(
        kit_with(&json!({"from": "whatsapp:+15005550102"})).facts,
        whatsapp
    );
}

#[test]
fn either_half_is_enough() {
    let rows = [
        (json!({}), (false, false)),
        (json!({"auth_token": "t"}), (true, false)),
        (json!({"auth_token": []}), (false, false)),
        (json!({"shared_keys": {"K": "s"}}), (true, false)),
        (
            json!({"account_sid": ACCOUNT, "auth_token": "t"}),
            (true, false),
        ),
        (
            json!({"account_sid": ACCOUNT, "auth_token": "t", "messaging_service_sid": "MG1"}),
            (true, true),
        ),
        (json!({"account_sid": ACCOUNT, "from": US}), (false, false)),
        (
            json!({"account_sid": ACCOUNT, "api_key_sid": "SK1", "api_key_secret": "s", "from": US}),
            (false, true),
        ),
    ];
    for (config, (can_receive, can_send)) in rows {
        let facts = Kit::<Twilio>::open(config.clone()).facts;
        assert_eq!(
            (facts.can_receive, facts.can_send),
            (can_receive, can_send),
            "{config}"
        );
    }
}

#[test]
fn lengths() {
    for (max_len, want) in [(json!(1), 1), (json!(1_600), 1_600), (json!(4_096), 1_600)] {
        let facts = kit_with(&json!({"max_len": max_len})).facts;
        assert_eq!(facts.max_len, Some(want));
        assert_eq!(facts.notes.len(), usize::from(max_len == json!(4_096)));
    }
}

#[test]
fn notes() {
    let rows = [
        (
            json!({"account_sid": "ACx"}),
            "account_sid does not look like `AC`",
        ),
        (
            json!({"messaging_service_sid": "MG1"}),
            "messaging_service_sid does not look like `MG`",
        ),
        (
            json!({"api_key_sid": ACCOUNT, "api_key_secret": "s"}),
            "api_key_sid does not look like `SK`",
        ),
        (
            json!({"api_base": "http://proxy.example"}),
            "credentials can be read on the way",
        ),
        (
            json!({"account_sid": null}),
            "without account_sid this channel can't send",
        ),
    ];
    for (changes, words) in rows {
        let notes = kit_with(&changes).facts.notes;
        assert!(
            matches!(notes.as_slice(), [note] if note.contains(words)),
            "{changes}: {notes:?}"
        );
    }
    for base in [
        "http://127.0.0.1:1",
        "http://[::1]",
        "http://localhost",
        "https://proxy.example/a",
    ] {
        assert_eq!(
            kit_with(&json!({"api_base": base})).facts.notes,
            Vec::<String>::new(),
            "{base}"
        );
    }
}

/// What can never work is refused, in words that name the key.
#[test]
fn refusals() {
    let rows = [
        (json!({"account_sid": ""}), "account_sid"),
        (json!({"account_sid": "AC:1"}), "account_sid"),
        (json!({"auth_token": ""}), "auth_token"),
        (json!({"auth_token": ["token", ""]}), "auth_token"),
        (json!({"shared_keys": {"K1": ""}}), "K1"),
        (json!({"from": " "}), "from"),
        (json!({"from": "whatsapp:"}), "from"),
        (
            json!({"messaging_service_sid": ""}),
            "messaging_service_sid",
        ),
        (json!({"api_key_sid": "SK1"}), "api_key_secret"),
        (json!({"api_key_secret": "the-key-itself"}), "api_key_sid"),
        (
            json!({"api_key_sid": "SK:1", "api_key_secret": "the-key-itself"}),
            "api_key_sid",
        ),
        (json!({"api_base": "api.twilio.com"}), "api_base"),
        (json!({"api_base": "ftp://api.twilio.com"}), "api_base"),
        (json!({"api_base": "https://user:pass-word@"}), "api_base"),
        (
            json!({"api_base": "https://user:pass-word@proxy.example"}),
            "api_base",
        ),
        (json!({"api_base": "https://proxy.example?a=1"}), "api_base"),
        (json!({"max_len": 0}), ""),
        (json!({"acount_sid": "AC1"}), "acount_sid"),
        (json!({"auth_token": 7}), ""),
    ];
    for (changes, key) in rows {
        let error = Kit::<Twilio>::refused(config_with(&changes));
        assert_eq!(error.class, ErrorClass::Config, "{changes}");
        assert!(error.message.contains(key), "{changes}: {}", error.message);
        assert!(!error.message.contains("pass-word"), "{}", error.message);
    }
}

/// Every key is described, every secret is marked, and nothing else is taken.
#[test]
fn the_schema_is_complete() {
    let manifest = Kit::<Twilio>::manifest();
    let schema = &manifest.config_schema;
    assert_eq!(schema["additionalProperties"], Value::Bool(false));
    let properties = schema["properties"].as_object().expect("an object");
    let mut keys: Vec<&str> = properties.keys().map(String::as_str).collect();
    keys.sort_unstable();
    let want = [
        "account_sid",
        "api_base",
        "api_key_secret",
        "api_key_sid",
        "auth_token",
        "from",
        "max_len",
        "messaging_service_sid",
        "shared_keys",
    ];
    assert_eq!(keys, want);
    for (key, property) in properties {
        assert!(property["description"].is_string(), "{key}");
        let secret = matches!(
            key.as_str(),
            "api_key_secret" | "auth_token" | "shared_keys"
        );
        let marked = property.to_string().contains("#/$defs/SecretList");
        assert_eq!(marked, secret, "{key}");
    }
    assert_eq!(schema["$defs"]["SecretList"]["x-secret"], Value::Bool(true));
    assert!(config()["auth_token"].is_string());
}
