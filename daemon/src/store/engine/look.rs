//! Looking at a store without opening it: nothing in it is changed.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::Path,
    sync::Arc,
};

use super::{
    error::OpenError,
    folder::claim,
    format::{self, FORMAT_FIRST, FormatNote},
    read::LogReader,
    record::kind_of,
    segment::Catalog,
    snapshot,
};

/// What a store says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// The format in the headers of its files.
    pub format: u32,
    /// What the note beside the log says.
    pub note: FormatNote,
    /// The newest commit that can be read.
    pub position: u64,
    /// Records of each kind in each organization.
    pub records: BTreeMap<(u32, u8), u64>,
}

/// Looks at a store that no daemon has open. Blocks: reads the log behind the newest snapshot.
///
/// # Errors
/// [`OpenError::Locked`] while a daemon has it, [`OpenError::Newer`] where this version does not read it, and
/// [`OpenError::Io`] where there is none.
pub fn look(path: &Path) -> Result<Look, OpenError> {
    let _lock = claim_existing(path)?;
    let format = format::check(path)?.unwrap_or(FORMAT_FIRST);
    let catalog = Arc::new(Catalog::read(&path.join("log"), format)?);
    let snapshots = snapshot::list(path)?;
    let newest = snapshots
        .iter()
        .find_map(|s| snapshot::contents(&s.path).ok());
    let (mut position, counts) = newest.unwrap_or_default();
    let mut records: BTreeMap<_, _> = counts.into_iter().collect();
    let mut reader = LogReader::new(catalog, position + 1);
    while let Ok(frame) = reader.read() {
        let known = position;
        for (at, record) in frame.commits().filter(|(at, _)| *at > known) {
            for write in record.writes() {
                let count: &mut u64 = records.entry(kind_of(write.key)).or_default();
                *count = count.saturating_add_signed(write.kind.delta());
            }
            position = at;
        }
    }
    records.retain(|_, count| *count > 0);
    Ok(Look {
        format,
        note: FormatNote::load(path),
        position,
        records,
    })
}

fn claim_existing(path: &Path) -> Result<File, OpenError> {
    if path.join("lock").exists() {
        return claim(path);
    }
    let missing = io::Error::new(io::ErrorKind::NotFound, "there is no store");
    Err(OpenError::io("open", path)(missing))
}

/// Does something with a copy of a store that no daemon has open. `scratch` is an empty folder; it takes as much as
/// the log, and an index. The store itself is only read.
///
/// # Errors
/// As [`look`], and what `work` gives.
pub fn try_on_copy<R>(
    path: &Path,
    scratch: &Path,
    work: impl FnOnce(&Path) -> Result<R, OpenError>,
) -> Result<R, OpenError> {
    let _lock = claim_existing(path)?;
    format::check(path)?;
    for folder in ["log", "snapshots"] {
        let (from, to) = (path.join(folder), scratch.join(folder));
        fs::create_dir_all(&to).map_err(OpenError::io("create", &to))?;
        for entry in fs::read_dir(&from).map_err(OpenError::io("list", &from))? {
            let from = entry.map_err(OpenError::io("list", &from))?.path();
            let name = from.file_name().unwrap_or_default();
            let to = to.join(name);
            let copied = match from.extension().and_then(|end| end.to_str()) {
                Some("log") => fs::copy(&from, &to).map(drop),
                // A finished snapshot is never written again.
                Some("snap") => {
                    absolute(&from).and_then(|from| std::os::unix::fs::symlink(from, &to))
                }
                _ => Ok(()),
            };
            copied.map_err(OpenError::io("copy", &from))?;
        }
    }
    work(scratch)
}

fn absolute(path: &Path) -> io::Result<std::path::PathBuf> {
    std::path::absolute(path)
}
