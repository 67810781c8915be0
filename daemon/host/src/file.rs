//! A plugin's file: opened once, checked, hashed, and copied to where only the daemon writes.

use std::{
    ffi::OsStr,
    fs::{self, File, Metadata, Permissions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER;
use rustix::{
    fs::{Mode, OFlags, openat},
    process::geteuid,
};
use sha2::{Digest, Sha256};

/// A larger file is no adapter.
const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// A folder that is held open, so that its files are those that were checked.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    handle: File,
}

/// A file's bytes as they were read, once.
#[derive(Debug)]
pub(super) struct Image {
    /// The bytes.
    pub(super) bytes: Vec<u8>,
    /// Their SHA-256, lower-case hex.
    pub(super) sha256: String,
    /// Why file or folder can't be trusted.
    pub(super) trusted: Result<(), String>,
}

impl Folder {
    /// Opens a folder, following links: it is the folder itself that is checked.
    pub(super) fn open(path: &Path) -> Result<Self, String> {
        let path = fs::canonicalize(path).map_err(|error| format!("can't be read: {error}"))?;
        let handle = File::open(&path).map_err(|error| format!("can't be read: {error}"))?;
        match handle.metadata() {
            Ok(metadata) if metadata.is_dir() => Ok(Self { path, handle }),
            Ok(_) => Err("is not a folder".into()),
            Err(error) => Err(format!("can't be read: {error}")),
        }
    }

    /// The folder of a single file, and the file's name.
    pub(super) fn of(path: &Path) -> Result<(Self, &OsStr), String> {
        let name = path.file_name().ok_or("is neither a folder nor a file")?;
        let parent = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        if !path.exists() {
            return Err("is not there".into());
        }
        Ok((Self::open(parent)?, name))
    }

    /// The names of the shared libraries in it, sorted.
    pub(super) fn libraries(&self) -> Result<Vec<PathBuf>, String> {
        let unreadable = |error: io::Error| format!("can't be read: {error}");
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(unreadable)? {
            let name = PathBuf::from(entry.map_err(unreadable)?.file_name());
            if name.extension().is_some_and(|extension| extension == "so") {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// Reads a file of this folder. An error is for what can't be read at all.
    pub(super) fn read(&self, name: &OsStr) -> Result<Image, String> {
        // NONBLOCK: a pipe of that name must not stop the daemon.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match openat(&self.handle, name, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(rustix::io::Errno::LOOP) => {
                return Err("is a symbolic link: put the file itself there".into());
            }
            Err(error) => return Err(format!("can't be read: {error}")),
        };
        let unreadable = |error: io::Error| format!("can't be read: {error}");
        let metadata = file.metadata().map_err(unreadable)?;
        if !metadata.is_file() {
            return Err("is not a regular file".into());
        }
        let mut bytes = Vec::new();
        file.take(FILE_BYTES_MAX + 1)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(format!("is larger than {FILE_BYTES_MAX} bytes"));
        }
        Ok(Image {
            sha256: HEXLOWER.encode(&Sha256::digest(&bytes)),
            bytes,
            trusted: self.trusted(name, &metadata),
        })
    }

    fn trusted(&self, name: &OsStr, file: &Metadata) -> Result<(), String> {
        let folder = self
            .handle
            .metadata()
            .map_err(|error| format!("its folder can't be read: {error}"))?;
        only_ours_to_write("its folder", &self.path, &folder)?;
        only_ours_to_write("the file", &self.path.join(name), file)
    }
}

/// Reads a single file.
pub(super) fn read_alone(path: &Path) -> Result<Image, String> {
    let (folder, name) = Folder::of(path)?;
    folder.read(name)
}

/// Whoever can write a plugin runs code as the daemon.
fn only_ours_to_write(what: &str, path: &Path, metadata: &Metadata) -> Result<(), String> {
    let (owner, us) = (metadata.uid(), geteuid().as_raw());
    let path = path.display();
    if owner != 0 && owner != us {
        return Err(format!(
            "{what} belongs to user {owner}, not to root or the daemon's user {us}: \
             chown root {path}"
        ));
    }
    let mode = metadata.mode() & 0o7777;
    if mode & WRITABLE_BY_OTHERS != 0 {
        return Err(format!(
            "{what} is writable by group or others (mode {mode:04o}): chmod go-w {path}"
        ));
    }
    Ok(())
}

/// Puts the bytes where they are loaded from, and nobody changes them. A mapped file is never
/// written to: an image that is there already is left alone or replaced as a whole.
pub(super) fn private_copy(state: &Path, image: &Image) -> Result<PathBuf, String> {
    let folder = state.join("plugins");
    let path = folder.join(format!("{}.so", image.sha256));
    copy(state, &folder, &path, &image.bytes)
        .map(|()| path)
        .map_err(|error| format!("could not be copied to {}: {error}", folder.display()))
}

/// The folder for what is the daemon's own about plugins, made where it is missing.
pub(super) fn private_folder(state: &Path) -> io::Result<PathBuf> {
    let folder = state.join("plugins");
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)?;
    Ok(folder)
}

fn copy(state: &Path, folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    private_folder(state)?;
    only_ours_to_write(
        "the folder of private copies",
        folder,
        &fs::metadata(folder)?,
    )
    .map_err(io::Error::other)?;
    // An image cut short by a power failure has the right name and the wrong bytes.
    if fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    let mut fresh = tempfile::NamedTempFile::new_in(folder)?;
    fresh.write_all(bytes)?;
    fresh
        .as_file()
        .set_permissions(Permissions::from_mode(0o500))?;
    fresh.persist(path)?;
    Ok(())
}
