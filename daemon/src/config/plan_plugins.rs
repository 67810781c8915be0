//! What another file of a plugin changes: version, capabilities, keys of its section. Pure.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

/// What a loaded plugin says of itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PluginFacts {
    /// Its version and file.
    pub build: PluginBuild,
    /// The calls that it implements.
    pub capabilities: Vec<String>,
    /// The JSON Schema of its section.
    pub config_schema: Value,
}

/// Loaded plugins by their adapter's id.
pub type PluginsFound = BTreeMap<String, PluginFacts>;

/// One build of a plugin.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PluginBuild {
    /// The version that it gives itself.
    pub version: String,
    /// The SHA-256 of its file in lower-case hexadecimal digits.
    pub sha256: String,
}

/// What a plugin's new file changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PluginChange {
    /// The adapter's id.
    pub adapter: String,
    /// What is loaded; none where the plugin is new.
    pub from: Option<PluginBuild>,
    /// What would be loaded; none where it is gone or refused.
    pub to: Option<PluginBuild>,
    /// Calls that it did not implement.
    pub capabilities_added: Vec<String>,
    /// Calls that it no longer implements.
    pub capabilities_removed: Vec<String>,
    /// Keys of its section that are new.
    pub keys_added: Vec<String>,
    /// Keys that it no longer knows.
    pub keys_removed: Vec<String>,
    /// Keys that take something else than before.
    pub keys_changed: Vec<String>,
    /// Keys that must be given now.
    pub keys_required: Vec<String>,
    /// The channels that start anew for it.
    pub channels: Vec<String>,
}

/// A plugin file that is not loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefusedPlugin {
    /// The file or folder.
    pub path: String,
    /// The id that it gives itself, where that can be read.
    pub id: Option<String>,
    /// Why, and what to do.
    pub reason: String,
}

/// What changed between two looks at the plugins, without the channels.
pub(super) fn changes(old: &PluginsFound, new: &PluginsFound) -> Vec<PluginChange> {
    let mut ids: Vec<_> = old.keys().chain(new.keys()).collect();
    ids.sort();
    ids.dedup();
    let changed = |id: &&String| {
        let hash = |found: &PluginsFound| found.get(*id).map(|facts| facts.build.sha256.clone());
        hash(old) != hash(new)
    };
    ids.into_iter()
        .filter(changed)
        .map(|id| change(id, old.get(id), new.get(id)))
        .collect()
}

fn change(id: &str, old: Option<&PluginFacts>, new: Option<&PluginFacts>) -> PluginChange {
    let mut change = PluginChange {
        adapter: id.to_owned(),
        from: old.map(|facts| facts.build.clone()),
        to: new.map(|facts| facts.build.clone()),
        ..PluginChange::default()
    };
    let (Some(old), Some(new)) = (old, new) else {
        return change;
    };
    let without = |one: &[String], other: &[String]| {
        let missing = one.iter().filter(|item| !other.contains(item));
        let mut missing: Vec<String> = missing.cloned().collect();
        missing.sort();
        missing
    };
    change.capabilities_added = without(&new.capabilities, &old.capabilities);
    change.capabilities_removed = without(&old.capabilities, &new.capabilities);
    let (before, now) = (Keys::of(&old.config_schema), Keys::of(&new.config_schema));
    let names = |keys: &Keys| keys.known.keys().cloned().collect::<Vec<_>>();
    change.keys_added = without(&names(&now), &names(&before));
    change.keys_removed = without(&names(&before), &names(&now));
    change.keys_required = without(&now.required, &before.required);
    let changed = before.known.iter().filter(|(key, schemas)| {
        let now = now.known.get(*key);
        now.is_some_and(|now| now != *schemas)
    });
    change.keys_changed = changed.map(|(key, _)| key.clone()).collect();
    change
}

/// The keys that a schema speaks of, in all its forms.
#[derive(Default)]
struct Keys {
    known: BTreeMap<String, Vec<Value>>,
    required: Vec<String>,
}

/// Schemas may refer to themselves.
const DEPTH_MAX: usize = 12;

impl Keys {
    fn of(schema: &Value) -> Self {
        let mut keys = Self::default();
        keys.read(&resolved(schema, schema, 0), true, 0);
        keys.required.sort();
        keys.required.dedup();
        keys
    }

