//! The configuration: what a channel can do with it, what is noted, what is refused.

use serde_json::{Value, json};
use trunkline_plugin_api::{ErrorClass, Facts, Medium, testkit::Kit};

use super::{APPLICATION, PRIVATE_KEY, US, messages, messages_kit, sms, sms_kit, with};
use crate::Vonage;

fn open(config: Value) -> Facts {
    Kit::<Vonage>::open(config).facts
}

#[test]
fn facts_of_a_whole_channel() {
    let want = Facts {
        addresses: vec![US.into()],
        can_receive: true,
        can_send: true,
        max_len: Some(3_200),
        accepts_get: true,
        ..Facts::new(Medium::Sms, "phone")
    };
    assert_eq!(sms_kit().facts, want);
    let want = Facts {
        max_len: Some(1_000),
        accepts_get: false,
        ..want
    };
    assert_eq!(messages_kit().facts, want);
}

/// Events name our number as Vonage writes it, so the address is kept in one form.
#[test]
fn addresses() {
    for (from, address) in [
        ("447700900000", "+447700900000"),
        ("+447700900000", "+447700900000"),
        ("12345", "12345"),
        ("Acme", "Acme"),
    ] {
        let facts = open(with(sms(), &json!({"from": from})));
        assert_eq!(facts.addresses, [address]);
    }
}

#[test]
fn either_half_is_enough() {
    let login = json!({"api_key": "k", "api_secret": "s", "from": US});
    let application = json!({
        "api": "messages", "application_id": APPLICATION, "private_key": PRIVATE_KEY, "from": US,
    });
    let rows = [
        (json!({}), (false, false), "only sends"),
        (
            json!({"signature_secret": "s"}),
            (true, false),
            "can't send",
        ),
        (
            json!({"signature_secret": []}),
            (false, false),
            "can't send",
        ),
        (login.clone(), (false, true), "only sends"),
        (
            with(login.clone(), &json!({"from": null})),
            (false, false),
            "without from",
        ),
        (
            with(login.clone(), &json!({"api": "messages"})),
            (false, true),
            "no delivery reports",
        ),
        (application, (false, true), "only sends"),
        (
            json!({"api": "messages", "application_id": APPLICATION, "signature_secret": "s"}),
            (true, false),
            "application_id and private_key",
        ),
        (
            with(
                login,
                &json!({"application_id": APPLICATION, "signature_secret": "s"}),
            ),
            (true, true),
            "only used with api",
        ),
    ];
    for (config, (can_receive, can_send), words) in rows {
        let facts = open(config.clone());
        assert_eq!(
            (facts.can_receive, facts.can_send),
            (can_receive, can_send),
            "{config}"
        );
        let noted = facts.notes.iter().any(|note| note.contains(words));
        assert!(noted, "{config}: {:?}", facts.notes);
    }
}

#[test]
fn an_address_without_tls_is_noted() {
    let facts = open(with(sms(), &json!({"api_base": "http://proxy.example"})));
    assert!(facts.notes[0].contains("credentials can be read on the way"));
    for base in [
        "http://127.0.0.1:1",
        "http://[::1]",
        "http://localhost",
        "https://proxy.example/a",
    ] {
        let facts = open(with(sms(), &json!({"api_base": base})));
        assert_eq!(facts.notes, Vec::<String>::new(), "{base}");
    }
}

/// What can never work is refused, in words that name the key.
#[test]
fn refusals() {
    let damaged = PRIVATE_KEY.replace("\nMII", "\n%%%");
    let cut: String = PRIVATE_KEY.lines().take(3).collect();
    let public = include_str!("keys/public.pem");
    let short = include_str!("keys/short.pem");
    let rows = [
        (json!({"api": "voice"}), "voice"),
        (json!({"api_key": " "}), "api_key"),
        (json!({"api_key": "a:b"}), "api_key"),
        (json!({"api_key": null}), "api_key"),
        (json!({"api_secret": ""}), "api_secret"),
        (
            json!({"signature_secret": ["the-value", ""]}),
            "signature_secret",
        ),
        (json!({"signature_method": "sha3"}), "sha3"),
        (json!({"application_id": ""}), "application_id"),
        (json!({"application_id": null}), "application_id"),
        (json!({"private_key": " "}), "private_key"),
        (
            json!({"private_key": "not-a-key-at-all"}),
            "BEGIN PRIVATE KEY",
        ),
        (json!({"private_key": public}), "BEGIN PRIVATE KEY"),
        (json!({"private_key": cut}), "BEGIN PRIVATE KEY"),
        (json!({"private_key": damaged}), "damaged"),
        (json!({"private_key": short}), "2048"),
        (json!({"from": ""}), "from"),
        (json!({"tolerance_s": -1}), ""),
        (json!({"balance_min": "much"}), ""),
        (json!({"api_base": "api.nexmo.com"}), "api_base"),
        (json!({"api_base": "ftp://api.nexmo.com"}), "api_base"),
        (
            json!({"api_base": "https://user:pass-word@proxy.example"}),
            "api_base",
        ),
        (json!({"api_kee": "1"}), "api_kee"),
    ];
    for (changes, key) in rows {
        let error = Kit::<Vonage>::refused(with(messages(), &changes));
        assert_eq!(error.class, ErrorClass::Config, "{changes}");
        assert!(error.message.contains(key), "{changes}: {}", error.message);
        assert!(!error.message.contains("pass-word"), "{}", error.message);
    }
}

/// Every key is described, every secret is marked, and nothing else is taken.
#[test]
fn the_schema_is_complete() {
    let manifest = Kit::<Vonage>::manifest();
    let schema = &manifest.config_schema;
    assert_eq!(schema["additionalProperties"], Value::Bool(false));
    let properties = schema["properties"].as_object().expect("an object");
    let mut keys: Vec<&str> = properties.keys().map(String::as_str).collect();
    keys.sort_unstable();
    let want = [
        "api",
        "api_base",
        "api_key",
        "api_secret",
        "application_id",
        "balance_min",
        "from",
        "private_key",
        "signature_method",
        "signature_secret",
        "tolerance_s",
    ];
    assert_eq!(keys, want);
    for (key, property) in properties {
        assert!(property["description"].is_string(), "{key}");
        let secret = matches!(
            key.as_str(),
            "api_secret" | "signature_secret" | "private_key"
        );
        let marked = property.to_string().contains("#/$defs/Secret");
        assert_eq!(marked, secret, "{key}");
    }
    for kind in ["Secret", "SecretList"] {
        assert_eq!(schema["$defs"][kind]["x-secret"], Value::Bool(true));
    }
}
