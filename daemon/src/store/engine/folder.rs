//! The store's folder: its lock, and the numbered index folders in it.

use std::{
    fs::{DirBuilder, File, TryLockError},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use super::error::OpenError;

/// Creates the folders of a store where they are missing, and takes its lock.
pub(super) fn claim(path: &Path) -> Result<File, OpenError> {
    make_own(path)?;
    for folder in [path.join("log"), path.join("snapshots")] {
        std::fs::create_dir_all(&folder).map_err(OpenError::io("create", folder))?;
    }
    sync_folder(path)?;
    let path = path.join("lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(OpenError::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked { path }),
        Err(TryLockError::Error(source)) => Err(OpenError::io("lock", &path)(source)),
    }
}

/// Makes the store's folder, where it is missing, for the daemon's user alone.
fn make_own(path: &Path) -> Result<(), OpenError> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(OpenError::io("create", parent))?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Err(_) if path.is_dir() => Ok(()),
        made => made.map_err(OpenError::io("create", path)),
    }
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(path: &Path) -> Result<(), OpenError> {
    let synced = File::open(path).and_then(|folder| folder.sync_all());
    synced.map_err(OpenError::io("sync", path))
}

/// The folder of the index with this number.
pub(super) fn index_folder(path: &Path, number: u64) -> PathBuf {
    path.join(format!("index-{number}"))
}

/// The number of an index folder.
pub(super) fn number_of(folder: &Path) -> Option<u64> {
    let name = folder.file_name()?.to_str()?;
    name.strip_prefix("index-")?.parse().ok()
}

/// A folder for the next index, which does not exist yet.
pub(super) fn next_index_folder(path: &Path) -> Result<PathBuf, OpenError> {
    let highest = index_folders(path)?
        .into_iter()
        .filter_map(|f| number_of(&f))
        .max();
    Ok(index_folder(path, highest.unwrap_or(0) + 1))
}

/// Removes all index folders but one.
pub(super) fn remove_other_indexes(path: &Path, kept: &Path) -> Result<(), OpenError> {
    for folder in index_folders(path)? {
        if folder != kept {
            std::fs::remove_dir_all(&folder).map_err(OpenError::io("remove", &folder))?;
        }
    }
    Ok(())
}

/// The folders of all indexes.
pub(super) fn index_folders(path: &Path) -> Result<Vec<PathBuf>, OpenError> {
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(path).map_err(OpenError::io("list", path))? {
        let folder = entry.map_err(OpenError::io("list", path))?.path();
        if number_of(&folder).is_some() {
            folders.push(folder);
        }
    }
    Ok(folders)
}
