//! Makes a store of a backup, beside the one there is, and puts it in its place in one step.
//!
//! ```text
//! backup ─ every byte proved ─> STORE.restoring ─ opened, queue held, files looked at, closed, synced ─> exchanged with STORE
//!                                                                              what was STORE ─> STORE.before-restore-TIME
//! ```
//!
//! Until the exchange nothing of the old store has changed, and the exchange is one rename of the kernel's: whenever
//! this is interrupted, STORE is the old one or the new one, whole. The new one takes the name that the old one is to
//! have right before, so that the old one has it in the same step. What an interrupted restore left is
//! `STORE.restoring`, which the next one removes; a kill between the two renames leaves the new store as
//! `STORE.before-restore-TIME`, which nobody removes.
//!
//! Where no store was, one rename puts the new one there, which the kernel refuses where the folder is not empty any
//! more.
//!
//! Files that records name and the backup lacks are no reason to have no store: they are counted and named.

use std::{
    ffi::OsString,
    fs::{self, File, TryLockError},
    io::{self, Read},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::{
    Restoration,
    archive::ArchiveError,
    hold::Held,
    owner::{Owner, is_root},
    read::{self, Contents, Progress},
    unpack::Unpacker,
};
use crate::store::{
    Store,
    engine::{EngineOptions, OpenError, Receiver, StoreError},
};

/// Mode of a store's folder where there is none to take it from.
const FOLDER_MODE: u32 = 0o700;

/// A restore to be made.
#[derive(Debug)]
pub struct Restore {
    target: PathBuf,
    /// Lets what waited in the queue go out, as if it could not have been sent since.
    pub resume_sends: bool,
    /// Held until all is done, where there is a store.
    lock: Option<File>,
    standing: Standing,
}

/// What is where the store is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing, or an empty folder.
    Nothing,
    /// A store, whose daemon does not run.
    Store,
}

