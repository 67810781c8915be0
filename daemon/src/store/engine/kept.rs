//! Snapshots kept aside: the store as it was before it was brought to another format, so that one can go back.
//!
//! They lie in `kept/format-N-POSITION.snap`, N being their format. To go back, the version that wrote them is given a store
//! that holds nothing but the file in `snapshots/` (and the folders of media and bodies).

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use super::{error::OpenError, folder::sync_folder};

/// How long one is kept.
pub const KEPT_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);

fn folder_of(store: &Path) -> PathBuf {
    store.join("kept")
}

/// Keeps a snapshot under a name that says its format.
pub(super) fn keep(store: &Path, snapshot: &Path, format: u32) -> Result<PathBuf, OpenError> {
    let folder = folder_of(store);
    fs::create_dir_all(&folder).map_err(OpenError::io("create", &folder))?;
    let position = snapshot.file_name().unwrap_or_default().to_string_lossy();
    let path = folder.join(format!("format-{format}-{position}"));
    let kept = match fs::hard_link(snapshot, &path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // Not every file system has links.
        Err(_) => fs::copy(snapshot, &path).and_then(|_| fs::File::open(&path)?.sync_all()),
        Ok(()) => Ok(()),
    };
    kept.map_err(OpenError::io("keep a snapshot in", &path))?;
    sync_folder(&folder)?;
    sync_folder(store)?;
    Ok(path)
}

/// The kept snapshots.
fn list(store: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder_of(store)).into_iter().flatten();
    let paths = entries.flatten().map(|entry| entry.path());
    let mut found: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|end| end == "snap"))
        .collect();
    found.sort();
    found
}

/// Removes those that were kept for [`KEPT_FOR`].
pub(super) fn sweep(store: &Path) {
    for path in list(store) {
        let modified = fs::metadata(&path).and_then(|found| found.modified());
        let age = modified
            .ok()
            .and_then(|at| SystemTime::now().duration_since(at).ok());
        if age.is_some_and(|age| age > KEPT_FOR) {
            match fs::remove_file(&path) {
                Ok(()) => {
                    tracing::info!(event = "store_kept_removed", path = %path.display(), "removed the kept snapshot of an old format");
                }
                Err(error) => {
                    tracing::warn!(event = "store_cleanup_failed", path = %path.display(), %error, "can't remove an old kept snapshot");
                }
            }
        }
    }
}
