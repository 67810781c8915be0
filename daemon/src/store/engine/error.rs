//! What can go wrong, in words that say what and where.

use std::path::PathBuf;

use thiserror::Error;

/// Why a read or a commit did not happen.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StoreError {
    /// More commits are waiting than the engine takes; nothing was stored, try again shortly.
    #[error("the store is busy: {waiting} commits are waiting for the disk")]
    Busy {
        /// Commits handed over and not yet durable.
        waiting: usize,
    },
    /// The disk is nearly full: what is left is kept for what is under way. Nothing was stored.
    #[error(
        "the disk is nearly full: {free_bytes} bytes are free and {reserve_bytes} are kept in reserve \
         ([store] reserve_bytes); make room, nothing else is needed"
    )]
    Full {
        /// Bytes free.
        free_bytes: u64,
        /// Bytes that new messages may not use.
        reserve_bytes: u64,
    },
    /// The disk refused. Nothing of the commit was acknowledged.
    #[error("the store could not write: {0}")]
    Failed(String),
    /// A record does not match its checksum, or the index cannot be read.
    #[error("the index is damaged at key {key}: {what}; it is being rebuilt from the log")]
    Corrupt {
        /// The key in hexadecimal.
        key: String,
        /// What was found.
        what: String,
    },
    /// A key, value or commit is larger than the engine takes, or a key is too short.
    #[error("the store refused a write: {0}")]
    Refused(String),
    /// A follower asked for changes that are no longer kept, or cannot be read.
    #[error("changes after position {from} are not kept: the log begins after position {kept}")]
    Gone {
        /// The position asked for.
        from: u64,
        /// The first position from which a follower can go on.
        kept: u64,
    },
    /// A part of the log that a follower needs cannot be read.
    #[error("{file} is damaged at byte {offset} ({what}): a follower can go on after {resume}")]
    Damaged {
        /// The segment.
        file: PathBuf,
        /// Where the unreadable frame begins, in bytes from the start of the file.
        offset: u64,
        /// What is wrong with it.
        what: String,
        /// The position from which a follower can go on.
        resume: u64,
    },
    /// The engine was closed.
    #[error("the store is closed")]
    Closed,
}

/// Why a store could not be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another process has the folder.
    #[error("{} is in use by another process: stop it first, or choose another store path", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The store was written by a newer version.
    #[error(
        "{} has format {found}, and this version reads formats up to {known}; nothing was touched. Install \
         {install}, or restore a backup that this version can read",
        path.display()
    )]
    Newer {
        /// The store's folder.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format known here.
        known: u32,
        /// Which version of Trunkline to install.
        install: String,
    },
    /// Acknowledged commits cannot be read from the log, and no intact index holds them.
    #[error(
        "{} is damaged at byte {offset} ({what}): commits {lost_from} to {lost_to} were \
         acknowledged and cannot be read, and the index cannot stand in for them. Restore the store \
         from a backup, or run `trunkline store repair` to go on without what cannot be read",
        file.display()
    )]
    LogDamaged {
        /// The segment.
        file: PathBuf,
        /// Where the unreadable part begins, in bytes from the start of the file.
        offset: u64,
        /// What is wrong there.
        what: String,
        /// The first commit that cannot be read.
        lost_from: u64,
        /// The last commit known to have been durable.
        lost_to: u64,
    },
    /// Neither a snapshot nor the beginning of the log is there to rebuild the index from.
    #[error(
        "{}: the index cannot be used ({why}) and cannot be rebuilt: {missing}. Restore the store \
         from a backup",
        path.display()
    )]
    NothingToRebuildFrom {
        /// The store's folder.
        path: PathBuf,
        /// Why the index is no good.
        why: String,
        /// What is missing.
        missing: String,
    },
    /// The store was written in a layout that is no longer read.
    #[error(
        "{} was written by a version before the first release, in a layout that this version does not \
         read: move it away to begin with an empty store, or run the version that wrote it",
        path.display()
    )]
    Older {
        /// The store's folder.
        path: PathBuf,
    },
    /// What the store holds of itself can't be read.
    #[error("the store can't be read: {0}")]
    Unreadable(#[from] StoreError),
    /// The fresh index refused to be filled.
    #[error("cannot build the index in {}: {what}", path.display())]
    Index {
        /// The index folder.
        path: PathBuf,
        /// What it said.
        what: String,
    },
}

impl OpenError {
    /// Wraps an error of the operating system with what was tried, and where.
    pub(super) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}

impl StoreError {
    /// A record that is there but can't be read.
    pub(crate) fn unreadable(key: &[u8], what: &str) -> Self {
        Self::Corrupt {
            key: data_encoding::HEXLOWER.encode(key),
            what: what.to_owned(),
        }
    }
}
