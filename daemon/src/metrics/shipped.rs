//! What is shipped in `etc/` names only metrics that there are.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

use super::Metrics;

/// Labels that a scraper or a histogram adds.
const ADDED: [&str; 3] = ["job", "instance", "le"];

fn shipped(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../etc")
        .join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The words of an expression that can be names.
fn words(expression: &str) -> Vec<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = expression.split(|c: char| !is_part(c));
    words.filter(|word| !word.is_empty()).collect()
}

/// The names of labels: before an operator in `{...}`, and in `by (...)` and `without (...)`.
fn labels(expression: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for selector in expression.split('{').skip(1) {
        let selector = selector.split('}').next().unwrap_or("");
        // Values are the odd parts between quotes.
        for names in selector.split('"').step_by(2) {
            found.extend(words(names));
        }
    }
    for opening in ["by (", "without ("] {
        for list in expression.split(opening).skip(1) {
            found.extend(words(list.split(')').next().unwrap_or("")));
        }
    }
    found
}

/// Fails where an expression names a metric that is not registered, or a label that none of its
/// metrics has. `shown` are labels that a text about it names.
fn check(expression: &str, shown: &[&str]) {
    let registered = Metrics::new().described();
    let of_ours = |word: &&str| word.starts_with("trunkline_") || word.starts_with("process_");
    let named: Vec<&str> = words(expression).into_iter().filter(of_ours).collect();
    let mut known: BTreeSet<&str> = ADDED.into();
    for name in &named {
        let metric = registered
            .iter()
            .find(|metric| metric.samples().iter().any(|sample| sample == name));
        let metric = metric.unwrap_or_else(|| panic!("there is no {name}: {expression}"));
        known.extend(metric.labels);
    }
    assert!(
        !named.is_empty() || expression.starts_with("up{"),
        "{expression}"
    );
    for label in labels(expression).into_iter().chain(shown.iter().copied()) {
        assert!(
            known.contains(label),
            "no metric has the label {label}: {expression}"
        );
    }
}

#[test]
fn the_dashboard_names_what_there_is() {
    let dashboard: Value = serde_json::from_str(&shipped("grafana/trunkline.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut checked = 0;
    for target in panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().unwrap())
    {
        let legend = target["legendFormat"].as_str().unwrap();
        let shown: Vec<&str> = legend
            .split("{{")
            .skip(1)
            .map(|rest| rest.split("}}").next().unwrap())
            .collect();
        check(target["expr"].as_str().unwrap(), &shown);
        checked += 1;
    }
    assert!(checked >= 20, "{checked}");
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        if let Some(query) = variable["definition"].as_str() {
            let inside = query
                .strip_prefix("label_values(")
                .unwrap()
                .trim_end_matches(')');
            let (metric, label) = inside.split_once(", ").unwrap();
            check(metric, &[label]);
        }
    }
}

#[test]
fn the_alerts_name_what_there_is() {
    let alerts: Value = serde_yaml_ng::from_str(&shipped("prometheus/alerts.yml")).unwrap();
    let rules = alerts["groups"][0]["rules"].as_array().unwrap();
    let mut names = BTreeSet::new();
    for rule in rules {
        let name = rule["alert"].as_str().unwrap();
        assert!(names.insert(name), "{name} is there twice");
        assert!(
            matches!(rule["labels"]["severity"].as_str(), Some("page" | "ticket")),
            "{name}"
        );
        let mut shown = Vec::new();
        for text in ["summary", "action"] {
            let text = rule["annotations"][text].as_str().unwrap();
            let labels = text.split("$labels.").skip(1);
            shown.extend(labels.map(|rest| rest.split(' ').next().unwrap()));
        }
        check(rule["expr"].as_str().unwrap(), &shown);
    }
    assert!(names.len() >= 15, "{names:?}");
}

#[test]
fn a_wrong_name_is_found() {
    check(
        "sum by (channel) (rate(trunkline_messages_sent_total{channel=~\"a,b\"}[5m]))",
        &["channel"],
    );
    for wrong in [
        "trunkline_messages_sent",
        "rate(trunkline_messages_sent_total{color=\"x\"}[5m])",
        "sum by (kind) (trunkline_messages_sent_total)",
    ] {
        assert!(
            std::panic::catch_unwind(|| check(wrong, &[])).is_err(),
            "{wrong}"
        );
    }
}
