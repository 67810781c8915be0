//! `METRICS.md`, and what else names metrics.

use std::{fmt::Write as _, fs, path::Path};

use super::{Described, Metrics};

const HEADER: &str = "\
# Metrics

`GET /metrics` of the admin listener and its socket gives them in the OpenMetrics text format, without a token: they
hold no identifiers of people. Names begin with `trunkline_`, but for those of the process. Counters start at 0 with
the daemon; a series is there once it has counted something. Labels are ids of channels and words of closed sets, so
there are as many series as channels allow, whatever strangers send.

Error classes are those of `last_error` and of a message's `error`. What waits in the outbox is counted when it is
asked for, and never for more than a twentieth of the time: with hundreds of thousands of messages the numbers are up to a
minute old.

Made from the registry: do not edit.

| metric | type | labels | meaning |
|---|---|---|---|
";

fn table(described: &[Described]) -> String {
    let mut text = HEADER.to_owned();
    let mut sorted: Vec<&Described> = described.iter().collect();
    sorted.sort_by(|one, other| one.name.cmp(&other.name));
    for metric in sorted {
        let names: Vec<String> = match metric.kind {
            "histogram" => vec![metric.name.clone()],
            _ => metric.samples(),
        };
        let labels: Vec<String> = metric
            .labels
            .iter()
            .map(|name| format!("`{name}`"))
            .collect();
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} |",
            names.join(", "),
            metric.kind,
            labels.join(" "),
            metric.help
        );
    }
    text
}

/// Run with `UPDATE_REFERENCE=1` to write the file anew.
#[test]
fn the_table_of_metrics_is_what_is_registered() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("METRICS.md");
    let made = table(&Metrics::new().described());
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        fs::write(&file, &made).unwrap();
    }
    let there = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(there, made, "run again with UPDATE_REFERENCE=1");
}

#[test]
fn names_follow_the_conventions() {
    for metric in Metrics::new().described() {
        let name = &metric.name;
        let is_plain = |c: char| c.is_ascii_lowercase() || c == '_';
        assert!(name.chars().all(is_plain), "{name}");
        assert!(
            !name.ends_with("_total"),
            "{name}: that is added to counters"
        );
        for unit in ["_ms", "_us", "_millis", "_kb", "_mb", "_minutes"] {
            assert!(!name.ends_with(unit), "{name} is not in a base unit");
        }
        assert!(
            !metric.help.is_empty() && !metric.help.ends_with('.'),
            "{name}"
        );
    }
}
