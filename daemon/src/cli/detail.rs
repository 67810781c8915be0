//! One thing for people: its members as aligned lines, nested ones by their path.

use jiff::{Timestamp, tz::TimeZone};
use serde_json::Value;

use super::{
    output::clean,
    table::{align, local, word},
};

/// Deepest nesting that is taken apart.
const DEPTH_MAX: usize = 4;

/// The lines of an object, in the local time zone.
pub(super) fn render(object: &Value) -> String {
    render_in(object, &TimeZone::system())
}

fn render_in(object: &Value, zone: &TimeZone) -> String {
    let mut rows = Vec::new();
    collect(object, "", 0, zone, &mut rows);
    let rows: Vec<Vec<String>> = rows
        .into_iter()
        .map(|(name, text)| vec![clean(&name), clean(&text)])
        .collect();
    // Without titles the first line is empty.
    let table = align(vec![String::new(), String::new()], rows, &[false, false]);
    table.trim_start_matches('\n').to_owned()
}

/// Takes an object apart. Objects in a list get one line each.
fn collect(
    value: &Value,
    path: &str,
    depth: usize,
    zone: &TimeZone,
    rows: &mut Vec<(String, String)>,
) {
    match value {
        Value::Object(members) if depth < DEPTH_MAX && !members.is_empty() => {
            for (name, member) in members {
                let path = match path {
                    "" => name.clone(),
                    path => format!("{path}.{name}"),
                };
                collect(member, &path, depth + 1, zone, rows);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for item in items {
                rows.push((path.to_owned(), word(Some(item))));
            }
        }
        Value::String(text) if path.ends_with("_at") && text.parse::<Timestamp>().is_ok() => {
            rows.push((path.to_owned(), local(text, zone)));
        }
        other => rows.push((path.to_owned(), word(Some(other)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn members_become_lines() {
        let contact = json!({
            "id": "c1",
            "name": null,
            "health": {"status": "down", "last_checked_at": "2026-03-01T10:00:00Z"},
            "identities": [{"space": "phone"}, {"space": "whatsapp"}],
            "media": ["sms"],
        });
        let expected = "\
id                      c1
name                    -
health.status           down
health.last_checked_at  2026-03-01T10:00:00+00:00
identities              space=phone
identities              space=whatsapp
media                   sms";
        assert_eq!(render_in(&contact, &TimeZone::UTC), expected);
    }
}
