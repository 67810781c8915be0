//! The annotated reference: every key with what it means, its default, and when it applies.
//!
//! Made from the sections' own schema, so it can't be out of date: `etc/reference.toml` is
//! compared with it by a test.

use std::fmt::Write as _;

use serde_json::Value;

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
that systemd passes: { credential = \"name\" }; or stand here sealed, as \"sealed:v1:...\", which
`trunkline secret seal` makes.";

const CHANNEL: &str = "\
A channel: its id is made of a-z, 0-9 and _, and stays the same for ever. The adapter's keys
below are those of \"twilio\".";

const ACCOUNT: &str = "\
A provider account whose rate several channels share; they name it as their `account`.";

const FORM: &str = "\
A form at /forms/contact of the public listener: who fills it in becomes a contact with a thread.";

const ORGANIZATION: &str = "\
What concerns all channels of an organization together; \"default\" is the one of channels that
name none.";

/// The text of `etc/reference.toml`.
pub fn reference() -> String {
    let mut text = String::new();
    comment(&mut text, HEADER);
    for (name, section) in properties(&SCHEMA) {
        match name.as_str() {
            "channel" => channel_example(&mut text, &section["additionalProperties"]),
            "account" => account_example(&mut text, &section["additionalProperties"]),
            "form" => form_example(&mut text, &section["additionalProperties"]),
            "organization" => organization_example(&mut text, &section["additionalProperties"]),
            _ => {
                text.push('\n');
                comment(&mut text, described(section));
                let _ = writeln!(text, "[{name}]");
                keys(&mut text, section);
                tables(&mut text, name, section);
                if name == "commands" {
                    command(&mut text, &section["additionalProperties"]);
                }
            }
        }
    }
    text
}

/// The tables of a section that are written as tables of their own.
fn tables(text: &mut String, name: &str, section: &Value) {
    for (key, schema) in properties(section).filter(|(_, schema)| is_table(schema)) {
        text.push('\n');
        comment(text, described(schema));
        let _ = writeln!(text, "[{name}.{key}]");
        keys(text, schema);
    }
}

fn is_table(schema: &Value) -> bool {
    schema["x-table"] == Value::Bool(true)
}

fn keys(text: &mut String, section: &Value) {
    for (key, schema) in properties(section).filter(|(_, schema)| !is_table(schema)) {
        let mut words = described(schema).to_owned();
        if schema["x-restart"] == Value::Bool(true) {
            words.push_str(" Needs a restart.");
        }
        comment(text, &words);
        let value = toml(&schema["default"]);
        let _ = writeln!(text, "{key} = {value}");
    }
}

/// Values of the examples, for keys whose default says nothing.
const GIVEN: [(&str, &str); 30] = [
    ("account", "\"main\""),
    ("concurrency", "4"),
    ("per_second", "10.0"),
    ("burst", "20"),
    ("adapter", "\"twilio\""),
    ("display_name", "\"Support line\""),
    ("webhook_token", "{ file = \"secrets/sms_support.token\" }"),
    ("body_bytes_max", "\"1MiB\""),
    ("webhook_paths", "[\"/webhooks/sms\"]"),
    ("quiet", "\"2s\""),
    ("max", "\"10s\""),
    ("segments_max", "6"),
    ("daily_segments", "5000"),
    ("sender_per_minute", "60"),
    ("channel_per_second", "100"),
    ("keywords", "true"),
    ("traffic_every", "\"2h\""),
    ("hours", "\"08-18\""),
    ("zone", "\"UTC\""),
    ("to", "\"+15550101\""),
    ("via", "\"sms_support\""),
    ("channels", "[\"sms_support\"]"),
    ("continue_on", "\"sms_support\""),
    ("labels", "{ send = \"Send it\" }"),
    ("address", "\"+15550100\""),
    ("reply_window", "\"23h\""),
    ("messages", "\"365d\""),
    ("media", "\"90d\""),
    ("contacts", "\"730d\""),
    ("audit", "\"3650d\""),
];

const CONFIG: &str = "\
#account_sid = \"AC00000000000000000000000000000000\"
#auth_token = { env = \"TWILIO_AUTH_TOKEN\" }
#from = \"+15550100\"
";

/// A command, commented out in the same way.
fn command(text: &mut String, command: &Value) {
    text.push_str("#[commands.\"/help\"]\n");
    let given = [
        ("enabled", "true"),
        ("thread", "\"needs_human\""),
        ("reply", "\"A person will answer you soon.\""),
    ];
    for (key, value) in given {
        let words = &command["properties"][key]["description"];
        comment(text, words.as_str().unwrap_or_default());
        let _ = writeln!(text, "#{key} = {value}");
    }
}

/// A channel, all of it commented out: without the `#` at the beginning of a line it is TOML.
fn channel_example(text: &mut String, channel: &Value) {
    text.push('\n');
    comment(text, CHANNEL);
    text.push_str("#[channel.sms_support]\n");
    example_keys(text, channel);
    example_sections(text, "channel.sms_support", channel);
    comment(text, described(&channel["properties"]["config"]));
    text.push_str("#[channel.sms_support.config]\n");
    text.push_str(CONFIG);
}

/// A provider account, commented out likewise.
fn account_example(text: &mut String, account: &Value) {
    text.push('\n');
    comment(text, ACCOUNT);
    text.push_str("#[account.main]\n");
    example_keys(text, account);
}

/// A form, commented out likewise.
fn form_example(text: &mut String, form: &Value) {
    text.push('\n');
    comment(text, FORM);
    text.push_str("#[form.contact]\n");
    example_keys(text, form);
}

/// An organization, commented out likewise.
fn organization_example(text: &mut String, organization: &Value) {
    text.push('\n');
    comment(text, ORGANIZATION);
    example_sections(text, "organization.default", organization);
}

/// The keys of a table that are not tables themselves.
fn example_keys(text: &mut String, table: &Value) {
    for (key, schema) in properties(table) {
        if schema.get("properties").is_some() || key == "config" {
            continue;
        }
        comment(text, described(schema));
        let given = GIVEN.iter().find(|(name, _)| name == key);
        let value = given.map_or_else(
            || toml(&schema["default"]),
            |(_, value)| (*value).to_owned(),
        );
        let _ = writeln!(text, "#{key} = {value}");
    }
}

/// The tables in a table.
fn example_sections(text: &mut String, name: &str, table: &Value) {
    for (key, schema) in properties(table) {
        if schema.get("properties").is_some() {
            comment(text, described(schema));
            let _ = writeln!(text, "#[{name}.{key}]");
            example_keys(text, schema);
        }
    }
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema["properties"].as_object().into_iter().flatten()
}

fn described(schema: &Value) -> &str {
    schema["description"].as_str().unwrap_or_default()
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
pub fn toml(value: &Value) -> String {
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
