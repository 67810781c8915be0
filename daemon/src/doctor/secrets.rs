//! The usual mistakes with secrets, as other sections to open the adapter with: another channel's
//! secret, the secret of another key, a blank or a quotation mark too many.

use serde_json::{Map, Value};

/// Sections tried of one channel, at most.
const CANDIDATES_MAX: usize = 40;
/// How deep a schema is looked into.
const DEPTH_MAX: usize = 12;

/// A section with one secret changed.
pub(super) struct Candidate {
    /// What would be wrong if it matched, and what to do. Holds no secret.
    pub(super) words: String,
    /// The section, secrets included.
    pub(super) section: Value,
}

/// The keys of a section that hold secrets, by its schema.
pub(super) fn keys(schema: &Value) -> Vec<String> {
    let properties = schema.get("properties").and_then(Value::as_object);
    let properties = properties.into_iter().flatten();
    properties
        .filter(|(_, form)| is_secret(schema, form, 0))
        .map(|(key, _)| key.clone())
        .collect()
}

fn is_secret(root: &Value, form: &Value, depth: usize) -> bool {
    if depth > DEPTH_MAX {
        return false;
    }
    let deeper = |form: &Value| is_secret(root, form, depth + 1);
    let target = form.get("$ref").and_then(Value::as_str);
    let target = target.and_then(|to| root.pointer(to.strip_prefix('#')?));
    let lists = ["anyOf", "oneOf", "allOf"].into_iter();
    let mut listed = lists
        .filter_map(|keyword| form.get(keyword)?.as_array())
        .flatten();
    let parts = ["items", "additionalProperties"].into_iter();
    form.get("x-secret") == Some(&Value::Bool(true))
        || target.is_some_and(deeper)
        || listed.any(deeper)
        || parts.filter_map(|keyword| form.get(keyword)).any(deeper)
}

/// The sections to try. `others` are sections of the same adapter's other channels, by id.
pub(super) fn candidates(
    keys: &[String],
    own: &Value,
    others: &[(String, Value)],
) -> Vec<Candidate> {
    let Some(own) = own.as_object() else {
        return Vec::new();
    };
    let mut found = trimmed(keys, own);
    found.extend(of_others(keys, own, others));
    found.extend(of_other_keys(keys, own));
    found.truncate(CANDIDATES_MAX);
    found
}

fn with(own: &Map<String, Value>, key: &str, value: Value) -> Value {
    let mut section = own.clone();
    section.insert(key.to_owned(), value);
    Value::Object(section)
}

fn trimmed(keys: &[String], own: &Map<String, Value>) -> Vec<Candidate> {
    let values = keys.iter().filter_map(|key| Some((key, own.get(key)?)));
    values
        .filter_map(|(key, value)| {
            let bare = trim(value);
            (bare != *value).then(|| Candidate {
                words: format!(
                    "{key} has blanks, a line break or quotation marks around it that do not \
                     belong to the secret: take them away"
                ),
                section: with(own, key, bare),
            })
        })
        .collect()
}

/// The secrets in a value without what may surround them.
fn trim(value: &Value) -> Value {
    match value {
        Value::String(text) => {
            let around = |c: char| c.is_whitespace() || matches!(c, '"' | '\'');
            Value::String(text.trim_matches(around).to_owned())
        }
        Value::Array(items) => Value::Array(items.iter().map(trim).collect()),
        Value::Object(members) => {
            let members = members.iter();
            Value::Object(
                members
                    .map(|(key, value)| (key.clone(), trim(value)))
                    .collect(),
            )
        }
        other => other.clone(),
    }
}

fn of_others<'a>(
    keys: &'a [String],
    own: &'a Map<String, Value>,
    others: &'a [(String, Value)],
) -> impl Iterator<Item = Candidate> + 'a {
    others.iter().flat_map(move |(id, section)| {
        keys.iter().filter_map(move |key| {
            let theirs = section.get(key)?;
            (own.get(key) != Some(theirs)).then(|| Candidate {
                words: format!(
                    "it is signed with the {key} of channel {id}: the secrets of the two channels \
                     are swapped, or the provider calls this channel's address with what is meant \
                     for {id}"
                ),
                section: with(own, key, theirs.clone()),
            })
        })
    })
}

