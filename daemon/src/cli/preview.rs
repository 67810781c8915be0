//! What `trunkline send --dry-run` shows: how a message would go out, or why it would not.

use serde_json::{Value, json};

use super::{
    admin::{Admin, AdminError, Query},
    detail,
    failure::Failure,
    output,
    table::{self, Column},
};

const PARTS: [Column; 5] = [
    Column::number("PART", "/part"),
    Column::text("ENCODING", "/encoding"),
    Column::number("UNITS", "/units"),
    Column::number("SEGMENTS", "/segments"),
    Column::text("TEXT", "/text"),
];

/// Asks the daemon what would become of a message, and prints it. A refusal exits 1; as JSON it is
/// on standard output too: `{"refused": {"code", "detail"}}`.
pub(super) async fn show(admin: &Admin, body: &Value, as_json: bool) -> Result<(), Failure> {
    let path = ["messages", "preview"];
    let answer = admin.call(&path, &Query::default(), Some(body), &[]).await;
    match answer {
        Ok(preview) if as_json => output::print_json(&preview),
        Ok(preview) => output::print(&render(preview)),
        Err(AdminError::Problem(problem)) if as_json => {
            let refused = json!({"code": problem.code, "detail": problem.detail});
            output::print_json(&json!({"refused": refused}))?;
            Err(Failure::Told)
        }
        Err(error) => Err(error.into()),
    }
}

/// The whole as lines, then its parts as a table.
fn render(mut preview: Value) -> String {
    let mut parts = preview["parts"].take();
    let empty = &mut Vec::new();
    let parts = parts.as_array_mut().unwrap_or(empty);
    for (at, part) in parts.iter_mut().enumerate() {
        part["part"] = (at + 1).into();
    }
    preview["parts"] = parts.len().into();
    let whole = detail::render(&preview);
    if parts.is_empty() {
        return whole;
    }
    format!("{whole}\n\n{}", table::render(parts, &PARTS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preview_is_lines_and_a_table_of_parts() {
        let preview = json!({
            "channel": "sms", "encoding": "gsm7", "units": 9, "segments": 2, "folded": false,
            "parts": [
                {"text": "one\ntwo", "encoding": "gsm7", "units": 7, "segments": 1},
                {"text": "€", "encoding": "gsm7", "units": 2, "segments": 1},
            ],
            "daily": {"channel": null},
        });
        let expected = "\
channel        sms
encoding       gsm7
units          9
segments       2
folded         no
parts          2
daily.channel  -

PART  ENCODING  UNITS  SEGMENTS  TEXT
   1  gsm7          7         1  one two
   2  gsm7          2         1  €";
        assert_eq!(render(preview), expected);
    }
}
