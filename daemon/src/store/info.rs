//! What a store is, for operators: format, size, what is in it.

use std::{collections::BTreeMap, fs, os::unix::fs::MetadataExt as _, path::Path};

use serde::Serialize;

use super::{
    Store,
    engine::{FormatNote, Look, OpenError, look},
    keys,
};

/// What is known of a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoreInfo {
    /// Its folder.
    pub path: String,
    /// The format of its records.
    pub format: u32,
    /// Whether an earlier start has not finished bringing it to the format that its log says.
    pub migrating: bool,
    /// The version of Trunkline that wrote it last; none where that one did not say.
    pub written_by: Option<String>,
    /// The newest commit.
    pub position: u64,
    /// Records by kind, over all organizations.
    pub records: BTreeMap<String, u64>,
    /// Bytes on disk by what they are for.
    pub bytes: BTreeMap<&'static str, u64>,
}

/// Looks at a store that no daemon has open; changes nothing. Blocks.
///
/// # Errors
/// [`OpenError::Locked`] while a daemon has it open; see [`look`].
pub fn info(path: &Path) -> Result<StoreInfo, OpenError> {
    let Look {
        format,
        note,
        position,
        records,
    } = look(path)?;
    Ok(StoreInfo {
        migrating: note.format.is_some_and(|noted| noted < format),
        ..gathered(path, note, format, position, records)
    })
}

impl Store {
    /// What this store is. Blocks: counts the bytes of files.
    pub fn info(&self) -> StoreInfo {
        let records = self.engine.kinds();
        let format = self.engine.format();
        let path = self.engine.path();
        let position = self.engine.position().0;
        gathered(path, FormatNote::load(path), format, position, records)
    }
}

fn gathered(
    path: &Path,
    note: FormatNote,
    format: u32,
    position: u64,
    counts: impl IntoIterator<Item = ((u32, u8), u64)>,
) -> StoreInfo {
    let mut records: BTreeMap<String, u64> = BTreeMap::new();
    for ((_, kind), count) in counts {
        *records.entry(keys::kind_name(kind)).or_default() += count;
    }
    StoreInfo {
        path: path.display().to_string(),
        format: note
            .format
            .filter(|noted| *noted <= format)
            .unwrap_or(format),
        migrating: false,
        written_by: note.written_by,
        position,
        records,
        bytes: sizes(path),
    }
}

fn sizes(path: &Path) -> BTreeMap<&'static str, u64> {
    let mut sizes = BTreeMap::new();
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let what = match name.to_str().unwrap_or_default() {
            "log" => "log",
            "snapshots" => "snapshots",
            "kept" => "kept",
            "media" => "media",
            "bodies" => "bodies",
            name if name.starts_with("index-") => "index",
            _ => "other",
        };
        *sizes.entry(what).or_default() += bytes_of(&entry.path());
    }
    sizes
}

/// Bytes that a file, or everything in a folder, takes on the disk.
fn bytes_of(path: &Path) -> u64 {
    let Ok(found) = fs::symlink_metadata(path) else {
        return 0;
    };
    if !found.is_dir() {
        return found.blocks() * 512;
    }
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| bytes_of(&entry.path())).sum()
}
