//! trunkline.toml(5): every key of the configuration, from the same schema as the reference.

use clap_mangen::roff::{Roff, bold, italic, roman};
use serde_json::Value;

use super::Page;
use crate::config;

const SECTION: &str = "5";

const DESCRIPTION: [&str; 4] = [
    "The configuration of trunkline(1) is TOML: /etc/trunkline/trunkline.toml, then the files of the \
     folder channels.d beside it in the order of their names, then environment variables such as \
     TRUNKLINE__SERVER__LISTEN. Later ones win over earlier ones, key by key.",
    "Durations are written \"500ms\", \"2s\", \"5m\", \"1h 30m\", \"30d\". Sizes are bytes, or written \
     \"512KiB\", \"4MiB\". Relative paths start from the folder of the main file.",
    "Any secret may be kept elsewhere: { file = \"/path\" }, { env = \"NAME\" }, or as a credential \
     that systemd passes: { credential = \"name\" }.",
    "After a change, trunkline check says what is wrong, with file and line, and what would change; \
     systemctl reload trunkline applies it. A key marked \"needs a restart\" is applied by the next \
     start.",
];

/// The page.
pub(super) fn page() -> Page {
    let mut roff = Roff::new();
    let source = concat!("Trunkline ", env!("CARGO_PKG_VERSION"));
    roff.control("TH", ["TRUNKLINE.TOML", SECTION, "", source, "Trunkline"])
        .control("SH", ["NAME"])
        .text([roman(
            "trunkline.toml - configuration of the Trunkline messaging gateway",
        )])
        .control("SH", ["DESCRIPTION"]);
    for (index, paragraph) in DESCRIPTION.iter().enumerate() {
        if index > 0 {
            roff.control("PP", []);
        }
        roff.text([roman(*paragraph)]);
    }
    roff.control("SH", ["KEYS"]);
    for (name, section) in properties(config::schema()) {
        table(&mut roff, name, section);
    }
    roff.control("SH", ["FILES"])
        .text([roman(
            "/usr/share/doc/trunkline/reference.toml has every key with its default, ready to be \
             copied; /usr/share/doc/trunkline/examples/channels.d/ has a channel of each kind.",
        )])
        .control("SH", ["SEE ALSO"])
        .text([roman(
            "trunkline(1), trunkline-check(1), trunkline-reload(1)",
        )]);
    Page {
        name: "trunkline.toml".to_owned(),
        section: SECTION,
        text: roff.to_roff(),
    }
}

/// A table with its keys, then the tables in it. One whose names are the operator's is shown as
/// `[channel.NAME]`.
fn table(roff: &mut Roff, name: &str, schema: &Value) {
    let named = schema
        .get("additionalProperties")
        .filter(|entry| entry.get("properties").is_some());
    if let Some(entry) = named {
        heading(roff, &format!("{name}.NAME"), &[schema, entry]);
        keys(roff, &format!("{name}.NAME"), entry);
    } else {
        heading(roff, name, &[schema]);
        keys(roff, name, schema);
    }
}

fn heading(roff: &mut Roff, name: &str, schemas: &[&Value]) {
    roff.control("SS", [format!("[{name}]").as_str()]);
    let words: Vec<_> = schemas.iter().map(|schema| described(schema)).collect();
    prose(roff, words.join(" ").trim());
}

fn keys(roff: &mut Roff, name: &str, schema: &Value) {
    let (tables, keys): (Vec<_>, Vec<_>) =
        properties(schema).partition(|(key, schema)| is_table(key, schema));
    for (key, schema) in keys {
        roff.control("TP", []);
        let default = schema
            .get("default")
            .filter(|value| !value.is_null())
            .map(|value| format!(" = {}", config::toml(value)));
        roff.text([bold(key.as_str()), italic(default.unwrap_or_default())]);
        prose(roff, described(schema));
        if schema["x-restart"] == Value::Bool(true) {
            roff.text([roman("Needs a restart.")]);
        }
    }
    for (key, schema) in tables {
        table(roff, &format!("{name}.{key}"), schema);
    }
}

/// True for what is written as a table of its own; `config` is the adapter's.
fn is_table(key: &str, schema: &Value) -> bool {
    schema.get("properties").is_some() || key == "config"
}

fn prose(roff: &mut Roff, words: &str) {
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    if !words.is_empty() {
        roff.text([roman(words)]);
    }
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema["properties"].as_object().into_iter().flatten()
}

fn described(schema: &Value) -> &str {
    schema["description"].as_str().unwrap_or_default()
}
