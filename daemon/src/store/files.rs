//! Large webhook bodies: files named by the hash of what is in them, durable before any record
//! refers to them.

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use data_encoding::HEXLOWER;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

/// Bodies up to this many bytes are kept in their record; larger ones in a file.
pub const INLINE_BYTES_MAX: usize = 32 * 1024;

/// Says whether files may be removed: true while they are held.
#[derive(Debug, Default)]
pub(crate) struct Holds(Arc<Mutex<bool>>);

/// While there is one of a folder no file of it is removed: a backup takes its time.
#[derive(Debug)]
pub(crate) struct FileHold(Arc<Mutex<bool>>);

impl Holds {
    /// Holds all files until it is dropped; none while another does.
    pub(crate) fn hold(&self) -> Option<FileHold> {
        let mut held = self.0.lock();
        if *held {
            return None;
        }
        *held = true;
        Some(FileHold(self.0.clone()))
    }

    /// Does what removes a file; nothing while files are held. No hold begins meanwhile.
    pub(crate) fn unless_held<R>(&self, remove: impl FnOnce() -> R) -> Option<R> {
        let held = self.0.lock();
        (!*held).then(remove)
    }
}

impl Drop for FileHold {
    fn drop(&mut self) {
        *self.0.lock() = false;
    }
}

/// Says that files were not removed as they are held.
pub(crate) fn held() -> io::Error {
    let words = "a backup is being made, and no file goes until it is done";
    io::Error::new(io::ErrorKind::ResourceBusy, words)
}

/// A folder of content-hashed files.
pub struct BodyFiles {
    folder: PathBuf,
    holds: Holds,
}

impl BodyFiles {
    pub(crate) fn new(store: &Path) -> Self {
        Self {
            folder: store.join("bodies"),
            holds: Holds::default(),
        }
    }

    /// Keeps a body and returns the SHA-256 it is found by, lower-case hex. Blocks; the file and
    /// its folder are synced when this returns.
    pub fn keep(&self, body: &[u8]) -> io::Result<String> {
        let name = HEXLOWER.encode(&Sha256::digest(body));
        let folder = self.folder.join(&name[..2]);
        let path = folder.join(&name);
        if let Ok(known) = fs::File::options().append(true).open(&path) {
            // Its time begins anew, so that it outlives the event that refers to it now.
            known.set_modified(SystemTime::now())?;
            return Ok(name);
        }
        fs::create_dir_all(&folder)?;
        let mut file = tempfile::NamedTempFile::new_in(&folder)?;
        file.write_all(body)?;
        file.as_file().sync_all()?;
        file.persist(&path).map_err(|error| error.error)?;
        for parent in [&folder, &self.folder] {
            fs::File::open(parent)?.sync_all()?;
        }
        Ok(name)
    }

    /// Deletes bodies that were last kept before a time; returns how many. Blocks.
    pub fn sweep(&self, before: SystemTime) -> io::Result<usize> {
        let mut ended = 0;
        let folders = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            other => other?,
        };
        for folder in folders {
            for file in fs::read_dir(folder?.path())? {
                let file = file?;
                if file.metadata()?.modified()? < before {
                    let removed = self.holds.unless_held(|| fs::remove_file(file.path()));
                    let Some(removed) = removed else {
                        return Ok(ended);
                    };
                    removed?;
                    ended += 1;
                }
            }
        }
        Ok(ended)
    }

    /// Keeps all bodies for as long as what it gives is there; none while another does.
    pub(crate) fn hold(&self) -> Option<FileHold> {
        self.holds.hold()
    }

    /// Where they are.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Opens a body by its hash, for reading a stretch of it.
    pub fn open(&self, name: &str) -> io::Result<fs::File> {
        fs::File::open(self.path(name)?)
    }

    /// Reads a body by its hash. The content is checked against the name.
    pub fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let body = fs::read(self.path(name)?)?;
        if HEXLOWER.encode(&Sha256::digest(&body)) != name {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("the file of body {name} is damaged"),
            ));
        }
        Ok(body)
    }

    /// Removes a body; none may be there. An error of the kind `ResourceBusy` while bodies are held.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        let path = self.path(name)?;
        match self.holds.unless_held(|| fs::remove_file(path)) {
            None => Err(held()),
            Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Some(other) => other,
        }
    }

    fn path(&self, name: &str) -> io::Result<PathBuf> {
        let is_name = name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_name {
            let words = "not the name of a body";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, words));
        }
        Ok(self.folder.join(&name[..2]).join(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_back_and_damage_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let files = BodyFiles::new(folder.path());
        let name = files.keep(b"hello").unwrap();
        assert_eq!(files.keep(b"hello").unwrap(), name);
        assert_eq!(files.read(&name).unwrap(), b"hello");
        let past = SystemTime::UNIX_EPOCH;
        assert_eq!(files.sweep(past).unwrap(), 0);
        let path = folder.path().join("bodies").join(&name[..2]).join(&name);
        fs::write(path, b"hellx").unwrap();
        assert!(files.read(&name).is_err());
        assert!(files.read("../../etc/passwd").is_err());
        let future = SystemTime::now() + std::time::Duration::from_secs(60);
        assert_eq!(files.sweep(future).unwrap(), 1);
        assert!(files.read(&name).is_err());
    }

    #[test]
    fn no_body_goes_while_they_are_held() {
        let folder = tempfile::tempdir().unwrap();
        let files = BodyFiles::new(folder.path());
        let name = files.keep(b"hello").unwrap();
        let hold = files.hold().unwrap();
        assert!(files.hold().is_none(), "one at a time");
        let error = files.remove(&name).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ResourceBusy);
        assert_eq!(files.read(&name).unwrap(), b"hello");
        drop(hold);
        files.remove(&name).unwrap();
        files.remove(&name).unwrap();
        assert!(files.read(&name).is_err());
        assert!(files.hold().is_some());
    }
}
