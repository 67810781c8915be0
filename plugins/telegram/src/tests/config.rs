//! Configurations, whole, half and wrong.

use serde_json::json;
use trunkline_plugin_api::{ErrorClass, Medium, testkit::Kit};

use super::{BOT, SECRET, TOKEN, config, kit};
use crate::Telegram;

#[test]
fn a_whole_configuration() {
    let facts = kit().facts;
    assert_eq!(facts.addresses, [BOT]);
    assert_eq!(
        (facts.media, facts.space.as_str()),
        (vec![Medium::Chat], "telegram")
    );
    assert_eq!((facts.can_receive, facts.can_send), (true, true));
    assert_eq!((facts.max_len, facts.notes.len()), (Some(4096), 0));
}

#[test]
fn half_a_configuration_is_valid() {
    let rows = [
        (json!({}), (false, false), 0),
        (json!({"bot_token": TOKEN}), (false, true), 0),
        (json!({"secret_token": [SECRET, "next"]}), (true, false), 1),
    ];
    for (config, can, notes) in rows {
        let facts = Kit::<Telegram>::open(config).facts;
        assert_eq!((facts.can_receive, facts.can_send), can);
        assert_eq!(facts.notes.len(), notes, "{:?}", facts.notes);
    }
}

#[test]
fn what_can_never_work_is_refused() {
    let long = "a".repeat(257);
    let rows = [
        (json!({"bot_token": "no colon"}), "bot_token"),
        (json!({"bot_token": "abc:defghijkl"}), "bot_token"),
        (json!({"bot_token": "123:../../etc"}), "bot_token"),
        (json!({"bot_token": "110201543:"}), "bot_token"),
        (json!({"secret_token": "with spaces"}), "secret_token"),
        (json!({"secret_token": ""}), "secret_token"),
        (json!({"secret_token": ["good-one", long]}), "secret_token"),
        (json!({"api_base": "ftp://api.example.org"}), "api_base"),
        (
            json!({"api_base": "https://u:p@api.example.org"}),
            "api_base",
        ),
        (json!({"api_base": "https://api.example.org?a"}), "api_base"),
        (json!({"api_base": "nonsense"}), "api_base"),
    ];
    for (config, key) in rows {
        let error = Kit::<Telegram>::refused(config.clone());
        assert_eq!(error.class, ErrorClass::Config, "{config}");
        assert!(error.message.contains(key), "{config}: {error}");
    }
}

#[test]
fn plain_http_is_noted_but_on_this_machine() {
    for (base, notes) in [
        ("http://api.example.org", 1),
        ("http://127.0.0.1:8081", 0),
        ("http://localhost:8081/", 0),
        ("http://[::1]:8081", 0),
    ] {
        let mut config = config();
        config["api_base"] = base.into();
        let facts = Kit::<Telegram>::open(config).facts;
        assert_eq!(facts.notes.len(), notes, "{base}");
    }
}

/// `trunkline check` and the console's form show these words.
#[test]
fn every_key_is_described_and_secrets_are_marked() {
    let schema = Kit::<Telegram>::manifest().config_schema;
    for key in ["bot_token", "secret_token", "api_base"] {
        let property = &schema["properties"][key];
        assert!(property["description"].is_string(), "{key}: {property}");
        let marked = property.to_string().contains("x-secret")
            || property.to_string().contains("#/$defs/Secret");
        assert_eq!(marked, key != "api_base", "{property}");
    }
}
