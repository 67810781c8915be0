//! Which values of a configuration are secrets, by its schema.

use serde_json::Value;

/// Secrets shorter than this are not looked for: they show up by chance.
const SECRET_CHARS_MIN: usize = 6;
/// How deep schema and configuration are looked into.
const DEPTH_MAX: usize = 24;

/// The texts in a configuration that stand where its schema is marked `"x-secret": true`; those of
/// fewer than six characters are left out.
pub fn secret_values(schema: &Value, config: &Value) -> Vec<String> {
    let mut found = Vec::new();
    look(schema, schema, config, 0, &mut found);
    found.retain(|secret| secret.len() >= SECRET_CHARS_MIN);
    found.sort();
    found.dedup();
    found
}

fn look(root: &Value, schema: &Value, value: &Value, depth: usize, into: &mut Vec<String>) {
    if depth > DEPTH_MAX {
        return;
    }
    if schema["x-secret"] == true {
        return collect_strings(value, into);
    }
    let mut deeper = |schema: &Value, value: &Value| look(root, schema, value, depth + 1, into);
    let target = schema["$ref"].as_str().and_then(|to| to.strip_prefix('#'));
    if let Some(target) = target.and_then(|pointer| root.pointer(pointer)) {
        deeper(target, value);
    }
    for keyword in ["anyOf", "oneOf", "allOf"] {
        for branch in schema[keyword].as_array().into_iter().flatten() {
            deeper(branch, value);
        }
    }
    for item in value.as_array().into_iter().flatten() {
        deeper(&schema["items"], item);
    }
    for (key, member) in value.as_object().into_iter().flatten() {
        match schema["properties"].get(key) {
            Some(property) => deeper(property, member),
            None => deeper(&schema["additionalProperties"], member),
        }
    }
}

fn collect_strings(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::String(text) => into.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect_strings(item, into)),
        Value::Object(map) => map.values().for_each(|item| collect_strings(item, into)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_found_wherever_they_stand() {
        let schema = json!({
            "$defs": {
                "Secret": {"type": "string", "x-secret": true},
                "Pair": {"properties": {"key": {"$ref": "#/$defs/Secret"}, "name": {"type": "string"}}}
            },
            "properties": {
                "token": {"anyOf": [{"$ref": "#/$defs/Secret"}, {"type": "null"}]},
                "pairs": {"type": "array", "items": {"$ref": "#/$defs/Pair"}},
                "short": {"$ref": "#/$defs/Secret"},
                "plain": {"type": "string"}
            },
            "additionalProperties": {"x-secret": true}
        });
        let config = json!({
            "token": "the token", "pairs": [{"key": "first key", "name": "a name"}],
            "short": "12345", "plain": "not secret", "other": ["more secret"]
        });
        assert_eq!(
            secret_values(&schema, &config),
            ["first key", "more secret", "the token"]
        );
        assert!(secret_values(&json!(true), &config).is_empty());
    }
}
