//! Checking the adapters' own sections, once their schemas are known.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    Config,
    channel::Channel,
    finding::{Finding, child},
    report::{Report, in_order},
    rules::INLINE_SECRET,
    schema::{Checker, at_instance},
};

/// What was found in the adapters' sections.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AdapterFindings {
    /// What the adapters would refuse.
    pub errors: Vec<Finding>,
    /// What works but should be looked at.
    pub warnings: Vec<Finding>,
}

impl Config {
    /// Checks every channel's section against its adapter's schema. `schema_of` takes an
    /// adapter's id and gives the `config_schema` of its manifest, none where it is not loaded:
    /// that is a warning only, for the daemon runs without it.
    pub fn check_adapters(&self, schema_of: &dyn Fn(&str) -> Option<Value>) -> AdapterFindings {
        let mut report = Report::new(&self.places);
        let mut schemas = BTreeMap::new();
        for channel in self.channels.values() {
            let adapter = channel.adapter.as_str();
            let schema = schemas
                .entry(adapter)
                .or_insert_with(|| schema_of(adapter).map(closed));
            match schema {
                Some(schema) => check(channel, schema, &mut report),
                None => report.warn(
                    &child(&child("/channel", &channel.id), "adapter"),
                    format!("adapter {adapter:?} is not loaded: the channel will be down"),
                ),
            }
        }
        AdapterFindings {
            errors: in_order(report.errors),
            warnings: in_order(report.warnings),
        }
    }
}

fn check(channel: &Channel, schema: &Value, report: &mut Report<'_>) {
    let pointer = child(&child("/channel", &channel.id), "config");
    let section = channel.config.expose();
    match Checker::new(schema) {
        Ok(checker) => {
            for fault in checker.check(section) {
                report.error(&format!("{pointer}{}", fault.pointer), fault.message);
            }
        }
        Err(error) => report.warn(
            &pointer,
            format!(
                "not checked: the schema of adapter {:?} is broken: {error}",
                channel.adapter
            ),
        ),
    }
    for secret in secrets(schema, section) {
        let pointer = format!("{pointer}{secret}");
        if report.places.in_plain_sight(&pointer) {
            report.warn(&pointer, INLINE_SECRET);
        }
    }
}

/// The schema with unknown keys refused at its top, unless it has a word on them itself.
fn closed(mut schema: Value) -> Value {
    let Some(keywords) = schema.as_object_mut() else {
        return schema;
    };
    let speaks = |keyword: &str| keywords.contains_key(keyword);
    let combined = ["$ref", "allOf", "anyOf", "oneOf", "if", "dependentSchemas"];
    let open = [
        "additionalProperties",
        "unevaluatedProperties",
        "patternProperties",
    ];
    if speaks("properties") && !open.into_iter().any(speaks) {
        let keyword = if combined.into_iter().any(speaks) {
            "unevaluatedProperties"
        } else {
            "additionalProperties"
        };
        keywords.insert(keyword.into(), json!(false));
    }
    schema
}

/// The strings of a section that its schema marks as secrets, by pointer.
pub(super) fn secrets(schema: &Value, section: &Value) -> Vec<String> {
    let mut search = SecretSearch {
        root: schema,
        found: Vec::new(),
        steps_left: 100_000,
    };
    search.value(schema, section, "", false);
    search.found.sort();
    search.found.dedup();
    search.found
}

struct SecretSearch<'a> {
    root: &'a Value,
    found: Vec<String>,
    /// A schema may refer to itself, so the search has an end of its own.
    steps_left: usize,
}

impl SecretSearch<'_> {
    fn value(&mut self, schema: &Value, value: &Value, pointer: &str, within: bool) {
        self.descend(schema, value, pointer, within, 0);
    }

    fn descend(
        &mut self,
        schema: &Value,
        value: &Value,
        pointer: &str,
        within: bool,
        depth: usize,
    ) {
        if self.steps_left == 0 || depth > 64 {
            return;
        }
        self.steps_left -= 1;
        let secret = within || schema.get("x-secret") == Some(&Value::Bool(true));
        if secret && value.is_string() {
            self.found.push(pointer.to_owned());
        }
        for form in forms(self.root, schema) {
            self.descend(form, value, pointer, secret, depth + 1);
        }
        let none = Map::new();
        for (key, value) in value.as_object().unwrap_or(&none) {
            if let Some(schema) = at_instance(schema, std::slice::from_ref(key)) {
                self.descend(schema, value, &child(pointer, key), secret, depth + 1);
            }
        }
        let schema = schema.get("items").unwrap_or(&Value::Null);
        for (index, value) in value.as_array().into_iter().flatten().enumerate() {
            self.descend(
                schema,
                value,
                &child(pointer, &index.to_string()),
                secret,
                depth + 1,
            );
        }
    }
}

/// The schemas that speak of the same value as this one.
fn forms<'a>(root: &'a Value, schema: &'a Value) -> impl Iterator<Item = &'a Value> {
    let reference = schema.get("$ref").and_then(Value::as_str);
    let target = reference.and_then(|to| root.pointer(to.strip_prefix('#')?));
    let lists = ["anyOf", "oneOf", "allOf"].into_iter();
    let lists = lists.filter_map(|keyword| schema.get(keyword)?.as_array());
    target.into_iter().chain(lists.flatten())
}
