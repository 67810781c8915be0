//! The files of media: named by the hash of what is in them, durable before any record names them.
//!
//! ```text
//! bytes ─> Draft in media/incoming (hashed as it is written, bounded) ─> Written ─ looked at ─┬─> keep: media/ab/abcd...
//!                                                                                              └─> dropped: removed
//! ```

use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::{
    StoreError,
    files::{FileHold, Holds, held},
};
use crate::model::MediaHash;

/// First bytes of a file that are kept in memory, for telling its type.
const HEAD_BYTES: usize = 1024;
/// Bytes gathered before they are written.
const BUFFER_BYTES: usize = 128 * 1024;
/// Folders and files are the daemon's own.
const FOLDER_MODE: u32 = 0o700;

/// A folder of content-hashed files.
pub struct MediaFiles {
    folder: PathBuf,
    incoming: PathBuf,
    /// Bytes in all files once they were counted; locked while a file appears or goes.
    total: Mutex<Option<u64>>,
    holds: Holds,
}

/// Why bytes were not taken.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    /// There are more than allowed.
    #[error("it is larger than {0} bytes")]
    TooLarge(u64),
    /// All files together would be larger than allowed.
    #[error("the store of media is full: {used} of {max} bytes ([media] total_bytes_max) are used")]
    Full {
        /// Bytes there now.
        used: u64,
        /// Bytes allowed.
        max: u64,
    },
    /// What is left of the disk is kept for messages.
    #[error("{0}")]
    NoRoom(StoreError),
    /// The disk refuses.
    #[error("it could not be written: {0}")]
    Disk(#[from] io::Error),
}

impl MediaFiles {
    /// The files below the store's folder. What a killed daemon left half-written is removed.
    pub(crate) fn new(store: &Path) -> Self {
        let folder = store.join("media");
        let incoming = folder.join("incoming");
        // Nothing is there the first time.
        let _ = fs::remove_dir_all(&incoming);
        Self {
            folder,
            incoming,
            total: Mutex::default(),
            holds: Holds::default(),
        }
    }

    /// Begins a file of at most `bytes_max` bytes. Blocks for a moment.
    pub fn begin(&self, bytes_max: u64) -> Result<Draft, DraftError> {
        make_folder(&self.incoming)?;
        Ok(Draft {
            file: NamedTempFile::new_in(&self.incoming)?,
            hasher: Sha256::new(),
            size: 0,
            head: Vec::new(),
            bytes_max,
        })
    }

    /// Begins a file that is written from asynchronous code.
    pub async fn writer(self: &Arc<Self>, bytes_max: u64) -> Result<DraftWriter, DraftError> {
        let files = self.clone();
        let draft = blocking(move || files.begin(bytes_max)).await?;
        Ok(DraftWriter {
            draft: Some(draft),
            buffer: Vec::new(),
        })
    }

    /// Gives a finished file its name, durably. `total_max` bounds the bytes of all files. Blocks.
    pub fn keep(&self, written: &Written, total_max: Option<u64>) -> Result<(), DraftError> {
        written.file.as_file().sync_all()?;
        let path = self.path(&written.hash);
        let folder = path.parent().unwrap_or(&self.folder);
        let mut total = self.total.lock();
        if let Ok(known) = File::options().append(true).open(&path) {
            // Its time begins anew, so that it outlives whoever named it before.
            known.set_modified(SystemTime::now())?;
            return Ok(());
        }
        if let Some(max) = total_max {
            let used = match *total {
                Some(used) => used,
                None => self.count()?,
            };
            *total = Some(used);
            if used.saturating_add(written.size) > max {
                return Err(DraftError::Full { used, max });
            }
        }
        make_folder(folder)?;
        fs::rename(written.file.path(), &path)?;
        *total = total.map(|used| used + written.size);
        drop(total);
        for parent in [folder, &self.folder] {
            File::open(parent)?.sync_all()?;
        }
        Ok(())
    }