/// Why nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The daemon has the store.
    #[error(
        "{} is in use: stop the daemon first (systemctl stop trunkline), then restore again",
        .0.display()
    )]
    InUse(PathBuf),
    /// Something else is there.
    #[error("{} holds something that is no store of Trunkline: name another folder", .0.display())]
    NoStore(PathBuf),
    /// The backup is no good.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// Something was put there while the backup was read.
    #[error(
        "{} was empty and is not any more: something was put there meanwhile, so nothing was restored; stop what \
         uses it, then restore again",
        .0.display()
    )]
    Taken(PathBuf),
    /// The new store does not open.
    #[error("what was restored can't be opened: {0}")]
    Open(#[from] OpenError),
    /// The new store can't be written.
    #[error("what was restored can't be prepared: {0}")]
    Store(#[from] StoreError),
    /// The operating system refuses.
    #[error("can't {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

fn io_error<'a>(
    action: &'static str,
    path: &'a Path,
) -> impl FnOnce(io::Error) -> RestoreError + use<'a> {
    move |source| RestoreError::Io {
        action,
        path: path.to_owned(),
        source,
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// What was in the backup; missing are the files that records name and that the store lacks.
    pub contents: Contents,
    /// Where the store is.
    pub path: PathBuf,
    /// Where the store that was there is kept.
    pub kept: Option<PathBuf>,
    /// What became of the queue.
    pub held: Held,
}

impl Restore {
    /// Looks at the place and takes the lock of the store that is there, so that no daemon starts on it meanwhile.
    pub fn at(target: &Path) -> Result<Self, RestoreError> {
        let target = fs::canonicalize(target).unwrap_or_else(|_| target.to_owned());
        let mut restore = Self {
            target,
            resume_sends: false,
            lock: None,
            standing: Standing::Nothing,
        };
        let target = &restore.target;
        let mut entries = match fs::read_dir(target) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(restore),
            other => other.map_err(io_error("list", target))?,
        };
        if entries.next().is_none() {
            return Ok(restore);
        }
        let lock = target.join("lock");
        if !lock.is_file() || !target.join("log").is_dir() {
            return Err(RestoreError::NoStore(restore.target));
        }
        let file = File::options().write(true).open(&lock);
        let file = file.map_err(io_error("open", &lock))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(RestoreError::InUse(restore.target)),
            Err(TryLockError::Error(source)) => return Err(io_error("lock", &lock)(source)),
        }
        restore.lock = Some(file);
        restore.standing = Standing::Store;
        Ok(restore)
    }

    /// The folder that the store will be in.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// What is there now.
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// Does it: reads the backup once, proving it, and changes nothing of what is there before all of it is proved and
    /// the new store was opened. Blocks.
    pub fn run(
        self,
        input: impl Read,
        options: EngineOptions,
        progress: Progress<'_>,
    ) -> Result<Restored, RestoreError> {
        let fresh = self.beside("restoring");
        let made = self.make(&fresh, input, options, progress);
        if made.is_err() {
            // What is half made is nobody's; where it can't be removed the next restore does.
            let _ = fs::remove_dir_all(&fresh);
        }
        let (contents, held) = made?;
        let kept = self.exchange(&fresh)?;
        drop(self.lock);
        Ok(Restored {
            contents,
            path: self.target,
            kept,
            held,
        })
    }

    /// Makes the new store, whole and durable.
    fn make(
        &self,
        fresh: &Path,
        input: impl Read,
        options: EngineOptions,
        progress: Progress<'_>,
    ) -> Result<(Contents, Held), RestoreError> {
        match fs::remove_dir_all(fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(io_error("remove", fresh)(error));
            }
            _ => {}
        }
        let mut unpacker = Unpacker::begin(fresh).map_err(io_error("create", fresh))?;
        let mut contents = read::read(input, &mut unpacker, progress)?;
        let snapshot = Receiver::snapshot(fresh, contents.moment.position);
        let named = unpacker.finish(&snapshot);
        named.map_err(io_error("write", fresh))?;
        let (held, missing) = self.prepare(fresh, &contents, options)?;
        contents.lacks(missing);
        if let Some(owner) = self.owner() {
            owner.adopt(fresh).map_err(io_error("give away", fresh))?;
        }
        let mode = fs::metadata(&self.target).map_or(FOLDER_MODE, |meta| meta.permissions().mode());
        let mode = fs::Permissions::from_mode(mode & 0o7777);
        fs::set_permissions(fresh, mode).map_err(io_error("set the mode of", fresh))?;
        sync_all(fresh).map_err(io_error("sync", fresh))?;
        Ok((contents, held))
    }

    /// Opens the new store, looks for the files that it names, and settles its queue. Gives what it lacks too.
    fn prepare(
        &self,
        fresh: &Path,
        contents: &Contents,
        options: EngineOptions,
    ) -> Result<(Held, Vec<String>), RestoreError> {
        let (store, _) = Store::open(fresh, options)?;
        let prepared = (|| -> Result<_, StoreError> {
            let missing = store.files_missing()?;
            let restoration = Restoration {
                moment_ms: contents.moment.at_ms,
                position: contents.moment.position,
                restored_at_ms: store.now(),
                is_fresh: true,
            };
            let held = store.settle_restored(restoration, self.resume_sends)?;
            Ok((held, missing))
        })();
        store.engine().clone().close();
        Ok(prepared?)
    }

    /// Whose the new store is to be: root gives it to the owner of the old one, or to the daemon's user.
    fn owner(&self) -> Option<Owner> {
        if !is_root() {
            return None;
        }
        Owner::of(&self.target).ok().or_else(Owner::of_daemon)
    }

    /// Puts the new store in its place; where the old one is kept.
    fn exchange(&self, fresh: &Path) -> Result<Option<PathBuf>, RestoreError> {
        let target = &self.target;
        let parent = target.parent().unwrap_or(Path::new("/"));
        let sync = || File::open(parent).and_then(|folder| folder.sync_all());
        if self.standing == Standing::Nothing {
            // Nobody has a lock here: the kernel refuses what is neither absent nor empty by now.
            fs::rename(fresh, target).map_err(|error| match error.kind() {
                io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists => {
                    let _ = fs::remove_dir_all(fresh);
                    RestoreError::Taken(target.clone())
                }
                _ => waiting(fresh, target, &error),
            })?;
            sync().map_err(io_error("sync", parent))?;
            return Ok(None);
        }
        // The new one takes the old one's name to be first, so that the old one is never called what is removed.
        let kept = self.free_name();
        fs::rename(fresh, &kept).map_err(io_error("rename", fresh))?;
        let exchanged = renameat_with(CWD, &kept, CWD, target, RenameFlags::EXCHANGE);
        exchanged.map_err(|error| {
            let back = fs::rename(&kept, fresh);
            let waits: &Path = if back.is_ok() { fresh } else { kept.as_path() };
            waiting(waits, target, &io::Error::from(error))
        })?;
        sync().map_err(io_error("sync", parent))?;
        Ok(Some(kept))
    }

    /// Where the old store will be kept.
    pub fn free_name(&self) -> PathBuf {
        let now = jiff::Timestamp::now()
            .strftime("%Y%m%dT%H%M%SZ")
            .to_string();
        let first = self.beside(&format!("before-restore-{now}"));
        let others = (2_u32..).map(|n| self.beside(&format!("before-restore-{now}-{n}")));
        let mut free = std::iter::once(first).chain(others);
        free.find(|path| !path.exists())
            .expect("there are more names than files")
    }

    fn beside(&self, what: &str) -> PathBuf {
        let mut name = self
            .target
            .file_name()
            .map_or_else(OsString::new, Into::into);
        name.push(".");
        name.push(what);
        self.target.with_file_name(name)
    }
}

/// The new store is made, and can't be put in its place.
fn waiting(fresh: &Path, target: &Path, error: &io::Error) -> RestoreError {
    let words = format!(
        "{error}; what was restored is whole and waits in {}: where the store's folder is a file system of its own, \
         restore with --to into a folder in it and name that folder in [store] path",
        fresh.display()
    );
    io_error("put the restored store at", target)(io::Error::new(error.kind(), words))
}

/// Makes everything below a folder durable. What belongs to its file system and to others is synced along: one call
/// for many small files.
fn sync_all(folder: &Path) -> io::Result<()> {
    let file = File::open(folder)?;
    rustix::fs::syncfs(&file)?;
    file.sync_all()
}
