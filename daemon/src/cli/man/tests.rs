//! What the pages hold.

use std::process::{Command, Stdio};

use clap::CommandFactory;

use super::*;
use crate::config;

fn page(name: &str) -> Page {
    let page = pages().into_iter().find(|page| page.name == name);
    page.unwrap_or_else(|| panic!("no page {name}"))
}

#[test]
fn every_verb_has_a_page_with_its_options() {
    fn assert_pages(command: &clap::Command, name: &str) {
        let page = page(name);
        assert_eq!(page.section, "1", "{name}");
        for part in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS"] {
            assert!(page.text.contains(part), "{name}: no {part}");
        }
        for option in command
            .get_arguments()
            .filter(|option| !option.is_hide_set())
        {
            if let Some(long) = option.get_long() {
                let long = format!("\\-\\-{}", long.replace('-', "\\-"));
                assert!(page.text.contains(&long), "{name}: no {long}");
            }
        }
        for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
            assert_pages(verb, &format!("{name}-{}", verb.get_name()));
        }
    }
    assert_pages(&Cli::command(), "trunkline");
}

#[test]
fn the_configuration_has_a_page_with_every_key_of_the_reference() {
    let page = page("trunkline.toml");
    assert_eq!(page.section, "5");
    let mut keys = 0;
    for line in config::reference().lines() {
        let line = line.strip_prefix('#').unwrap_or(line);
        let Some((key, _)) = line.split_once(" = ") else {
            continue;
        };
        let is_key = key
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        // The adapter's own keys are in its schema, which `trunkline plugin inspect` shows.
        if !is_key || ["account_sid", "auth_token", "from"].contains(&key) {
            continue;
        }
        keys += 1;
        let term = format!("\\fB{}\\fR", key.replace('-', "\\-"));
        assert!(page.text.contains(&term), "no key {key}");
    }
    assert!(keys > 80, "the reference has more keys than {keys}");
    assert!(page.text.contains("[channel.NAME.config]"));
}

/// Where the formatter of manuals is installed; elsewhere there is nothing to ask.
#[test]
fn the_formatter_has_no_complaint() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &pages()).unwrap();
    for entry in fs::read_dir(folder.path()).unwrap() {
        let file = entry.unwrap().path();
        let outcome = Command::new("man")
            .args(["--warnings=all", "--local-file", "--encoding=UTF-8"])
            .arg(&file)
            .env("LC_ALL", "C.UTF-8")
            .env("MANROFFSEQ", "")
            .env("MANWIDTH", "80")
            .stdout(Stdio::null())
            .output();
        let Ok(outcome) = outcome else {
            println!("man is not installed: the pages were not formatted");
            return;
        };
        let complaints = String::from_utf8_lossy(&outcome.stderr);
        assert!(
            outcome.status.success() && complaints.is_empty(),
            "{}: {complaints}",
            file.display()
        );
    }
}