/// What is configured under one key, under another.
fn of_other_keys<'a>(
    keys: &'a [String],
    own: &'a Map<String, Value>,
) -> impl Iterator<Item = Candidate> + 'a {
    keys.iter().flat_map(move |key| {
        keys.iter().filter_map(move |other| {
            let value = own.get(other).filter(|value| !value.is_object())?;
            let differs = key != other && own.get(key) != Some(value);
            differs.then(|| Candidate {
                words: format!(
                    "it is signed with what is configured as {other}: that belongs under {key}"
                ),
                section: with(own, key, value.clone()),
            })
        })
    })
}

/// For each list of several secrets, the section with one of them alone, and its name.
pub(super) fn one_by_one(keys: &[String], own: &Value) -> Vec<Candidate> {
    let Some(own) = own.as_object() else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for key in keys {
        let items = own.get(key).and_then(Value::as_array);
        let items = items.filter(|items| items.len() > 1);
        for (index, item) in items.into_iter().flatten().enumerate() {
            found.push(Candidate {
                words: format!("it is signed with secret {} of the list {key}", index + 1),
                section: with(own, key, Value::Array(vec![item.clone()])),
            });
        }
    }
    found.truncate(CANDIDATES_MAX);
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        json!({
            "properties": {
                "auth_token": {"$ref": "#/$defs/SecretList"},
                "shared_keys": {"additionalProperties": {"$ref": "#/$defs/SecretList"}},
                "api_secret": {"anyOf": [{"$ref": "#/$defs/Secret"}, {"type": "null"}]},
                "from": {"type": "string"},
                "loop": {"$ref": "#/$defs/Loop"},
            },
            "$defs": {
                "Secret": {"type": "string", "x-secret": true},
                "SecretList": {"anyOf": [{"$ref": "#/$defs/Secret"}, {"items": {"$ref": "#/$defs/Secret"}}]},
                "Loop": {"anyOf": [{"$ref": "#/$defs/Loop"}]},
            },
        })
    }

    #[test]
    fn keys_are_found_through_references_and_loops_end() {
        let mut found = keys(&schema());
        found.sort();
        assert_eq!(found, ["api_secret", "auth_token", "shared_keys"]);
    }

    #[test]
    fn each_mistake_is_a_candidate_and_says_so_without_the_secret() {
        let keys = keys(&schema());
        let own = json!({"auth_token": "mine\n", "api_secret": "s3cret", "from": "+1"});
        let others = [(
            "other".to_owned(),
            json!({"auth_token": "theirs", "from": "+2"}),
        )];
        let all = candidates(&keys, &own, &others);
        let token = |candidate: &Candidate| candidate.section["auth_token"].clone();
        let tokens: Vec<_> = all.iter().map(token).collect();
        for wanted in ["mine", "theirs", "s3cret"] {
            assert!(tokens.contains(&json!(wanted)), "{wanted}: {tokens:?}");
        }
        for candidate in &all {
            assert_eq!(candidate.section["from"], "+1");
            for secret in ["mine", "theirs", "s3cret"] {
                assert!(!candidate.words.contains(secret), "{}", candidate.words);
            }
        }
    }

    #[test]
    fn lists_are_taken_apart() {
        let own = json!({"auth_token": ["new", "old"], "api_secret": "x"});
        let all = one_by_one(&keys(&schema()), &own);
        let tokens: Vec<_> = all.iter().map(|one| &one.section["auth_token"]).collect();
        assert_eq!(tokens, [&json!(["new"]), &json!(["old"])]);
        assert!(all[1].words.contains("secret 2 of the list auth_token"));
    }

    #[test]
    fn many_channels_stay_bounded() {
        let other = |number: u32| {
            (
                format!("c{number}"),
                json!({"auth_token": number.to_string()}),
            )
        };
        let others: Vec<_> = (0..500).map(other).collect();
        let own = json!({"auth_token": "mine"});
        assert_eq!(
            candidates(&keys(&schema()), &own, &others).len(),
            CANDIDATES_MAX
        );
    }
}
