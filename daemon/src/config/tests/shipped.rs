//! What is shipped in `etc/`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::Written;
use crate::config::{Config, Environment, reference};

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../etc")
        .join(name)
}

#[test]
fn the_shipped_configuration_is_valid() {
    let config = Config::load(&shipped("trunkline.toml"), &Environment::default())
        .unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(
        config.channels.len(),
        0,
        "nothing is configured for anybody yet"
    );
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}

/// Run with `UPDATE_REFERENCE=1` to write the file anew.
#[test]
fn the_reference_is_what_the_types_say() {
    let file = shipped("reference.toml");
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        fs::write(&file, reference()).unwrap();
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), reference());
}

#[test]
fn the_reference_is_a_configuration_of_defaults() {
    let config = Written::new(&reference()).valid();
    let defaults = Config::default();
    assert_eq!(
        (
            &config.server,
            &config.admin,
            &config.lmtp,
            &config.store,
            &config.retention,
            &config.plugins
        ),
        (
            &defaults.server,
            &defaults.admin,
            &defaults.lmtp,
            &defaults.store,
            &defaults.retention,
            &defaults.plugins
        )
    );
    assert_eq!(
        (
            &config.health,
            &config.delivery,
            &config.backfill,
            &config.coalesce,
            &config.outbound,
            &config.inbound,
            &config.consent,
            &config.commands,
            &config.thread,
            &config.templates,
            &config.log,
            &config.telemetry
        ),
        (
            &defaults.health,
            &defaults.delivery,
            &defaults.backfill,
            &defaults.coalesce,
            &defaults.outbound,
            &defaults.inbound,
            &defaults.consent,
            &defaults.commands,
            &defaults.thread,
            &defaults.templates,
            &defaults.log,
            &defaults.telemetry
        )
    );
}

#[test]
fn examples_work_once_they_are_uncommented() {
    let mut texts = vec![reference()];
    for entry in fs::read_dir(shipped("channels.d")).unwrap() {
        texts.push(fs::read_to_string(entry.unwrap().path()).unwrap());
    }
    assert!(texts.len() > 2);
    for text in texts {
        let written = Written::new(&uncommented(&text));
        fs::create_dir(written.path("secrets")).unwrap();
        let text = uncommented(&text);
        let written =
            named(&text, "env = \"").fold(written, |written, name| written.env(name, "hush"));
        let written = named(&text, "file = \"")
            .fold(written, |written, name| written.file(name, super::TOKEN));
        assert_eq!(written.valid().channels.len(), 1, "{text}");
    }
}

/// The names that stand behind `before`, up to the next quote.
fn named<'a>(text: &'a str, before: &str) -> impl Iterator<Item = &'a str> {
    let rests = text.split(before).skip(1);
    rests.filter_map(|rest| rest.split('"').next())
}

/// Examples are lines that begin with `#` and no space; what has a space is prose.
fn uncommented(text: &str) -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(example) if !example.starts_with(' ') => format!("{example}\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}
