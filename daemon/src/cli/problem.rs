//! What the daemon says when it refuses: problem+json, read and told.

use std::fmt;

use serde_json::Value;

use super::output;

/// A refusal in the form of RFC 9457, "Problem Details for HTTP APIs".
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    /// HTTP status.
    pub(super) status: u16,
    /// The kind of problem, for people.
    pub(super) title: String,
    /// This one, for people.
    pub(super) detail: Option<String>,
    /// For programs.
    pub(super) code: Option<String>,
    /// Single findings, one line each: a refused configuration's.
    pub(super) errors: Vec<String>,
    /// A link that helps.
    pub(super) link: Option<Box<str>>,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&output::clean(&self.title))?;
        if let Some(detail) = &self.detail {
            write!(formatter, ": {}", output::clean(detail))?;
        }
        if let Some(code) = &self.code {
            write!(formatter, " ({})", output::clean(code))?;
        }
        if let Some(link) = &self.link {
            write!(formatter, ": {}", output::clean(link))?;
        }
        Ok(())
    }
}

impl Problem {
    /// Reads a refusal; a body in another form leaves the status to speak for itself.
    pub(super) fn read(status: u16, body: &[u8]) -> Self {
        let json: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |name: &str| json[name].as_str().map(str::to_owned);
        let errors = json["errors"].as_array().into_iter().flatten();
        Self {
            status,
            title: text("title").unwrap_or_else(|| format!("the daemon answered {status}")),
            detail: text("detail"),
            code: text("code"),
            link: text("link").map(String::into_boxed_str),
            errors: errors
                .filter_map(|line| line.as_str().map(output::clean))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_read_whatever_their_form() {
        let problem = Problem::read(502, b"<html>");
        assert_eq!(problem.to_string(), "the daemon answered 502");
        let problem = Problem::read(
            422,
            br#"{"title":"Bad","errors":["a.toml:1: x","b\u001b"]}"#,
        );
        assert_eq!(problem.errors, ["a.toml:1: x", "b "]);
    }
}