    /// Opens a file of a known size for reading.
    pub fn open(&self, hash: &MediaHash, size: u64) -> io::Result<File> {
        let file = File::open(self.path(hash))?;
        let found = file.metadata()?.len();
        if found == size {
            return Ok(file);
        }
        Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("the file {hash} has {found} bytes, not {size}: it is damaged"),
        ))
    }

    /// Removes a file that was last stored before a time; none may be there. While files are held it stays, and goes
    /// with a later [`MediaFiles::sweep`]. Blocks.
    pub(crate) fn remove(&self, hash: &MediaHash, before: SystemTime) -> io::Result<()> {
        let path = self.path(hash);
        let mut total = self.total.lock();
        let meta = match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other?,
        };
        if meta.modified()? < before
            && let Some(removed) = self.holds.unless_held(|| fs::remove_file(&path))
        {
            removed?;
            *total = total.map(|used| used.saturating_sub(meta.len()));
        }
        Ok(())
    }

    /// Removes the files whose hash begins with `shard`, that are older than a time and that
    /// `is_named` does not know; gives how many. An error of the kind `ResourceBusy` where one should go while files are
    /// held. Blocks.
    pub fn sweep(
        &self,
        shard: u8,
        before: SystemTime,
        is_named: impl Fn(&MediaHash) -> bool,
    ) -> io::Result<usize> {
        let mut ended = 0;
        let entries = match fs::read_dir(self.folder.join(format!("{shard:02x}"))) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            other => other?,
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let Some(hash) = name.to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            if is_named(&hash) {
                continue;
            }
            // Under the lock: whoever stores the same bytes now either finds the file, and makes it
            // young, or puts it there anew.
            let mut total = self.total.lock();
            let meta = entry.metadata()?;
            if meta.modified()? < before {
                let removed = self.holds.unless_held(|| fs::remove_file(entry.path()));
                removed.ok_or_else(held)??;
                *total = total.map(|used| used.saturating_sub(meta.len()));
                ended += 1;
            }
        }
        Ok(ended)
    }

    /// Keeps all files for as long as what it gives is there; none while another does.
    pub(crate) fn hold(&self) -> Option<FileHold> {
        self.holds.hold()
    }

    /// Where they are.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    fn path(&self, hash: &MediaHash) -> PathBuf {
        let name = hash.to_string();
        self.folder.join(&name[..2]).join(name)
    }

    fn count(&self) -> io::Result<u64> {
        let mut total = 0;
        for folder in fs::read_dir(&self.folder)? {
            let folder = folder?.path();
            if folder == self.incoming {
                continue;
            }
            for file in fs::read_dir(folder)? {
                total += file?.metadata()?.len();
            }
        }
        Ok(total)
    }
}

fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(FOLDER_MODE).create(folder)
}

/// A file that is being written; removed where it is dropped.
pub struct Draft {
    file: NamedTempFile,
    hasher: Sha256,
    size: u64,
    head: Vec<u8>,
    bytes_max: u64,
}

impl Draft {
    /// Appends bytes. Blocks.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), DraftError> {
        self.size += bytes.len() as u64;
        if self.size > self.bytes_max {
            return Err(DraftError::TooLarge(self.bytes_max));
        }
        let missing = HEAD_BYTES.saturating_sub(self.head.len());
        let first = &bytes[..missing.min(bytes.len())];
        self.head.extend_from_slice(first);
        self.hasher.update(bytes);
        Ok(self.file.write_all(bytes)?)
    }

    /// Ends it.
    pub fn finish(self) -> Written {
        Written {
            file: self.file,
            hash: MediaHash::new(self.hasher.finalize().into()),
            size: self.size,
            head: self.head,
        }
    }
}

/// A written file that has no name yet; removed where it is dropped.
pub struct Written {
    file: NamedTempFile,
    /// Its hash.
    pub hash: MediaHash,
    /// Its bytes.
    pub size: u64,
    /// The first of them, for telling its type.
    pub head: Vec<u8>,
}

/// Writes a [`Draft`] from asynchronous code: bytes are gathered, and written where blocking is
/// allowed.
pub struct DraftWriter {
    /// None after a failure.
    draft: Option<Draft>,
    buffer: Vec<u8>,
}

impl DraftWriter {
    /// Appends bytes.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), DraftError> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() < BUFFER_BYTES {
            return Ok(());
        }
        let draft = self.flush().await?;
        self.draft = Some(draft);
        Ok(())
    }

    /// Writes what is left and ends the file.
    pub async fn finish(mut self) -> Result<Written, DraftError> {
        Ok(self.flush().await?.finish())
    }

    async fn flush(&mut self) -> Result<Draft, DraftError> {
        let draft = self.draft.take();
        let mut draft = draft.ok_or_else(|| io::Error::other("an earlier write failed"))?;
        let buffer = std::mem::take(&mut self.buffer);
        blocking(move || draft.write(&buffer).map(|()| draft)).await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DraftError> + Send + 'static,
) -> Result<T, DraftError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(io::Error::other(error).into()))
}

