//! `trunkline plugin inspect FILE`: what a file says of itself, without running any of it and without a daemon.

use std::path::{Path, PathBuf};

use serde_json::json;
use trunkline_host::FileFacts;

use crate::cli::{detail, failure::Failure, output};

/// The path, where the argument names a file rather than an id.
pub(super) fn path(plugin: &str) -> Option<PathBuf> {
    let is_path =
        plugin.contains('/') || Path::new(plugin).extension().is_some_and(|end| end == "so");
    is_path.then(|| PathBuf::from(plugin))
}

/// Prints what the file is; fails where this daemon would not load it.
pub(super) fn inspect(path: &Path, as_json: bool) -> Result<(), Failure> {
    let facts = FileFacts::read(path)
        .map_err(|reason| Failure::said(format!("{} {reason}", path.display())))?;
    let note = facts.note.as_ref();
    let shown = json!({
        "path": path.display().to_string(),
        "id": note.map(|note| &note.id),
        "version": note.map(|note| &note.version),
        "abi": note.map(|note| format!("{}.{}", note.abi_major, note.abi_minor)),
        "sha256": facts.sha256,
        "bytes": facts.bytes,
        "needs": facts.needs,
        "loadable": facts.verdict.is_ok(),
        "reason": facts.verdict.as_ref().err(),
    });
    if as_json {
        output::print_json(&shown)?;
    } else {
        output::print(&detail::render(&shown))?;
    }
    match facts.verdict {
        Ok(()) => Ok(()),
        Err(_) => Err(Failure::Told),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_a_slash_or_a_librarys_end() {
        for file in ["./twilio", "/usr/lib/x.so", "x.so"] {
            assert_eq!(path(file), Some(PathBuf::from(file)), "{file}");
        }
        for id in ["twilio", "so", "x_so"] {
            assert_eq!(path(id), None, "{id}");
        }
    }
}
