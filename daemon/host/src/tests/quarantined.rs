//! The list of files that are not trusted: kept, bounded, and never a reason not to start.

use std::{fs, io::Write as _, os::unix::fs::PermissionsExt as _};

use tempfile::TempDir;

use crate::{Entry, Quarantine};

fn entry(sha256: &str, channel: Option<&str>) -> Entry {
    Entry {
        sha256: sha256.into(),
        plugin: format!("plugin_{sha256}"),
        version: "1.0".into(),
        channel: channel.map(Into::into),
        reason: "it panicked".into(),
        at_ms: 1,
    }
}

fn state() -> TempDir {
    TempDir::new().expect("a temporary folder")
}

/// A start that finds nothing wrong.
fn begin(state: &TempDir) -> Quarantine {
    let (quarantine, found) = Quarantine::begin(state.path(), 0);
    assert_eq!(found, crate::Aftermath::default());
    quarantine
}

#[test]
fn what_is_held_against_files_outlives_the_process_until_it_is_lifted() {
    let state = state();
    let quarantine = begin(&state);
    quarantine.add(entry("a", Some("sms"))).expect("written");
    quarantine.add(entry("a", None)).expect("written");
    quarantine.add(entry("b", Some("mail"))).expect("written");
    let next = begin(&state);
    assert!(next.of_file("a").is_some() && next.of_file("b").is_none());
    assert!(next.of_channel("b", "mail").is_some() && next.of_channel("b", "sms").is_none());
    let scopes: Vec<_> = next
        .against("a")
        .into_iter()
        .map(|entry| entry.channel)
        .collect();
    assert_eq!(scopes, [None, Some("sms".into())]);
    assert_eq!(next.forgive("mail").expect("written").len(), 1);
    assert_eq!(next.release("plugin_a").expect("written").len(), 2);
    assert_eq!(next.release("plugin_a").expect("nothing to write"), []);
    assert!(begin(&state).against("a").is_empty() && begin(&state).against("b").is_empty());
}

#[test]
fn a_broken_list_is_set_aside_and_stops_nothing() {
    for broken in ["", "{\"entries\":[{}]}", "\u{0}\u{1}", &"x".repeat(2 << 20)] {
        let state = state();
        let path = state.path().join("plugins/quarantine.json");
        begin(&state).add(entry("a", None)).expect("written");
        fs::write(&path, broken).expect("written");
        let (quarantine, found) = Quarantine::begin(state.path(), 0);
        assert!(quarantine.of_file("a").is_none());
        let [words] = &found.troubles[..] else {
            panic!("one trouble: {found:?}");
        };
        assert!(
            words.contains("set aside") && words.contains("quarantine.json.broken"),
            "{words}"
        );
        let aside = state.path().join("plugins/quarantine.json.broken");
        assert_eq!(fs::read_to_string(aside).expect("kept"), broken);
        quarantine.add(entry("b", None)).expect("written");
        assert!(begin(&state).of_file("b").is_some());
    }
}

#[test]
fn the_list_is_bounded_and_the_oldest_goes() {
    let state = state();
    let quarantine = begin(&state);
    for number in 0..300 {
        quarantine
            .add(entry(&number.to_string(), None))
            .expect("written");
    }
    let long = Entry {
        reason: "é\n".repeat(1000),
        ..entry("long", None)
    };
    quarantine.add(long).expect("written");
    let next = begin(&state);
    assert!(next.of_file("0").is_none() && next.of_file("299").is_some());
    let reason = next.of_file("long").expect("kept").reason;
    assert!(
        reason.len() <= 512 && !reason.contains('\n'),
        "{}",
        reason.len()
    );
    let size = fs::metadata(state.path().join("plugins/quarantine.json")).expect("there");
    assert!(size.len() < 100_000);
    assert_eq!(size.permissions().mode() & 0o077, 0, "nobody else reads it");
}

#[test]
fn a_folder_that_can_not_be_used_is_told_and_stops_nothing() {
    let state = state();
    fs::write(state.path().join("plugins"), "a file in its place").expect("written");
    let (quarantine, found) = Quarantine::begin(state.path(), 0);
    assert!(!found.troubles.is_empty(), "{found:?}");
    assert!(quarantine.add(entry("a", None)).is_err());
    assert!(quarantine.of_file("a").is_some(), "in force all the same");
    assert!(quarantine.release("plugin_a").is_err());
    assert!(
        quarantine.of_file("a").is_some(),
        "what can't be lifted for good stays"
    );
}

#[test]
fn a_second_start_on_the_folder_leaves_the_first_one_its_record() {
    let state = state();
    begin(&state);
    let record = state.path().join("plugins/crash");
    let mut first = fs::OpenOptions::new()
        .append(true)
        .open(record)
        .expect("begun");
    begin(&state);
    first.write_all(b"- - - - - SIGBUS\n").expect("written");
    let (_, found) = Quarantine::begin(state.path(), 0);
    assert_eq!(found.unexplained.len(), 1, "{found:?}");
    begin(&state);
}
