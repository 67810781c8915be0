//! Reads the daemon's own sources for what they log, and compares it with the list.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use super::EVENTS;

const HEADER: &str = "\
# Log events

Every line that Trunkline logs at `info` and above has a field `event` with one of these names. Names stay the same;
the words of a message may change. Lines at `debug` and `trace` are for looking into something and are not listed, nor are
those of libraries, which have no `event`.

With `[log] format = \"json\"` each line is an object with these fields beside `timestamp`, `level` and `message`; with
`\"journald\"` they are fields of the journal with the prefix `TRUNKLINE_`, so that `journalctl TRUNKLINE_EVENT=notice`
finds them. Lines logged while the API serves a request also have that request's id: `request`. Addresses are masked;
no line holds the text of a message or a secret.

Made from the sources: do not edit.

| event | level | fields | meaning |
|---|---|---|---|
";

/// One `info!`, `warn!` or `error!` of the sources.
struct Logged {
    place: String,
    level: &'static str,
    name: Option<String>,
    fields: Vec<String>,
}

fn sources() -> Vec<PathBuf> {
    let daemon = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![daemon.join("src"), daemon.join("host/src")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let is_here = path.ends_with("telemetry/events/source.rs");
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") && !is_here {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn all_logged() -> Vec<Logged> {
    let read = |file: PathBuf| {
        logged(
            &file.display().to_string(),
            &fs::read_to_string(file).unwrap(),
        )
    };
    sources().into_iter().flat_map(read).collect()
}

/// What one source logs. Strings may hold anything; comments within a macro may not hold brackets.
fn logged(file: &str, text: &str) -> Vec<Logged> {
    let mut found = Vec::new();
    for level in ["info", "warn", "error"] {
        let call = format!("{level}!(");
        for (at, _) in text.match_indices(&call) {
            let before = text[..at].chars().next_back();
            let line = text[..at].rsplit('\n').next().unwrap_or("");
            let is_part = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
            if is_part || line.trim_start().starts_with("//") {
                continue;
            }
            let arguments = arguments(&text[at + call.len()..]);
            let line = text[..at].matches('\n').count() + 1;
            let mut fields: Vec<String> = arguments.iter().filter_map(|a| field(a)).collect();
            fields.retain(|field| field != "event");
            let name = arguments.iter().find_map(|argument| {
                let value = argument.strip_prefix("event = \"")?;
                value.strip_suffix('"').map(str::to_owned)
            });
            found.push(Logged {
                place: format!("{file}:{line}"),
                level,
                name,
                fields,
            });
        }
    }
    found
}

/// The arguments of a macro whose opening bracket is just before `text`.
fn arguments(text: &str) -> Vec<String> {
    let (mut depth, mut in_string, mut escaped) = (1, false, false);
    let mut all = vec![String::new()];
    for c in text.chars() {
        let is_plain = !in_string;
        match c {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            '(' | '[' | '{' if is_plain => depth += 1,
            ')' | ']' | '}' if is_plain => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
        if c == ',' && depth == 1 && is_plain {
            all.push(String::new());
        } else if let Some(last) = all.last_mut() {
            last.push(c);
        }
    }
    let all = all.iter().map(|argument| argument.trim().to_owned());
    all.filter(|argument| !argument.is_empty()).collect()
}

/// The name of the field that an argument is; none for a message, its arguments and a target.
fn field(argument: &str) -> Option<String> {
    let is_name = |text: &str| {
        let mut chars = text.chars();
        chars.next().is_some_and(|c| c.is_ascii_lowercase())
            && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    if let Some((name, _)) = argument.split_once(" = ")
        && is_name(name)
    {
        return Some(name.to_owned());
    }
    let short = argument.trim_start_matches(['%', '?']);
    is_name(short).then(|| short.to_owned())
}

/// The text of `daemon/EVENTS.md`.
fn table() -> String {
    let mut by_name: BTreeMap<String, (BTreeSet<&str>, BTreeSet<String>)> = BTreeMap::new();
    for line in all_logged() {
        let Some(name) = line.name else { continue };
        let (levels, fields) = by_name.entry(name).or_default();
        levels.insert(line.level);
        fields.extend(line.fields);
    }
    let mut text = HEADER.to_owned();
    for event in EVENTS {
        let (levels, fields) = by_name.remove(event.name).unwrap_or_default();
        let levels: Vec<&str> = levels.into_iter().collect();
        let fields: Vec<String> = fields.iter().map(|field| format!("`{field}`")).collect();
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} |",
            event.name,
            levels.join(", "),
            fields.join(" "),
            event.meaning
        );
    }
    text
}

#[test]
fn what_is_logged_is_listed_and_what_is_listed_is_logged() {
    let listed: BTreeSet<&str> = EVENTS.iter().map(|event| event.name).collect();
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for line in all_logged() {
        match line.name {
            None => wrong.push(format!(
                "{}: no `event = \"...\"` in {}!",
                line.place, line.level
            )),
            Some(name) if !listed.contains(name.as_str()) => {
                wrong.push(format!(
                    "{}: \"{name}\" is not in telemetry/events.rs",
                    line.place
                ));
            }
            Some(name) => {
                seen.insert(name);
            }
        }
    }
    for name in listed.iter().filter(|name| !seen.contains(**name)) {
        wrong.push(format!(
            "\"{name}\" is in telemetry/events.rs and is never logged"
        ));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let names: Vec<&str> = EVENTS.iter().map(|event| event.name).collect();
    assert!(names.is_sorted(), "the list is sorted by name");
    assert_eq!(names.len(), listed.len(), "each name is there once");
}

/// Run with `UPDATE_REFERENCE=1` to write the file anew.
#[test]
fn the_table_of_events_is_what_the_sources_say() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("EVENTS.md");
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        fs::write(&file, table()).unwrap();
    }
    let there = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(there, table(), "run again with UPDATE_REFERENCE=1");
}

#[test]
fn macros_are_read_whatever_is_in_them() {
    let text = "fn a() { info!(event = \"x_y\", channel = %a.b(c, d), ?report, n, \"of, {n}) {}\", f(1)); \
                my_info!(z); tracing::warn!(\"bare\"); }\n/// info!(not code)";
    let found = logged("a.rs", text);
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].name.as_deref(), Some("x_y"));
    assert_eq!(found[0].fields, ["channel", "report", "n"]);
    assert_eq!((found[1].level, found[1].name.as_deref()), ("warn", None));
}
