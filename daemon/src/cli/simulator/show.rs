//! What happens, for people or as lines of JSON.

use serde_json::{Value, json};
use trunkline_simulator::RecordedRequest;

use crate::cli::{failure::Failure, output};

/// Characters of a text that are shown.
const TEXT_CHARS_MAX: usize = 80;
/// Under these names a call says to whom, and what.
const TOLD: [&str; 6] = ["To", "to", "Body", "text", "From", "from"];

/// Prints.
pub(super) struct Show {
    pub(super) json: bool,
}

impl Show {
    /// Text for people, on standard error where JSON goes to standard output.
    pub(super) fn text(&self, text: &str) -> Result<(), Failure> {
        if self.json {
            output::complain(text);
            return Ok(());
        }
        output::print(text)
    }

    /// One thing that happened: a line of JSON, or words.
    pub(super) fn event(&self, event: &Value, words: &str) -> Result<(), Failure> {
        if self.json {
            return output::print(&event.to_string());
        }
        output::print(&output::clean(words))
    }

    /// A call that came to a provider, and what it would dislike about it.
    pub(super) fn call(&self, side: &str, call: &RecordedRequest) -> Result<(), Failure> {
        let told = TOLD.iter().filter_map(|name| {
            let value: String = call.param(name)?.chars().take(TEXT_CHARS_MAX).collect();
            Some(format!(" {name}={value}"))
        });
        let told: String = told.collect();
        let liked = match &call.problem {
            None => String::new(),
            Some(problem) => format!("  DISLIKED: {problem}"),
        };
        self.event(
            &json!({
                "event": "call",
                "adapter": side,
                "method": call.method,
                "path": call.path,
                "problem": call.problem,
            }),
            &format!("{side}: {} {}{told}{liked}", call.method, call.path),
        )
    }
}
