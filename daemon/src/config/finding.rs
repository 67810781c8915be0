//! What is wrong with a configuration, and where.

use std::{
    fmt::{self, Write as _},
    path::Path,
    sync::Arc,
};

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// In a file; lines count from 1.
    File {
        /// The file, as it was named.
        file: Arc<Path>,
        /// The line.
        line: usize,
    },
    /// In an environment variable of this name.
    Environment(Arc<str>),
}

impl Place {
    /// A line of a file.
    pub fn line(file: &Arc<Path>, line: usize) -> Self {
        Self::File {
            file: Arc::clone(file),
            line,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, line } => {
                // A line break in a file's name must not begin a line of our own.
                let file = file.display().to_string().replace(char::is_control, "?");
                write!(formatter, "{file}:{line}")
            }
            Self::Environment(name) => write!(formatter, "environment: {}", name.escape_debug()),
        }
    }
}

/// One thing to tell the operator: an error or a warning.
///
/// Prints as one line: `FILE:LINE: key.path: message`, or `environment: NAME: message`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Where.
    pub place: Place,
    /// The key by its path, `server.listen`; empty where it is about a whole file.
    pub key: String,
    /// What, and what to do. Never holds a secret.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: ", self.place)?;
        // The variable's name says the key already.
        if !self.key.is_empty() && matches!(self.place, Place::File { .. }) {
            write!(formatter, "{}: ", self.key)?;
        }
        formatter.write_str(&self.message)
    }
}

/// All that is wrong with a configuration; never empty. One line each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", lines(.0))]
pub struct ConfigErrors(pub Vec<Finding>);

fn lines(findings: &[Finding]) -> String {
    let lines: Vec<_> = findings.iter().map(Finding::to_string).collect();
    lines.join("\n")
}

/// A JSON pointer as a key path: `/channel/sms/config/from` is `channel.sms.config.from`,
/// `/webhook_paths/0` is `webhook_paths[0]`.
pub(super) fn key_path(pointer: &str) -> String {
    let mut path = String::new();
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        let index = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if index && !path.is_empty() {
            let _ = write!(path, "[{part}]");
            continue;
        }
        if !path.is_empty() {
            path.push('.');
        }
        let bare = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
        if !part.is_empty() && part.chars().all(bare) {
            path.push_str(&part);
        } else {
            let _ = write!(path, "{part:?}");
        }
    }
    path
}

/// One more step of a JSON pointer.
pub(super) fn child(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_one_line_that_begins_with_its_place() {
        let file: Arc<Path> = Path::new("/etc/a\nb.toml").into();
        let finding = Finding {
            place: Place::line(&file, 3),
            key: key_path(&child(&child("/channel", "a/b\n"), "paths/0")),
            message: "is wrong".into(),
        };
        assert_eq!(
            finding.to_string(),
            "/etc/a?b.toml:3: channel.\"a/b\\n\".\"paths/0\": is wrong"
        );
    }

    #[test]
    fn key_paths_name_items_by_index() {
        assert_eq!(
            key_path("/channel/sms/webhook_paths/0"),
            "channel.sms.webhook_paths[0]"
        );
        assert_eq!(key_path(""), "");
    }
}