#[cfg(test)]
mod tests {
    use std::{io::Read as _, os::unix::fs::PermissionsExt as _, time::Duration};

    use super::*;

    fn finished(files: &MediaFiles, bytes: &[u8]) -> Written {
        let mut draft = files.begin(1000).unwrap();
        draft.write(bytes).unwrap();
        draft.finish()
    }

    fn read(files: &MediaFiles, hash: &MediaHash, size: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        files.open(hash, size)?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    #[test]
    fn what_is_kept_is_found_by_its_hash_and_is_nobody_elses() {
        let folder = tempfile::tempdir().unwrap();
        let files = MediaFiles::new(folder.path());
        let file = finished(&files, b"hello");
        let expected = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        assert_eq!(file.hash.to_string(), expected);
        files.keep(&file, None).unwrap();
        files.keep(&finished(&files, b"hello"), None).unwrap();
        assert_eq!(read(&files, &file.hash, 5).unwrap(), b"hello");
        assert!(read(&files, &file.hash, 6).is_err(), "a damaged file");
        let path = folder.path().join("media/2c").join(expected);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        assert_eq!(mode(&folder.path().join("media")), 0o700);
    }

    #[test]
    fn what_is_not_kept_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let files = MediaFiles::new(folder.path());
        let mut draft = files.begin(4).unwrap();
        let error = draft.write(b"hello").unwrap_err();
        assert!(matches!(error, DraftError::TooLarge(4)), "{error}");
        drop(draft);
        drop(finished(&files, b"hello"));
        let incoming = folder.path().join("media/incoming");
        assert_eq!(fs::read_dir(&incoming).unwrap().count(), 0);
        fs::write(incoming.join("left by a killed daemon"), "x").unwrap();
        MediaFiles::new(folder.path());
        assert!(!incoming.exists());
    }

    #[test]
    fn all_files_together_are_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let files = MediaFiles::new(folder.path());
        let first = finished(&files, b"12345");
        files.keep(&first, None).unwrap();
        let second = finished(&files, b"123456");
        let error = files.keep(&second, Some(10)).unwrap_err();
        assert!(
            matches!(error, DraftError::Full { used: 5, max: 10 }),
            "{error}"
        );
        files.keep(&first, Some(10)).unwrap();
        files.keep(&second, Some(11)).unwrap();
    }

    #[test]
    fn only_old_files_without_a_name_go() {
        let folder = tempfile::tempdir().unwrap();
        let files = MediaFiles::new(folder.path());
        let file = finished(&files, b"hello");
        files.keep(&file, None).unwrap();
        let shard = file.hash.as_bytes()[0];
        let future = SystemTime::now() + Duration::from_secs(60);
        let sweep = |before, named: bool| files.sweep(shard, before, |_| named).unwrap();
        assert_eq!(sweep(SystemTime::UNIX_EPOCH, false), 0);
        assert_eq!(sweep(future, true), 0);
        assert_eq!(files.sweep(shard + 1, future, |_| false).unwrap(), 0);
        assert_eq!(sweep(future, false), 1);
        assert!(read(&files, &file.hash, 5).is_err());
    }

    #[test]
    fn no_file_goes_while_they_are_held() {
        let folder = tempfile::tempdir().unwrap();
        let files = MediaFiles::new(folder.path());
        let file = finished(&files, b"hello");
        files.keep(&file, None).unwrap();
        let shard = file.hash.as_bytes()[0];
        let future = SystemTime::now() + Duration::from_secs(60);
        let hold = files.hold().unwrap();
        files.remove(&file.hash, future).unwrap();
        let error = files.sweep(shard, future, |_| false).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ResourceBusy);
        assert_eq!(read(&files, &file.hash, 5).unwrap(), b"hello");
        drop(hold);
        files.remove(&file.hash, future).unwrap();
        assert!(read(&files, &file.hash, 5).is_err());
    }
}
