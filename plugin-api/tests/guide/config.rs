//! A section with everything that a form can show.

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use trunkline_plugin_api::SecretList;

/// The keys of `[channel.X.config]`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Signs webhooks: one, or several while it is being rotated.
    signing_key: SecretList,
    /// Where in the world the account is. Default: `eu`.
    #[serde(default)]
    region: Region,
    /// Longest message, in characters; longer ones are refused or split. Default: no limit.
    #[schemars(range(max = 1600))]
    max_len: Option<NonZeroU32>,
}

#[derive(Debug, PartialEq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Region {
    #[default]
    Eu,
    Us,
}

#[test]
fn the_form_knows_secrets_choices_and_defaults() {
    let schema = serde_json::to_value(schemars::schema_for!(Config)).unwrap();
    assert_eq!(schema["required"], json!(["signing_key"]));
    let shown = &schema["properties"];
    assert_eq!(shown["region"]["default"], "eu");
    assert_eq!(shown["max_len"]["maximum"], 1600);
    assert_eq!(schema["$defs"]["SecretList"]["x-secret"], true);
    assert_eq!(schema["$defs"]["Region"]["enum"], json!(["eu", "us"]));
    let given = json!({"signing_key": ["new", "old"], "max_len": 480});
    let config: Config = serde_json::from_value(given).unwrap();
    assert_eq!(config.region, Region::Eu);
    assert_eq!(config.signing_key.first(), Some("new"));
    assert_eq!(config.max_len, NonZeroU32::new(480));
}
