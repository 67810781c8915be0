//! The configuration section: what it makes possible, and what is refused.

use serde_json::{Value, json};
use trunkline_plugin_api::{ErrorClass, Medium, testkit::Kit};

use super::{HUB_SECRET, SECRET, WHSEC, kit};
use crate::Webhook;

#[test]
fn facts_follow_the_configuration() {
    let url = "https://example.org/in";
    let short = "AAECAwQFBgcICQoLDA0ODw==";
    let table: Vec<(Value, bool, bool, &[&str])> = vec![
        (json!({}), false, false, &[]),
        (json!({"secret": SECRET}), true, false, &[]),
        (json!({"hub_secret": [HUB_SECRET]}), true, false, &[]),
        (json!({"signing_secret": WHSEC}), true, false, &[]),
        (
            json!({"signing_secret": WHSEC.strip_prefix("whsec_")}),
            true,
            false,
            &[],
        ),
        (json!({"signing_secret": []}), false, false, &[]),
        (json!({"url": url, "url_secret": WHSEC}), false, true, &[]),
        (json!({"url": url}), false, true, &["unsigned"]),
        (
            json!({"url": "http://127.0.0.1:1/", "url_secret": WHSEC}),
            false,
            true,
            &[],
        ),
        (
            json!({"url": "http://example.org/", "url_secret": WHSEC}),
            false,
            true,
            &["plain http"],
        ),
        (
            json!({"url_secret": WHSEC}),
            false,
            false,
            &["nothing without url"],
        ),
        (
            json!({"signing_secret": short}),
            true,
            false,
            &["signing_secret is shorter"],
        ),
        (
            json!({"url": url, "url_secret": short}),
            false,
            true,
            &["url_secret is shorter"],
        ),
    ];
    for (config, can_receive, can_send, notes) in table {
        let facts = kit(config.clone()).facts;
        assert_eq!(
            (facts.can_receive, facts.can_send),
            (can_receive, can_send),
            "{config}"
        );
        assert_eq!(
            facts.notes.len(),
            notes.len(),
            "{config}: {:?}",
            facts.notes
        );
        for (note, words) in facts.notes.iter().zip(notes) {
            assert!(note.contains(words), "{config}: {note}");
        }
        assert_eq!(
            (facts.media, facts.space.as_str()),
            (vec![Medium::Webhook], "webhook")
        );
        assert!(facts.idempotent_send && !facts.accepts_get);
    }
    assert_eq!(kit(json!({"max_len": 10})).facts.max_len, Some(10));
}

#[test]
fn what_can_never_work_is_refused_in_words() {
    let table = [
        (json!({"secret": ""}), "secret is empty"),
        (
            json!({"hub_secret": ["good enough", ""]}),
            "hub_secret is empty",
        ),
        (
            json!({"signing_secret": "whsec_not base64"}),
            "signing_secret, number 1: not whsec_",
        ),
        (
            json!({"signing_secret": [WHSEC, "whsec_!"]}),
            "signing_secret, number 2: not whsec_",
        ),
        (json!({"signing_secret": "whpk_AAAA"}), "32 bytes in base64"),
        (
            json!({"signing_secret": "whsk_AAAA"}),
            "this is the private key",
        ),
        (
            json!({"url_secret": "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="}),
            "url_secret, number 1",
        ),
        (json!({"url": "example.org"}), "url is not a URL"),
        (json!({"url": ""}), "url is not a URL"),
        (json!({"url": "ftp://example.org/"}), "url must be http"),
        (
            json!({"url": "https://ada:secret@example.org/"}),
            "without user name",
        ),
        (
            json!({"fields": {"from": "user"}}),
            "fields.from is not a JSON pointer",
        ),
        (
            json!({"fields": {"text": ""}}),
            "fields.text is not a JSON pointer",
        ),
        (
            json!({"fields": {"name": "/a~2b"}}),
            "fields.name is not a JSON pointer",
        ),
        (
            json!({"fields": {"sender": "/a"}}),
            "unknown field `sender`",
        ),
        (json!({"max_len": 0}), "nonzero"),
        (json!({"secrets": SECRET}), "unknown field `secrets`"),
    ];
    for (config, words) in table {
        let error = Kit::<Webhook>::refused(config.clone());
        assert_eq!(error.class, ErrorClass::Config, "{config}");
        assert!(error.message.contains(words), "{config}: {}", error.message);
    }
}

#[test]
fn the_schema_describes_every_key_and_marks_secrets() {
    let schema = Kit::<Webhook>::manifest().config_schema;
    let properties = schema["properties"].as_object().unwrap();
    assert_eq!(schema["additionalProperties"], json!(false));
    for (key, property) in properties {
        assert!(property["description"].is_string(), "{key}: {property}");
        let text = property.to_string();
        let is_secret = text.contains("x-secret") || text.contains("#/$defs/Secret");
        assert_eq!(is_secret, key.contains("secret"), "{key}: {property}");
    }
    assert_eq!(properties.len(), 7);
}
