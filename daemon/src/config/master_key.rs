//! `[secrets]`: the key that sealed secrets are opened with.
//!
//! Keys are looked for in this order; the first one found seals, all of them open:
//! `[secrets] key`, the variable `CREDENTIAL_ENCRYPTION_KEY`, the systemd credential `trunkline.key`. Each of
//! them may hold several keys, parted by white space, while one is being replaced.

use std::{borrow::Cow, path::PathBuf};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::{
    finding::{Finding, Place, child},
    layer::Layer,
    secret::{Reference, SecretFile, Sources, open_to_everyone, reference},
};
use crate::seal::{KeyRing, MasterKey};

/// The variable that holds the key.
pub(super) const VARIABLE: &str = "CREDENTIAL_ENCRYPTION_KEY";
/// The name of the systemd credential that holds the key.
pub(super) const CREDENTIAL: &str = "trunkline.key";
/// Where the key is named in the configuration.
const POINTER: &str = "/secrets/key";

/// How secrets that are sealed in the configuration are opened.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Secrets {
    /// Where the key is that sealed secrets are opened with: { file = "/path" }, { credential =
    /// "name" } or { env = "NAME" }; a list while it is being replaced: the first key seals, all of
    /// them open. Where none is named here it is the variable CREDENTIAL_ENCRYPTION_KEY or the
    /// systemd credential "trunkline.key". `trunkline secret keygen` makes a key.
    #[serde(deserialize_with = "one_or_more")]
    pub key: Keys,
}

/// Where the keys are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys(Vec<KeySource>);

/// Where one key is: exactly one of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeySource {
    /// In this file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// In this systemd credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// In this variable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<String>,
}

impl JsonSchema for Keys {
    fn schema_name() -> Cow<'static, str> {
        "Keys".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = KeySource::json_schema(generator);
        json_schema!({ "anyOf": [one, { "type": "array", "items": one, "maxItems": 16 }] })
    }
}

fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Keys, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMore {
        One(KeySource),
        More(Vec<KeySource>),
    }
    Ok(Keys(match OneOrMore::deserialize(deserializer)? {
        OneOrMore::One(source) => vec![source],
        OneOrMore::More(sources) => sources,
    }))
}

/// What looking for the keys brought.
#[derive(Default)]
pub(super) struct FoundKeys {
    pub ring: KeyRing,
    pub errors: Vec<Finding>,
    pub warnings: Vec<Finding>,
    pub files: Vec<SecretFile>,
}

/// Reads the keys. The last layer that names some counts alone: keys are not merged, so the others
/// lose theirs.
pub(super) fn find(layers: &mut [Layer], sources: &Sources<'_>) -> FoundKeys {
    let mut found = FoundKeys::default();
    let mut keys = Vec::new();
    let mut is_named = false;
    for layer in layers.iter_mut().rev() {
        let section = layer.tree.get_mut("secrets").and_then(Value::as_object_mut);
        let Some(section) = section else { continue };
        if is_named {
            section.remove("key");
            continue;
        }
        let Some(named) = section.get("key") else {
            continue;
        };
        is_named = true;
        for (pointer, table) in tables(named) {
            let finding = |message: String| Finding {
                place: layer.places.of(&pointer).clone(),
                key: super::finding::key_path(&pointer),
                message,
            };
            match reference(table) {
                Some(Ok(reference)) if reference != Reference::Sealed => {
                    match read(&reference, sources, &mut found.files) {
                        Ok((some, remark)) => {
                            keys.extend(some);
                            found.warnings.extend(remark.map(finding));
                        }
                        Err(message) => found.errors.push(finding(message)),
                    }
                }
                // What is no table of this form is found by the schema.
                None => {}
                Some(other) => found.errors.push(finding(other.err().unwrap_or_else(|| {
                    "must be kept elsewhere: { file }, { credential } or { env }".into()
                }))),
            }
        }
    }
    usual(sources, &mut keys, &mut found);
    found.ring = KeyRing::new(keys);
    found
}

/// The keys that need not be named.
fn usual(sources: &Sources<'_>, keys: &mut Vec<MasterKey>, found: &mut FoundKeys) {
    let variable = sources
        .environment
        .get(VARIABLE)
        .map(|_| Reference::Env(VARIABLE.into()));
    let folder = sources.environment.get("CREDENTIALS_DIRECTORY");
    let credential = folder
        .filter(|folder| std::path::Path::new(folder).join(CREDENTIAL).exists())
        .map(|_| Reference::Credential(CREDENTIAL.into()));
    for (reference, name) in [(variable, VARIABLE), (credential, CREDENTIAL)] {
        let Some(reference) = reference else { continue };
        match read(&reference, sources, &mut found.files) {
            Ok((some, _)) => keys.extend(some),
            Err(message) => found.errors.push(Finding {
                place: Place::Environment(name.into()),
                key: String::new(),
                message,
            }),
        }
    }
}

/// The tables of one key or of a list of them.
fn tables(named: &Value) -> Vec<(String, &Map<String, Value>)> {
    match named {
        Value::Object(table) => vec![(POINTER.to_owned(), table)],
        Value::Array(items) => items
            .iter()
            .enumerate()
            .filter_map(|(index, item)| {
                Some((child(POINTER, &index.to_string()), item.as_object()?))
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// The keys at one place, and what to say of its file.
fn read(
    reference: &Reference,
    sources: &Sources<'_>,
    files: &mut Vec<SecretFile>,
) -> Result<(Vec<MasterKey>, Option<String>), String> {
    let path = sources.path(reference)?;
    if let Some(path) = &path {
        files.push(SecretFile {
            channel: String::new(),
            path: path.clone(),
        });
    }
    let (text, mode) = sources.read(reference)?;
    let keys: Result<Vec<_>, String> = text.split_whitespace().map(MasterKey::parse).collect();
    let keys = keys?;
    if keys.is_empty() {
        return Err("holds no key: `trunkline secret keygen` makes one".into());
    }
    let remark = path.and_then(|path| open_to_everyone(&path, mode));
    Ok((keys, remark))
}
