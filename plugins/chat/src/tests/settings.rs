//! The configuration section and what follows from it.

use serde_json::{Value, json};
use trunkline_plugin_api::{
    Capability, ErrorClass, Front, Medium, Probe, ProbeState, testkit::Kit,
};

use super::kit;
use crate::Chat;

#[test]
fn an_empty_section_is_a_whole_channel() {
    let kit = kit();
    let facts = &kit.facts;
    assert!(facts.can_receive && facts.can_send && facts.idempotent_send);
    assert_eq!(facts.fronts, [Front::Chat]);
    assert_eq!(facts.media, [Medium::Chat]);
    assert_eq!(facts.space, "chat");
    assert!(facts.notes.is_empty() && facts.max_len.is_none());
    assert!(
        Kit::<Chat>::manifest()
            .capabilities
            .contains(&Capability::MarkRead)
    );
}

#[test]
fn it_is_always_healthy() {
    let run = kit().probe([]);
    assert_eq!(run.outcome, Ok(Probe::new(ProbeState::Healthy)));
    assert!(run.requests.is_empty());
}

#[test]
fn origins_are_what_a_browser_sends() {
    let origins = json!([
        "https://www.example.org",
        "https://a.example:8443",
        "http://localhost:3000"
    ]);
    let kit =
        Kit::<Chat>::open(json!({"allowed_origins": origins, "title": "Help", "greeting": ""}));
    assert!(kit.facts.notes.is_empty());
    let plain = Kit::<Chat>::open(json!({"allowed_origins": ["http://www.example.org"]}));
    assert_eq!(plain.facts.notes.len(), 1);
}

#[test]
fn what_can_never_work_is_refused_in_words() {
    let long = |len: usize| Value::from("a".repeat(len));
    let table = [
        (json!({"title": ""}), "title is empty"),
        (json!({"title": " "}), "title is empty"),
        (json!({"title": long(101)}), "title is longer than 100"),
        (
            json!({"greeting": long(1001)}),
            "greeting is longer than 1000",
        ),
        (
            json!({"allowed_origins": ["www.example.org"]}),
            "number 1: not an origin",
        ),
        (
            json!({"allowed_origins": ["https://a.example", "*"]}),
            "number 2: not an origin",
        ),
        (
            json!({"allowed_origins": ["ftp://a.example"]}),
            "must begin with https://",
        ),
        (
            json!({"allowed_origins": ["https://a.example/"]}),
            "without a slash",
        ),
        (
            json!({"allowed_origins": ["https://a.example/page"]}),
            "scheme, host and port alone",
        ),
        (
            json!({"allowed_origins": ["https://A.example"]}),
            "lower case",
        ),
        (
            json!({"allowed_origins": ["https://a.example; script-src *"]}),
            "not an origin",
        ),
        (
            json!({"allowed_origins": vec!["https://a.example"; 101]}),
            "more than 100",
        ),
        (json!({"colour": "red"}), "unknown field `colour`"),
    ];
    for (config, words) in table {
        let error = Kit::<Chat>::refused(config.clone());
        assert_eq!(error.class, ErrorClass::Config, "{config}");
        assert!(error.message.contains(words), "{config}: {}", error.message);
    }
}

#[test]
fn the_schema_describes_every_key() {
    let schema = Kit::<Chat>::manifest().config_schema;
    let properties = schema["properties"].as_object().unwrap();
    assert_eq!(schema["additionalProperties"], json!(false));
    let keys: Vec<_> = properties.keys().map(String::as_str).collect();
    assert_eq!(keys, ["title", "greeting", "allowed_origins"]);
    for (key, property) in properties {
        assert!(property["description"].is_string(), "{key}: {property}");
    }
}
