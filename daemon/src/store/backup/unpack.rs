//! Unpacking a backup: parts are joined, files get their places.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, BufWriter, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use super::{archive::Name, read::Taker};
use crate::store::engine::Receiver;

/// Nobody but the daemon may read what is restored.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// Writes what is in a backup into a fresh folder.
pub(super) struct Unpacker {
    folder: PathBuf,
    /// Where the snapshot is until its position is known.
    snapshot: PathBuf,
    open: Option<(Kind, BufWriter<File>)>,
}

/// The file that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Snapshot,
    Log,
    File,
}

impl Unpacker {
    /// Makes the folder, which is not there yet.
    pub(super) fn begin(folder: &Path) -> io::Result<Self> {
        for folder in [folder, &folder.join("log"), &folder.join("snapshots")] {
            DirBuilder::new().mode(FOLDER_MODE).create(folder)?;
        }
        Ok(Self {
            folder: folder.to_owned(),
            snapshot: folder.join("snapshots").join("unpacked.new"),
            open: None,
        })
    }

    /// Gives the snapshot its name.
    pub(super) fn finish(&mut self, snapshot: &Path) -> io::Result<()> {
        self.close()?;
        fs::rename(&self.snapshot, snapshot)
    }

    fn close(&mut self) -> io::Result<()> {
        if let Some((_, mut file)) = self.open.take() {
            file.flush()?;
        }
        Ok(())
    }

    /// Opens the file that a member belongs to; the next part of one goes on where the last ended.
    fn open(&mut self, kind: Kind, path: &Path) -> io::Result<()> {
        if kind != Kind::File && self.open.as_ref().is_some_and(|(open, _)| *open == kind) {
            return Ok(());
        }
        self.close()?;
        if let Some(folder) = path.parent() {
            let mut builder = DirBuilder::new();
            builder.recursive(true).mode(FOLDER_MODE).create(folder)?;
        }
        let mut options = File::options();
        let file = options.write(true).create(true).truncate(true);
        let file = file.mode(FILE_MODE).open(path)?;
        self.open = Some((kind, BufWriter::with_capacity(1 << 18, file)));
        Ok(())
    }

    fn hashed(&mut self, folder: &str, hash: &str) -> io::Result<()> {
        let path = self.folder.join(folder).join(&hash[..2]).join(hash);
        self.open(Kind::File, &path)
    }
}

impl Taker for Unpacker {
    fn begin(&mut self, name: &Name) -> io::Result<()> {
        match name {
            Name::Store(_) => {
                let path = self.snapshot.clone();
                self.open(Kind::Snapshot, &path)
            }
            Name::Log(_) => {
                let path = Receiver::log(&self.folder);
                self.open(Kind::Log, &path)
            }
            Name::Body(hash) => self.hashed("bodies", &hash.to_string()),
            Name::Media(hash) => self.hashed("media", &hash.to_string()),
            _ => Ok(()),
        }
    }

    fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.open {
            Some((_, file)) => file.write_all(bytes),
            None => Ok(()),
        }
    }

    fn end(&mut self, name: &Name) -> io::Result<()> {
        match name {
            Name::Store(_) | Name::Log(_) => Ok(()),
            _ => self.close(),
        }
    }
}
