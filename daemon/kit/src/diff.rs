//! The first difference of two values, in words.

use serde_json::Value;

/// Characters of a value that are shown.
const SHOWN_CHARS_MAX: usize = 160;

/// Where two values first differ: the path of the member, what was wanted there, what came.
/// None where they are the same.
pub(crate) fn first(wanted: &Value, came: &Value) -> Option<String> {
    let mut at = String::new();
    let (wanted, came) = find(wanted, came, &mut at)?;
    let at = if at.is_empty() { "the whole" } else { &at };
    Some(format!(
        "{at}: wanted {}, came {}",
        wanted.map_or("nothing".into(), shown),
        came.map_or("nothing".into(), shown)
    ))
}

type Pair<'a> = (Option<&'a Value>, Option<&'a Value>);

fn find<'a>(wanted: &'a Value, came: &'a Value, at: &mut String) -> Option<Pair<'a>> {
    if wanted == came {
        return None;
    }
    match (wanted, came) {
        (Value::Object(wanted), Value::Object(came)) => {
            let names = wanted
                .keys()
                .chain(came.keys().filter(|name| !wanted.contains_key(*name)));
            names
                .map(|name| (format!("/{name}"), wanted.get(name), came.get(name)))
                .find_map(|(step, wanted, came)| within(&step, wanted, came, at))
        }
        (Value::Array(wanted), Value::Array(came)) => (0..wanted.len().max(came.len()))
            .map(|index| (format!("/{index}"), wanted.get(index), came.get(index)))
            .find_map(|(step, wanted, came)| within(&step, wanted, came, at)),
        _ => Some((Some(wanted), Some(came))),
    }
}

fn within<'a>(
    step: &str,
    wanted: Option<&'a Value>,
    came: Option<&'a Value>,
    at: &mut String,
) -> Option<Pair<'a>> {
    let len = at.len();
    at.push_str(step);
    let found = match (wanted, came) {
        (Some(wanted), Some(came)) => find(wanted, came, at),
        pair => Some(pair),
    };
    if found.is_none() {
        at.truncate(len);
    }
    found
}

fn shown(value: &Value) -> String {
    cut(&value.to_string())
}

/// The beginning of a text that may be long.
pub(crate) fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_difference_is_named() {
        let cases = [
            (
                json!({"a": [1, {"b": 2}]}),
                json!({"a": [1, {"b": 3}]}),
                "/a/1/b: wanted 2, came 3",
            ),
            (
                json!({"a": 1}),
                json!({"a": 1, "b": "x"}),
                "/b: wanted nothing, came \"x\"",
            ),
            (json!({"a": 1}), json!({}), "/a: wanted 1, came nothing"),
            (json!([1]), json!([1, 2]), "/1: wanted nothing, came 2"),
            (json!(null), json!(1), "the whole: wanted null, came 1"),
        ];
        for (wanted, came, words) in cases {
            assert_eq!(first(&wanted, &came).as_deref(), Some(words));
        }
        assert_eq!(first(&json!({"a": [1]}), &json!({"a": [1]})), None);
        let long = first(&json!("a".repeat(999)), &json!(1)).expect("other");
        assert!(long.contains("… (1001 bytes), came 1"), "{long}");
    }
}
