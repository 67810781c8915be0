//! Where in a JSON text an error is: serde says the column, people want the field.

use std::fmt::Write as _;

/// The member that a column (from 1) of a one-line JSON text belongs to, such as `content.media[0].size`; empty at the
/// top.
pub(super) fn path_at(text: &[u8], column: usize) -> String {
    let end = column.min(text.len());
    let mut open: Vec<Step> = Vec::new();
    let mut at = 0;
    while at < end {
        match text[at] {
            b'{' => open.push(Step::Member {
                name: String::new(),
                is_key: true,
            }),
            b'[' => open.push(Step::Item(0)),
            b'}' | b']' => {
                open.pop();
            }
            b',' => match open.last_mut() {
                Some(Step::Item(number)) => *number += 1,
                Some(Step::Member { is_key, .. }) => *is_key = true,
                None => {}
            },
            b'"' => {
                let (string, next) = string_at(text, at);
                if let Some(Step::Member {
                    name,
                    is_key: is_key @ true,
                }) = open.last_mut()
                {
                    *name = string;
                    *is_key = false;
                }
                at = next;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    render(&open)
}

enum Step {
    Member { name: String, is_key: bool },
    Item(usize),
}

/// The string that begins at a quote, and where the text goes on behind it.
fn string_at(text: &[u8], quote: usize) -> (String, usize) {
    let mut at = quote + 1;
    while at < text.len() && text[at] != b'"' {
        at += if text[at] == b'\\' { 2 } else { 1 };
    }
    let end = at.min(text.len());
    let string = String::from_utf8_lossy(&text[quote + 1..end]).into_owned();
    (string, end + 1)
}

fn render(open: &[Step]) -> String {
    let mut path = String::new();
    for step in open {
        match step {
            Step::Member { name, .. } => {
                let joint = if path.is_empty() || name.is_empty() {
                    ""
                } else {
                    "."
                };
                path.push_str(joint);
                path.extend(name.chars().filter(|c| !c.is_control()).take(64));
            }
            // Writing to a text does not fail.
            Step::Item(number) => drop(write!(path, "[{number}]")),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only read by serde")]
    struct Inner {
        size: u64,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only read by serde")]
    struct Outer {
        name: String,
        list: Vec<Inner>,
    }

    fn path(text: &str) -> String {
        let error = serde_json::from_str::<Outer>(text).unwrap_err();
        path_at(text.as_bytes(), error.column())
    }

    #[test]
    fn the_field_is_named() {
        let table = [
            (r#"{"name": 5, "list": []}"#, "name"),
            (
                r#"{"name": "a\"b", "list": [{"size": 1}, {"size": "x"}]}"#,
                "list[1].size",
            ),
            (r#"{"name": "{[", "list": 7}"#, "list"),
        ];
        for (text, expected) in table {
            assert_eq!(path(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(text in proptest::collection::vec(any::<u8>(), 0..200), column in 0_usize..300) {
            path_at(&text, column);
        }
    }
}
