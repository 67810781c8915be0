//! JSON pointers (RFC 6901), taken apart once instead of in every webhook.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::usable_id;

/// A JSON pointer. One that leads nowhere by its form is found by [`Pointer::is_valid`].
#[derive(Debug, Deserialize)]
#[serde(from = "String")]
pub(super) struct Pointer {
    text: String,
    /// Names of members and numbers of elements, from the outside in.
    steps: Vec<String>,
}

impl From<String> for Pointer {
    fn from(text: String) -> Self {
        let steps = text.split('/').skip(1);
        let steps = steps.map(|step| step.replace("~1", "/").replace("~0", "~"));
        Self {
            steps: steps.collect(),
            text,
        }
    }
}

impl From<&str> for Pointer {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl Serialize for Pointer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// A string like any other.
impl JsonSchema for Pointer {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        String::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl Pointer {
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// True where it is a pointer that can lead somewhere.
    pub(super) fn is_valid(&self) -> bool {
        let unescaped = self.text.replace("~0", "").replace("~1", "");
        self.text.starts_with('/') && !unescaped.contains('~')
    }

    /// What it leads to; null is as good as nothing.
    pub(super) fn find<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        let found = self
            .steps
            .iter()
            .try_fold(value, |value, step| match value {
                Value::Object(members) => members.get(step),
                Value::Array(items) => items.get(index(step)?),
                _ => None,
            });
        found.filter(|found| !found.is_null())
    }

    /// What it leads to where that can serve as an id, by [`usable_id`].
    pub(super) fn short_text(&self, value: &Value) -> Result<Option<String>, String> {
        usable_id(self.find(value), self)
    }
}

/// The number of an element: digits without a zero before them.
fn index(step: &str) -> Option<usize> {
    let is_plain = step.bytes().all(|byte| byte.is_ascii_digit());
    let is_padded = step.len() > 1 && step.starts_with('0');
    (is_plain && !is_padded).then(|| step.parse().ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    proptest! {
        #[test]
        fn leads_where_the_standard_says(text in "(/(a|b|0|1|01|-|\\+1|~0|~1|~01|c~1d|)){0,4}") {
            let value = json!({
                "a": {"b": [null, {"~": 1, "": 2}, [3, 4]], "/": "x", "c/d": {"a": 5}, "01": 7},
                "b": [[0, 1], {"a": 6}],
                "": {"": {"a": "deep"}},
                "~1": {"0": 8},
            });
            let found = value.pointer(&text).filter(|found| !found.is_null());
            prop_assert_eq!(Pointer::from(text.as_str()).find(&value), found);
        }
    }
}