    /// What only one of several forms requires is not required in itself.
    fn read(&mut self, schema: &Value, always: bool, depth: usize) {
        if depth > DEPTH_MAX {
            return;
        }
        for (key, schema) in schema["properties"].as_object().into_iter().flatten() {
            let known = self.known.entry(key.clone()).or_default();
            known.push(without_words(schema));
        }
        if always {
            let required = schema["required"].as_array().into_iter().flatten();
            self.required
                .extend(required.filter_map(Value::as_str).map(str::to_owned));
        }
        for (keyword, always) in [("allOf", always), ("anyOf", false), ("oneOf", false)] {
            for form in schema[keyword].as_array().into_iter().flatten() {
                self.read(form, always, depth + 1);
            }
        }
    }
}

/// The schema with what it refers to in its place, as deep as is reasonable.
fn resolved(root: &Value, schema: &Value, depth: usize) -> Value {
    if depth > DEPTH_MAX {
        return Value::Null;
    }
    match schema {
        Value::Object(members) => {
            let reference = members.get("$ref").and_then(Value::as_str);
            let target = reference.and_then(|to| root.pointer(to.strip_prefix('#')?));
            let mut whole: Map<String, Value> = members
                .iter()
                .filter(|(key, _)| !["$ref", "$defs"].contains(&key.as_str()))
                .map(|(key, value)| (key.clone(), resolved(root, value, depth + 1)))
                .collect();
            if let Some(Value::Object(target)) = target.map(|to| resolved(root, to, depth + 1)) {
                for (key, value) in target {
                    whole.entry(key).or_insert(value);
                }
            }
            Value::Object(whole)
        }
        Value::Array(items) => {
            let items = items.iter().map(|item| resolved(root, item, depth + 1));
            Value::Array(items.collect())
        }
        other => other.clone(),
    }
}

/// A key whose description alone changed takes what it took.
fn without_words(schema: &Value) -> Value {
    let mut schema = schema.clone();
    if let Some(members) = schema.as_object_mut() {
        for word in ["description", "title", "examples"] {
            members.remove(word);
        }
    }
    schema
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn facts(sha256: &str, capabilities: &[&str], config_schema: Value) -> PluginsFound {
        let facts = PluginFacts {
            build: PluginBuild {
                version: sha256.into(),
                sha256: sha256.into(),
            },
            capabilities: capabilities.iter().map(ToString::to_string).collect(),
            config_schema,
        };
        PluginsFound::from([("x".to_owned(), facts)])
    }

    #[test]
    fn a_new_version_is_compared_key_by_key() {
        let old = json!({
            "properties": {
                "gone": {"type": "string"}, "same": {"type": "string", "description": "a"},
                "wider": {"type": "string"}, "deep": {"$ref": "#/$defs/deep"},
            },
            "$defs": {"deep": {"type": "string"}}, "required": ["same"],
        });
        let new = json!({
            "properties": {
                "same": {"type": "string", "description": "b"}, "wider": {"type": ["string", "integer"]},
                "deep": {"$ref": "#/$defs/deep"},
            },
            "$defs": {"deep": {"type": "integer"}}, "required": ["same", "wider"],
            "oneOf": [{"properties": {"come": {}}, "required": ["come"]}],
        });
        let found = changes(
            &facts("1", &["send", "probe"], old),
            &facts("2", &["send", "fetch_media"], new),
        );
        let [change] = found.as_slice() else {
            panic!("{found:?}")
        };
        assert_eq!(change.capabilities_added, ["fetch_media"]);
        assert_eq!(change.capabilities_removed, ["probe"]);
        assert_eq!(change.keys_added, ["come"]);
        assert_eq!(change.keys_removed, ["gone"]);
        assert_eq!(change.keys_changed, ["deep", "wider"]);
        assert_eq!(change.keys_required, ["wider"]);
    }

    #[test]
    fn the_same_file_is_no_change_and_a_missing_one_is() {
        let one = facts("1", &["send"], json!({}));
        assert!(changes(&one, &one).is_empty());
        let none = PluginsFound::new();
        assert!(changes(&one, &none)[0].to.is_none());
        assert!(changes(&none, &one)[0].from.is_none());
    }

    #[test]
    fn schemas_that_refer_to_themselves_come_to_an_end() {
        let endless = json!({"properties": {"a": {"$ref": "#"}}, "$ref": "#"});
        let change = changes(&facts("1", &[], endless.clone()), &facts("2", &[], endless));
        assert!(change[0].keys_changed.is_empty());
    }
}
