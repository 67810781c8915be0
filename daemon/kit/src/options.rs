//! What is tried, and how.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use trunkline_host::worker::Program;

/// Bytes of an answer that the daemon takes unless it is configured otherwise.
const OUTPUT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The glibc of the oldest supported system, Debian 12.
const GLIBC_MAX: (u32, u32) = (2, 36);
const TIMEOUT: Duration = Duration::from_secs(5);

/// A file to be tried.
#[derive(Debug, Clone)]
pub struct Options {
    /// The plugin.
    pub file: PathBuf,
    /// Its fixtures; where none are named they are looked for beside the file and its crate.
    pub fixtures: Option<PathBuf>,
    /// How a process for the plugin is started.
    pub program: Program,
    /// The highest version of glibc that the file may need.
    pub glibc_max: (u32, u32),
    /// How long one call may take before its process is ended.
    pub timeout: Duration,
    /// Bytes that one call may answer.
    pub output_bytes_max: usize,
}

impl Options {
    /// A file, with the usual limits.
    pub fn new(file: impl Into<PathBuf>, program: Program) -> Self {
        Self {
            file: file.into(),
            fixtures: None,
            program,
            glibc_max: GLIBC_MAX,
            timeout: TIMEOUT,
            output_bytes_max: OUTPUT_BYTES_MAX,
        }
    }

    /// The folder of fixtures of the adapter `id`.
    pub(crate) fn fixtures_of(&self, id: &str) -> Option<PathBuf> {
        self.fixtures.clone().or_else(|| found(&self.file, id))
    }
}

/// Beside the file; or, where the file is in Cargo's `target`, beside the crate: in the folder of the
/// `target`, or in one of the usual folders of a workspace.
fn found(file: &Path, id: &str) -> Option<PathBuf> {
    let file = file.canonicalize().ok()?;
    let beside = file.parent()?.join("fixtures");
    if beside.is_dir() {
        return Some(beside);
    }
    let target = file.ancestors().find(|folder| folder.ends_with("target"))?;
    let root = target.parent()?;
    let named = id.replace('_', "-");
    let mut crates = vec![root.to_owned()];
    for name in [id, &named] {
        crates.extend(["plugins", "crates", ""].map(|folder| root.join(folder).join(name)));
    }
    let mut folders = crates.into_iter().map(|folder| folder.join("fixtures"));
    folders.find(|folder| folder.is_dir())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn fixtures_are_found_beside_file_and_crate() {
        let root = tempfile::TempDir::new().expect("a temp folder");
        let place = |path: &str| {
            let path = root
                .path()
                .canonicalize()
                .expect("our own folder")
                .join(path);
            fs::create_dir_all(&path).expect("a new folder");
            path
        };
        let file = |folder: PathBuf| {
            let path = folder.join("libtrunkline_plugin_acme.so");
            fs::write(&path, "").expect("our own file");
            path
        };
        let built = file(place("work/target/release/examples"));
        let alone = file(place("alone"));
        assert_eq!(found(&built, "acme"), None);
        let of_workspace = place("work/plugins/acme/fixtures");
        assert_eq!(found(&built, "acme"), Some(of_workspace));
        assert_eq!(found(&built, "other"), None);
        let of_crate = place("work/fixtures");
        assert_eq!(found(&built, "acme"), Some(of_crate));
        assert_eq!(found(&alone, "acme"), None);
        let beside = place("alone/fixtures");
        assert_eq!(found(&alone, "acme"), Some(beside));
    }
}
