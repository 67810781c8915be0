//! The adapters' own sections against their schemas.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use trunkline_plugin_api::{Secret, SecretList, schemars};

use super::{TOKEN, Written};

/// A section as an adapter might have it, secrets in all positions.
#[allow(dead_code)]
#[derive(Deserialize, schemars::JsonSchema)]
struct Section {
    account_sid: String,
    auth_token: Option<Secret>,
    #[serde(default)]
    signing: SecretList,
    #[serde(default)]
    shared_keys: BTreeMap<String, Secret>,
    max_len: Option<u32>,
    #[serde(default)]
    api: Api,
    fields: Option<Fields>,
}

#[derive(Default, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Api {
    /// Short messages only.
    #[default]
    Sms,
    /// All media.
    Messages,
}

#[allow(dead_code)]
#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Fields {
    id: Option<String>,
    text: Option<String>,
}

fn schema(adapter: &str) -> Option<Value> {
    (adapter == "known").then(|| schemars::schema_for!(Section).to_value())
}

fn findings(section: &str) -> (Vec<String>, Vec<String>) {
    let written = Written::new(&format!(
        "[channel.a]\nadapter = \"known\"\nwebhook_token = {{ env = \"TOKEN\" }}\n[channel.a.config]\n{section}\n"
    ))
    .env("TOKEN", TOKEN);
    let found = written.valid().check_adapters(&schema);
    (written.lines(&found.errors), written.lines(&found.warnings))
}

#[test]
fn mistakes_are_told_with_their_line() {
    let cases: &[(&str, &[&str])] = &[
        ("account_sid = \"AC\"", &[]),
        ("", &["4: channel.a.config: account_sid is missing"]),
        (
            "account_sid = \"AC\"\nacount_sid = \"AC\"\nzebra = 1",
            &[
                "6: channel.a.config.acount_sid: unknown key; did you mean \"account_sid\"?",
                "7: channel.a.config.zebra: unknown key; known here are account_sid, auth_token, \
                 signing, shared_keys, max_len, api, fields",
            ],
        ),
        (
            "account_sid = 5\nmax_len = \"hush\"\nauth_token = [\"hush\"]",
            &[
                "5: channel.a.config.account_sid: must be a string, is an integer: put it in double quotes",
                "6: channel.a.config.max_len: must be an integer, is a string",
                "7: channel.a.config.auth_token: must be a string, is a list",
            ],
        ),
        (
            "account_sid = \"AC\"\napi = \"hush\"\nmax_len = -1",
            &[
                "6: channel.a.config.api: must be one of \"sms\", \"messages\"",
                "7: channel.a.config.max_len: must be at least 0",
            ],
        ),
        (
            "account_sid = \"AC\"\nfields = { id = \"/id\", txt = \"/text\" }\nsigning = [\n  \"hush\",\n  3,\n]",
            &[
                "6: channel.a.config.fields.txt: unknown key; did you mean \"text\"?",
                "9: channel.a.config.signing[1]: must be a string, is an integer: put it in double quotes",
            ],
        ),
    ];
    for (section, expected) in cases {
        let (errors, _) = findings(section);
        let expected: Vec<_> = expected
            .iter()
            .map(|line| format!("trunkline.toml:{line}"))
            .collect();
        assert_eq!(errors, expected, "{section}");
    }
}

#[test]
fn secrets_in_plain_sight_are_warned_of_wherever_the_schema_has_them() {
    let (errors, warnings) = findings(
        "account_sid = \"AC\"\nauth_token = \"hush\"\nsigning = [\"hush\", { env = \"TOKEN\" }]\nshared_keys = { k1 = \"hush\" }",
    );
    assert_eq!(errors, [""; 0]);
    let keys: Vec<_> = warnings
        .iter()
        .filter_map(|line| line.split(": ").nth(1))
        .collect();
    assert_eq!(
        keys,
        [
            "channel.a.config.auth_token",
            "channel.a.config.signing[0]",
            "channel.a.config.shared_keys.k1"
        ]
    );
    assert!(!warnings.join("").contains("hush"));
}

#[test]
fn an_adapter_that_is_not_loaded_is_a_warning() {
    let written = Written::new("[channel.a]\nadapter = \"nobody\"\n");
    let found = written.valid().check_adapters(&schema);
    assert!(found.errors.is_empty());
    assert_eq!(
        written.lines(&found.warnings),
        [
            "trunkline.toml:2: channel.a.adapter: adapter \"nobody\" is not loaded: the channel will be down"
        ]
    );
}

#[test]
fn a_hostile_schema_does_no_harm() {
    let schemas = [
        json!(null),
        json!(true),
        json!({ "type": 5 }),
        json!({ "$ref": "https://schema.example/away" }),
        json!({ "$ref": "#" }),
        json!({ "$defs": { "a": { "anyOf": [{ "$ref": "#/$defs/a" }, { "$ref": "#/$defs/a" }] } },
                "properties": { "x": { "$ref": "#/$defs/a" } } }),
    ];
    for schema in schemas {
        let written =
            Written::new("[channel.a]\nadapter = \"x\"\n[channel.a.config]\nx = \"hush\"\n");
        let found = written.valid().check_adapters(&|_| Some(schema.clone()));
        assert!(
            !written.lines(&found.errors).join("").contains("hush"),
            "{schema}"
        );
    }
}
