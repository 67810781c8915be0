//! `trunkline import`: takes what `export` wrote, or what a converter made of another system's data.

use std::{
    fs::File,
    io::{self, Read},
    path::PathBuf,
    sync::Arc,
};

use clap::Args;
use futures_util::stream;
use serde_json::Value;

use super::{
    admin::{Admin, Query},
    failure::Failure,
    output,
    progress::Progress,
};

/// Bytes read at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// The verb.
#[derive(Debug, Args)]
pub(super) struct Import {
    /// The file; `-` is standard input.
    file: PathBuf,
    /// What the organization in the file is to be called here.
    #[arg(long, value_name = "SLUG")]
    organization: Option<String>,
    /// Checks every line and says what would happen, and stores nothing.
    #[arg(long)]
    dry_run: bool,
    /// Prints the API's JSON.
    #[arg(long)]
    json: bool,
}

impl Import {
    /// Does it.
    pub(super) async fn perform(self, admin: &Admin) -> Result<(), Failure> {
        let query = Query::default()
            .with("organization", self.organization.as_ref())
            .with("dry_run", Some(self.dry_run));
        let (input, total): (Box<dyn Read + Send>, _) = if self.file.as_os_str() == "-" {
            (Box::new(io::stdin()), None)
        } else {
            let unreadable = |error: io::Error| {
                Failure::said(format!("{} can't be read: {error}", self.file.display()))
            };
            let file = File::open(&self.file).map_err(unreadable)?;
            let length = file.metadata().map_err(unreadable)?.len();
            (Box::new(file), Some(length))
        };
        let progress = Arc::new(Progress::bytes("importing", total));
        let body = body(input, progress.clone());
        let report = admin.send_stream(&["import"], &query, body).await;
        if let Some(progress) = Arc::into_inner(progress) {
            progress.finish();
        }
        let report = report?;
        if self.json {
            output::print_json(&report)?;
        } else {
            output::print(&words(&report))?;
        }
        if report["complete"] == true {
            return Ok(());
        }
        Err(Failure::said(
            "the file ends without its end line: it was cut off, or its converter forgot it",
        ))
    }
}

/// The input as a body, read as it is sent.
fn body(input: Box<dyn Read + Send>, progress: Arc<Progress>) -> reqwest::Body {
    let chunks = stream::unfold(Some(input), move |input| {
        let progress = progress.clone();
        async move {
            let mut input = input?;
            let mut chunk = vec![0; CHUNK_BYTES];
            match input.read(&mut chunk) {
                Ok(0) => None,
                Ok(length) => {
                    chunk.truncate(length);
                    progress.advance(length as u64);
                    Some((Ok(chunk), Some(input)))
                }
                Err(error) => Some((Err(error), None)),
            }
        }
    });
    reqwest::Body::wrap_stream(chunks)
}

/// What became of the lines, for people.
fn words(report: &Value) -> String {
    let mut lines = Vec::new();
    let verb = if report["dry_run"] == true {
        "would be new"
    } else {
        "new"
    };
    for (kind, tally) in report["counts"].as_object().into_iter().flatten() {
        let count = |name: &str| tally[name].as_u64().unwrap_or(0);
        let mut line = format!(
            "{kind:8} {} {verb}, {} here already",
            count("new"),
            count("present")
        );
        for (name, words) in [
            ("conflicts", "conflicts"),
            ("without_bytes", "without their bytes"),
        ] {
            if count(name) > 0 {
                line = format!("{line}, {} {words}", count(name));
            }
        }
        lines.push(line);
    }
    let conflicts = report["conflicts"].as_array();
    for conflict in conflicts.into_iter().flatten() {
        let text = |name: &str| output::clean(conflict[name].as_str().unwrap_or_default());
        lines.push(format!(
            "line {}: {} {}: {}",
            conflict["line"],
            text("type"),
            text("id"),
            text("reason")
        ));
    }
    let told = conflicts.map_or(0, Vec::len) as u64;
    let more = report["conflicts_total"]
        .as_u64()
        .unwrap_or(0)
        .saturating_sub(told);
    if more > 0 {
        lines.push(format!("and {more} conflicts more"));
    }
    if lines.is_empty() {
        lines.push("there was nothing to import".into());
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_happened_is_said_by_type_and_conflicts_one_by_one() {
        let report = json!({
            "dry_run": false,
            "counts": {"contact": {"new": 2, "present": 1, "conflicts": 1, "without_bytes": 0}},
            "conflicts": [{"line": 4, "type": "contact", "id": "x", "reason": "taken"}],
            "conflicts_total": 3,
        });
        assert_eq!(
            words(&report),
            "contact  2 new, 1 here already, 1 conflicts\nline 4: contact x: taken\nand 2 conflicts more"
        );
    }
}
