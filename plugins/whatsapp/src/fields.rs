//! Reading Meta's JSON: every field may be missing, null or of another type.

use serde_json::{Map, Value};
use trunkline_plugin_api::Timestamp;

/// From here on a number is milliseconds: as seconds it would be the year 33658.
const MILLISECONDS_FROM: i64 = 1_000_000_000_000;

/// A text field, where it is one and not empty.
pub(crate) fn text<'a>(value: &'a Value, field: &str) -> Option<&'a str> {
    value.get(field)?.as_str().filter(|text| !text.is_empty())
}

/// A text field or a whole number, as text: Meta writes ids both ways.
pub(crate) fn id(value: &Value, field: &str) -> Option<String> {
    match value.get(field)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A time: seconds since 1970 in a string (the documented form) or a number; milliseconds are
/// told by their size.
pub(crate) fn time(value: &Value, field: &str) -> Option<Timestamp> {
    let number = match value.get(field)? {
        Value::String(text) => text.parse().ok()?,
        Value::Number(number) => number.as_i64()?,
        _ => return None,
    };
    match number {
        ..=0 => None,
        MILLISECONDS_FROM.. => Some(number),
        seconds => Some(seconds * 1_000),
    }
}

/// A number, also one in a string.
pub(crate) fn number(value: &Value, field: &str) -> Option<f64> {
    match value.get(field)? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok().filter(|number: &f64| number.is_finite()),
        _ => None,
    }
}

/// The entries of a list; none where it is no list.
pub(crate) fn list<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    value
        .get(field)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

/// The members of an object but for some.
pub(crate) fn rest(value: &Value, read: &[&str]) -> Map<String, Value> {
    let members = value.as_object().into_iter().flatten();
    members
        .filter(|(name, value)| !value.is_null() && !read.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}
