//! The schema of a channel's configuration: forms are made of it, configurations are checked by it.

use jsonschema::{Validator, error::ValidationErrorKind as Kind};
use serde_json::{Map, Value, json};
use trunkline_plugin_api::{ffi::HOST_SIZE, wire::Code};

use crate::{bench::Bench, calls::refusal, findings::Findings};

/// A key that no adapter has.
const STRANGE_KEY: &str = "no_such_key_of_any_adapter";
/// How a key of a secret ends.
const SECRET_NAMES: [&str; 7] = [
    "secret",
    "secrets",
    "token",
    "tokens",
    "password",
    "private_key",
    "passphrase",
];
/// How deep a schema is looked into.
const DEPTH_MAX: usize = 24;

/// The schema itself, and what configurations come to by it.
pub(super) fn schema(bench: &mut Bench, findings: &mut Findings) {
    let Ok(manifest) = &bench.manifest else {
        return;
    };
    let schema = manifest.config_schema.clone();
    let validator = match jsonschema::options().build(&schema) {
        Ok(validator) => validator,
        Err(error) => return findings.fail(format!("is no JSON Schema: {error}")),
    };
    if schema["type"] != "object" && !schema["properties"].is_object() {
        findings.fail(
            "does not describe an object: `type` must be `object`, a configuration is a section of keys",
        );
    }
    properties(&schema, findings);
    configurations(bench, &validator, findings);
    empty(bench, &validator, findings);
    strange_key(bench, &validator, findings);
}

fn properties(schema: &Value, findings: &mut Findings) {
    let mut undescribed = Vec::new();
    let mut unmarked = Vec::new();
    for (key, property) in schema["properties"].as_object().into_iter().flatten() {
        if !says(schema, property, 0, &|form| form["description"].is_string()) {
            undescribed.push(key.as_str());
        }
        let is_named_so = SECRET_NAMES.iter().any(|name| {
            let rest = key.strip_suffix(name);
            rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('_'))
        });
        let holds_text = says(schema, property, 0, &|form| is_type(form, "string"));
        if is_named_so && holds_text && !says(schema, property, 0, &|form| form["x-secret"] == true)
        {
            unmarked.push(key.as_str());
        }
    }
    if !undescribed.is_empty() {
        findings.warn(format!(
            "no description, so a form shows the bare key: {}",
            undescribed.join(", ")
        ));
    }
    for key in unmarked {
        findings.fail(format!(
            "{key} looks like a secret and is not marked: use the type Secret, or write \"x-secret\": true, so \
             that it is hidden and can be sealed; call it otherwise where it is none"
        ));
    }
}

/// Whether something is true of a schema or of one that it refers to.
fn says(root: &Value, form: &Value, depth: usize, what: &dyn Fn(&Value) -> bool) -> bool {
    if depth > DEPTH_MAX {
        return false;
    }
    let deeper = |form: &Value| says(root, form, depth + 1, what);
    let target = form["$ref"].as_str().and_then(|to| to.strip_prefix('#'));
    let branches = ["anyOf", "oneOf", "allOf"].into_iter();
    let mut branches = branches
        .filter_map(|keyword| form[keyword].as_array())
        .flatten();
    what(form)
        || target
            .and_then(|pointer| root.pointer(pointer))
            .is_some_and(deeper)
        || branches.any(deeper)
}

fn is_type(form: &Value, name: &str) -> bool {
    match &form["type"] {
        Value::String(only) => only == name,
        Value::Array(several) => several.iter().any(|one| one == name),
        _ => false,
    }
}

fn configurations(bench: &Bench, validator: &Validator, findings: &mut Findings) {
    for channel in bench.channels.iter() {
        for error in validator.iter_errors(&channel.config) {
            let at = match error.instance_path().as_str() {
                "" => "the section".to_owned(),
                pointer => pointer.to_owned(),
            };
            findings.fail(format!(
                "the config.json of {} does not fit: {at}: {}",
                channel.name,
                error.masked()
            ));
        }
    }
}

fn empty(bench: &mut Bench, validator: &Validator, findings: &mut Findings) {
    let by_schema = !validator.is_valid(&json!({}));
    let Some(by_open) = refused(
        bench,
        "open with an empty configuration",
        &json!({}),
        findings,
    ) else {
        return;
    };
    if by_schema && !by_open {
        findings.warn("an empty configuration is refused by the schema, but opens a channel: one of them is wrong");
    }
}

fn strange_key(bench: &mut Bench, validator: &Validator, findings: &mut Findings) {
    let base = bench
        .open_indexes()
        .first()
        .map(|index| bench.channels[*index].config.clone());
    let mut config = match &base {
        Some(Value::Object(members)) => members.clone(),
        _ => Map::new(),
    };
    config.insert(STRANGE_KEY.into(), json!(1));
    let config = Value::Object(config);
    let by_schema = validator.iter_errors(&config).any(|error| {
        matches!(
            error.kind(),
            Kind::AdditionalProperties { .. } | Kind::UnevaluatedProperties { .. }
        )
    });
    let label = "open with a key that there is not";
    let Some(by_open) = refused(bench, label, &config, findings) else {
        return;
    };
    if !by_schema && (!by_open || base.is_none()) {
        findings.fail(format!(
            "a key that there is not ({STRANGE_KEY}) is taken: a misspelt key would do nothing and nobody would \
             know; refuse it: #[serde(deny_unknown_fields)], or \"additionalProperties\": false"
        ));
    }
}

/// Whether a channel is refused with this configuration; none where the answer is wrong in itself,
/// which is then among the findings.
fn refused(
    bench: &mut Bench,
    label: &str,
    config: &Value,
    findings: &mut Findings,
) -> Option<bool> {
    let output = match bench.try_open(label, config, HOST_SIZE) {
        Ok(output) => output,
        Err(trouble) => {
            findings.trouble(trouble);
            return None;
        }
    };
    if output.code == Code::Ok as i32 {
        return Some(false);
    }
    match refusal(&output) {
        Some(error) if !error.message.trim().is_empty() => Some(true),
        _ => {
            findings.fail(format!(
                "{label} is refused with code {} and no words: answer 1 and an AdapterError whose message says \
                 what to do",
                output.code
            ));
            None
        }
    }
}
