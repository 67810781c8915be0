//! The annotated reference: every key with what it means, its default, and when it applies.
//!
//! Made from the sections' own schema, so it can't be out of date: `etc/reference.toml` is
//! compared with it by a test.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::document::SCHEMA;

/// Column at which comments wrap.
const WIDTH: usize = 96;

const HEADER: &str = "\
Every key that Trunkline knows, with its default. Made from the program's own types:
do not edit. Copy what you want to change to /etc/trunkline/trunkline.toml, and channels to
files of their own in /etc/trunkline/channels.d/. Later files win over earlier ones, and
variables such as TRUNKLINE__SERVER__LISTEN over all files.

Durations are written \"500ms\", \"2s\", \"5m\", \"1h 30m\", \"30d\". Sizes are bytes, or written
\"512KiB\", \"4MiB\". Relative paths start from the folder of the main file. A reload applies
every key that is not marked \"needs a restart\".

Any secret may be kept elsewhere: { file = \"/path\" }, { env = \"NAME\" }, or as a credential
that systemd passes: { credential = \"name\" }.";

const EXAMPLE: &str = "\
A channel: its id is made of a-z, 0-9 and _, and stays the same for ever. The adapter's keys
below are those of \"twilio\".";

/// The text of `etc/reference.toml`.
pub fn reference() -> String {
    let mut text = String::new();
    comment(&mut text, HEADER);
    let sections = SCHEMA["properties"].as_object();
    for (name, section) in sections.into_iter().flatten() {
        if name == "channel" {
            example(&mut text, &section["additionalProperties"]);
        } else {
            text.push('\n');
            comment(
                &mut text,
                section["description"].as_str().unwrap_or_default(),
            );
            let _ = writeln!(text, "[{name}]");
            keys(&mut text, section, "");
        }
    }
    text
}

fn keys(text: &mut String, section: &Value, prefix: &str) {
    let none = Map::new();
    for (key, schema) in section["properties"].as_object().unwrap_or(&none) {
        let mut words = schema["description"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        if schema["x-restart"] == Value::Bool(true) {
            words.push_str(" Needs a restart.");
        }
        comment(text, &words);
        let value = toml(&schema["default"]);
        let _ = writeln!(text, "{prefix}{key} = {value}");
    }
}

/// A channel, all of it commented out: without the `#` at the beginning of a line it is TOML.
fn example(text: &mut String, channel: &Value) {
    text.push('\n');
    comment(text, EXAMPLE);
    text.push_str("#[channel.sms_support]\n");
    let given = [
        ("adapter", "\"twilio\""),
        ("display_name", "\"Support line\""),
        ("webhook_token", "{ file = \"secrets/sms_support.token\" }"),
        ("body_bytes_max", "\"1MiB\""),
        ("webhook_paths", "[\"/webhooks/sms\"]"),
    ];
    let none = Map::new();
    for (key, schema) in channel["properties"].as_object().unwrap_or(&none) {
        if schema.get("properties").is_some() || key == "config" {
            continue;
        }
        comment(text, schema["description"].as_str().unwrap_or_default());
        let given = given.iter().find(|(name, _)| name == key);
        let value = given.map_or_else(
            || toml(&schema["default"]),
            |(_, value)| (*value).to_owned(),
        );
        let _ = writeln!(text, "#{key} = {value}");
    }
    let sections = &channel["properties"];
    for key in ["coalesce", "config"] {
        comment(
            text,
            sections[key]["description"].as_str().unwrap_or_default(),
        );
        let _ = writeln!(text, "#[channel.sms_support.{key}]");
        text.push_str(match key {
            "coalesce" => "#quiet = \"2s\"\n#max = \"10s\"\n",
            _ => {
                "#account_sid = \"AC00000000000000000000000000000000\"\n\
                 #auth_token = { env = \"TWILIO_AUTH_TOKEN\" }\n\
                 #from = \"+15550100\"\n"
            }
        });
    }
}

/// Appends a comment, its paragraphs wrapped.
fn comment(text: &mut String, words: &str) {
    for (index, paragraph) in words.split("\n\n").enumerate() {
        if index > 0 {
            text.push_str("#\n");
        }
        let mut line = String::from("#");
        for word in paragraph.split_whitespace() {
            if line.len() + 1 + word.len() > WIDTH {
                let _ = writeln!(text, "{line}");
                line = String::from("#");
            }
            line.push(' ');
            line.push_str(word);
        }
        let _ = writeln!(text, "{line}");
    }
}

/// A default as TOML; a table is written on one line.
fn toml(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(toml).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(table) => {
            let keys: Vec<_> = table
                .iter()
                .map(|(key, value)| format!("{key} = {}", toml(value)))
                .collect();
            if keys.is_empty() {
                "{}".into()
            } else {
                format!("{{ {} }}", keys.join(", "))
            }
        }
        // JSON's strings, numbers and booleans are TOML's.
        _ => value.to_string(),
    }
}
