//! The format of a store: one number for how its records are laid out.
//!
//! It stands in the header of every segment of the log and of every snapshot, so that it is known before
//! anything else is read, and a version that does not know it refuses before it touches anything. The file `format` beside
//! them says the same for people, and which version wrote the store; nothing depends on it.

use std::{
    fs::File,
    io::{ErrorKind, Read as _, Write as _},
    path::Path,
};

use serde_json::{Value, json};

use super::{error::OpenError, folder::sync_folder, segment, snapshot};

/// The format that this version writes, and the newest that it reads.
pub const FORMAT: u32 = 2;
/// The format of stores that do not say theirs: what 0.1.0 wrote.
pub const FORMAT_FIRST: u32 = 1;

const NOTE: &str = "format";

/// What the file beside the log says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FormatNote {
    /// The format of all records.
    pub format: Option<u32>,
    /// The version of Trunkline that wrote it.
    pub written_by: Option<String>,
}

impl FormatNote {
    /// Reads it; empty where there is none, or it can't be read.
    pub fn load(store: &Path) -> Self {
        let bytes = std::fs::read(store.join(NOTE)).unwrap_or_default();
        let note: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let format = note["format"].as_u64();
        Self {
            format: format.and_then(|format| u32::try_from(format).ok()),
            written_by: note["written_by"].as_str().map(str::to_owned),
        }
    }

    /// Writes it, where it says something else.
    pub(super) fn save(store: &Path, format: u32) -> std::io::Result<()> {
        let note = Self {
            format: Some(format),
            written_by: Some(env!("CARGO_PKG_VERSION").to_owned()),
        };
        if Self::load(store) == note {
            return Ok(());
        }
        let text = json!({"format": note.format, "written_by": note.written_by});
        let unfinished = store.join("format.new");
        let mut file = File::create(&unfinished)?;
        file.write_all(format!("{text}\n").as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&unfinished, store.join(NOTE))?;
        sync_folder(store).map_err(std::io::Error::other)
    }
}

/// The newest format that a header in the store names; none where there is no header. Only reads.
pub(super) fn newest(store: &Path) -> Result<Option<u32>, OpenError> {
    let log = in_folder(&store.join("log"), "log", segment::format_of)?;
    match log {
        Some(found) => Ok(Some(found)),
        // A store that is being restored: the snapshot is all there is of it.
        None => in_folder(&store.join("snapshots"), "snap", snapshot::format_of),
    }
}

/// The same; refuses what this version does not read.
pub(super) fn check(store: &Path) -> Result<Option<u32>, OpenError> {
    let found = newest(store)?;
    match found.filter(|found| *found > FORMAT) {
        Some(found) => Err(refusal(store, found)),
        None => Ok(found),
    }
}

fn refusal(store: &Path, found: u32) -> OpenError {
    let own = env!("CARGO_PKG_VERSION");
    let install = match FormatNote::load(store).written_by {
        Some(version) => format!("Trunkline {version}, which wrote it, or a newer one"),
        None => format!("a version of Trunkline newer than {own}"),
    };
    OpenError::Newer {
        path: store.to_owned(),
        found,
        known: FORMAT,
        install,
    }
}

/// The newest format in the headers of a folder's files.
fn in_folder(
    folder: &Path,
    extension: &str,
    read: fn(&[u8]) -> Option<u32>,
) -> Result<Option<u32>, OpenError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(OpenError::io("list", folder)(error)),
    };
    let mut newest = None;
    for entry in entries {
        let path = entry.map_err(OpenError::io("list", folder))?.path();
        if path.extension().is_some_and(|found| found == extension) {
            let mut head = Vec::new();
            File::open(&path)
                .and_then(|file| {
                    file.take(segment::SEGMENT_HEADER_BYTES as u64)
                        .read_to_end(&mut head)
                })
                .map_err(OpenError::io("read", &path))?;
            newest = newest.max(read(&head));
        }
    }
    Ok(newest)
}
