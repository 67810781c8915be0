//! Reading a value so that nothing of its JSON is passed over.
//!
//! The interface's own types ignore members that they don't know, so that later versions can add
//! some. A case is read by what it means to say, so here all of it must come back when the value
//! is written again.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::CaseError;

/// Reads a value; `place` is where it stands, for the words of an error.
pub(super) fn read<T: Serialize + DeserializeOwned>(
    value: &Value,
    place: &str,
) -> Result<T, CaseError> {
    let decoded = T::deserialize(value).map_err(|error| CaseError(format!("{place}: {error}")))?;
    let again = written(&decoded);
    let mut left_out = Vec::new();
    compare(value, &again, "", &mut left_out).map_err(|(at, words)| wrong(place, &at, &words))?;
    for at in left_out {
        if is_unknown::<T>(value, &at) {
            return Err(wrong(place, &at, UNKNOWN));
        }
    }
    Ok(decoded)
}

const UNKNOWN: &str = "there is no such member: is it misspelt?";

fn wrong(place: &str, at: &str, words: &str) -> CaseError {
    CaseError(format!("{place}{}: {words}", at.replace('/', ".")))
}

fn written(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

/// Looks for what of `given` is missing or other in `again`. Members that say nothing may be left
/// out when a value is written: they are collected, as JSON pointers.
fn compare(
    given: &Value,
    again: &Value,
    at: &str,
    left_out: &mut Vec<String>,
) -> Result<(), (String, String)> {
    match (given, again) {
        (Value::Object(given), Value::Object(again)) => {
            for (name, value) in given {
                let at = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
                match again.get(name) {
                    Some(other) => compare(value, other, &at, left_out)?,
                    None if says_nothing(value) => left_out.push(at),
                    None => return Err((at, UNKNOWN.into())),
                }
            }
            Ok(())
        }
        (Value::Array(given), Value::Array(again)) if given.len() == again.len() => given
            .iter()
            .zip(again)
            .enumerate()
            .try_for_each(|(index, (value, other))| {
                compare(value, other, &format!("{at}/{index}"), left_out)
            }),
        (Value::Number(given), Value::Number(again)) if given.as_f64() == again.as_f64() => Ok(()),
        _ if given == again => Ok(()),
        _ => Err((
            at.into(),
            format!("{given} is not known, and reads as {again}"),
        )),
    }
}

fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

/// True where a member that was left out is left out also when it says something.
fn is_unknown<T: Serialize + DeserializeOwned>(value: &Value, at: &str) -> bool {
    let mut changed = value.clone();
    if let Some(member) = changed.pointer_mut(at) {
        *member = "something".into();
    }
    T::deserialize(&changed).is_ok_and(|decoded| written(&decoded).pointer(at).is_none())
}
