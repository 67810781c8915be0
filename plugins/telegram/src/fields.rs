//! Reading Telegram's JSON: every field may be missing, null or of another type.

use serde_json::{Map, Value};
use trunkline_plugin_api::Timestamp;

/// A text field, where it is one and not empty.
pub(crate) fn text<'a>(value: &'a Value, field: &str) -> Option<&'a str> {
    value.get(field)?.as_str().filter(|text| !text.is_empty())
}

/// The same as an owned text.
pub(crate) fn owned(value: &Value, field: &str) -> Option<String> {
    text(value, field).map(String::from)
}

/// A time in seconds since 1970 as milliseconds; 0 stands for none (an inaccessible message).
pub(crate) fn time(value: &Value, field: &str) -> Option<Timestamp> {
    let seconds = value.get(field)?.as_i64().filter(|seconds| *seconds > 0)?;
    seconds.checked_mul(1_000)
}

/// The members of an object but for some.
pub(crate) fn rest(value: &Value, read: &[&str]) -> Map<String, Value> {
    let members = value.as_object().into_iter().flatten();
    members
        .filter(|(name, value)| !value.is_null() && !read.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}
