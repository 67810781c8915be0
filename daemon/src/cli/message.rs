//! `trunkline message`: show; and how messages are listed.

use clap::Subcommand;
use serde_json::Value;

use super::{
    admin::{Admin, Query, id},
    detail,
    failure::Failure,
    output,
    table::{self, Column, word},
};

/// Messages in a list.
pub(super) const COLUMNS: [Column; 7] = [
    Column::time("TIME", "/created_at"),
    Column::text("DIRECTION", "/direction"),
    Column::text("CHANNEL", "/channel"),
    Column::made("AUTHOR", author),
    Column::text("STATUS", "/status"),
    Column::made("TEXT", text),
    Column::text("ID", "/id"),
];

const HISTORY: [Column; 6] = [
    Column::time("AT", "/at"),
    Column::text("STATUS", "/status"),
    Column::text("SOURCE", "/source"),
    Column::number("PART", "/part"),
    Column::text("CODE", "/code"),
    Column::text("DETAIL", "/detail"),
];

/// The verb.
#[derive(Debug, Subcommand)]
pub(super) enum Message {
    /// Shows a message with its status, history and error.
    Show {
        /// The message's id.
        #[arg(value_parser = id)]
        message: String,
        /// Prints the API's JSON.
        #[arg(long)]
        json: bool,
    },
}

impl Message {
    /// Does it.
    pub(super) async fn perform(self, admin: &Admin) -> Result<(), Failure> {
        let Self::Show { message, json } = self;
        let mut found = admin
            .get(&["messages", &message], &Query::default())
            .await?;
        if json {
            return output::print_json(&found);
        }
        let history = found["history"].take();
        output::print(&detail::render(&found))?;
        let history = history.as_array().map(Vec::as_slice).unwrap_or_default();
        output::print(&format!("\n{}", table::render(history, &HISTORY)))
    }
}

fn author(message: &Value) -> String {
    match message.pointer("/author/name") {
        Some(Value::String(name)) if !name.is_empty() => name.clone(),
        _ => word(message.pointer("/author/kind")),
    }
}

/// The text, or what there is in its place.
fn text(message: &Value) -> String {
    let content = &message["content"];
    let media = content["media"].as_array().map_or(0, Vec::len);
    match content["text"].as_str() {
        Some(text) if media == 0 => text.to_owned(),
        Some(text) => format!("[{media} media] {text}"),
        None if media > 0 => format!("[{media} media]"),
        None => word(content.get("subject")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_message_without_text_says_what_it_has() {
        let table = [
            (json!({"content": {"text": "Hi"}}), "Hi"),
            (
                json!({"content": {"text": "Hi", "media": [{}]}}),
                "[1 media] Hi",
            ),
            (json!({"content": {"media": [{}, {}]}}), "[2 media]"),
            (json!({"content": {"subject": "Hello"}}), "Hello"),
            (json!({}), "-"),
        ];
        for (message, expected) in table {
            assert_eq!(text(&message), expected);
        }
    }
}
