//! A folder of fixtures: channels, and the cases of each.

use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{Case, CaseError};

/// The file that makes a folder a channel.
pub const CONFIG_FILE: &str = "config.json";
/// Bytes of one file; a larger one is refused.
pub const CASE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Files in all; more are refused.
pub const CASES_MAX: usize = 10_000;
/// Folders in folders; deeper ones are refused.
const DEPTH_MAX: usize = 8;

/// One configuration and the cases that are tried with it.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseChannel {
    /// The folder, relative to the fixtures: empty for the fixtures' folder itself.
    pub name: String,
    /// The channel's `config`, secrets in plain.
    pub config: Value,
    /// Its cases by file name.
    pub cases: Vec<NamedCase>,
}

/// A case and its file.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedCase {
    /// The file's path relative to the fixtures, without `.json`.
    pub name: String,
    /// The case.
    pub case: Case,
}

/// Reads every channel in a folder, itself included, in the order of their names. Folders without
/// a `config.json` are only looked through.
///
/// # Errors
/// Where something can't be read, is no case, or is beyond the bounds: with the file's path.
pub fn read_channels(folder: &Path) -> Result<Vec<CaseChannel>, CaseError> {
    let mut reading = Reading {
        root: folder,
        files: 0,
        channels: Vec::new(),
    };
    reading.folder(folder, 0)?;
    Ok(reading.channels)
}

struct Reading<'a> {
    root: &'a Path,
    files: usize,
    channels: Vec<CaseChannel>,
}

impl Reading<'_> {
    fn folder(&mut self, folder: &Path, depth: usize) -> Result<(), CaseError> {
        if depth > DEPTH_MAX {
            return Err(error(
                folder,
                &format!("lies more than {DEPTH_MAX} folders deep"),
            ));
        }
        let entries = sorted(folder)?;
        if entries.iter().any(|entry| entry.ends_with(CONFIG_FILE)) {
            let channel = self.channel(folder, &entries)?;
            self.channels.push(channel);
        }
        for entry in entries.iter().filter(|entry| entry.is_dir()) {
            self.folder(entry, depth + 1)?;
        }
        Ok(())
    }

    fn channel(&mut self, folder: &Path, entries: &[PathBuf]) -> Result<CaseChannel, CaseError> {
        let mut channel = CaseChannel {
            name: self.relative(folder),
            config: Value::Null,
            cases: Vec::new(),
        };
        for path in entries {
            let is_json = path
                .extension()
                .is_some_and(|extension| extension == "json");
            if !is_json || !path.is_file() {
                continue;
            }
            self.files += 1;
            if self.files > CASES_MAX {
                return Err(error(
                    self.root,
                    &format!("holds more than {CASES_MAX} files"),
                ));
            }
            let value = json(path)?;
            if path.ends_with(CONFIG_FILE) {
                channel.config = value;
            } else {
                let case = Case::try_from(value).map_err(|CaseError(words)| error(path, &words))?;
                let name = self.relative(&path.with_extension(""));
                channel.cases.push(NamedCase { name, case });
            }
        }
        Ok(channel)
    }

    fn relative(&self, path: &Path) -> String {
        let relative = path.strip_prefix(self.root).unwrap_or(path);
        relative.to_string_lossy().into_owned()
    }
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>, CaseError> {
    let unreadable = |failure| error(folder, &format!("can't be read: {failure}"));
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        entries.push(entry.map_err(unreadable)?.path());
    }
    entries.sort();
    Ok(entries)
}

fn json(path: &Path) -> Result<Value, CaseError> {
    let unreadable = |failure| error(path, &format!("can't be read: {failure}"));
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(CASE_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    if bytes.len() as u64 > CASE_BYTES_MAX {
        return Err(error(
            path,
            &format!("is larger than {CASE_BYTES_MAX} bytes"),
        ));
    }
    serde_json::from_slice(&bytes).map_err(|failure| error(path, &format!("is no JSON: {failure}")))
}

fn error(path: &Path, words: &str) -> CaseError {
    CaseError(format!("{}: {words}", path.display()))
}
