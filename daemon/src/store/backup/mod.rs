//! Backups: one file that holds everything of one moment, and stores made of it again.
//!
//! A backup is a tar archive (POSIX ustar) without compression, read and written as a stream:
//!
//! | member | what it is |
//! |---|---|
//! | `manifest.json` | first: format, versions, when and at which commit it began, how much there was |
//! | `store/000001` ... | parts of a snapshot (`engine/snapshot.rs`) of the moment at which the scan ended |
//! | `log/000001` ... | parts of a segment: what followers of the log still need at that moment |
//! | `moment.json` | the moment: commit, time, records, counts |
//! | `bodies/HASH`, `media/HASH` | every file that a record of that moment names, and those stored since |
//! | `missing/bodies/HASH`, `missing/media/HASH` | empty: this file was damaged or gone when the backup was made |
//! | `index` | last: `SHA-256 SIZE NAME` of every member in order, then the SHA-256 of these lines, their number and `members` |
//!
//! Everything in a header follows from name, size and the member's SHA-256, which stands in its link name, and a reader
//! compares all of it; padding is zeros, and after two blocks of zeros nothing follows. So a byte that was changed
//! is found with the member that it is in, also without the index, and a file that was cut off lacks its index.
//!
//! Files are listed when the snapshot is done, and none is removed from the moment at which the backup begins until all
//! are written ([`super::files::FileHold`]): a record names only files that are durable, so whatever a record of the moment
//! names is there to be listed. Retention leaves such files to a later sweep, and an erasure is tried again. A file that
//! was gone before is listed nowhere; a restore goes on without it, and says how many it lacks and which.

mod archive;
mod digest;
mod hold;
mod mark;
mod owner;
mod read;
mod restore;
mod unpack;
mod write;

use serde::{Deserialize, Serialize};

pub(super) use self::mark::settled;
pub use self::{
    archive::ArchiveError,
    digest::{Inspection, KindDigest, inspect},
    hold::Held,
    mark::Restoration,
    owner::give_back,
    read::{Contents, verify},
    restore::{Restore, RestoreError, Restored, Standing},
    write::{Backup, BackupError, Written},
};
use crate::model::Millis;

/// The format of backups that this version writes, and the newest that it reads.
pub(crate) const BACKUP_FORMAT: u32 = 1;
/// The format of the store's records that this version writes, and the newest that it reads.
pub(crate) const STORE_FORMAT: u32 = super::FORMAT;

/// What stands in `manifest.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`BACKUP_FORMAT`] of who wrote it.
    pub format: u32,
    /// The version of Trunkline that wrote it.
    pub trunkline: String,
    /// [`STORE_FORMAT`] of who wrote it.
    pub store_format: u32,
    /// When it began, RFC 3339.
    pub began_at: String,
    /// The newest commit then; the backup may hold later ones.
    pub began_position: u64,
    /// How many organizations there were.
    pub organizations: usize,
    /// How much there was.
    pub counts: Counts,
}

/// What stands in `moment.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MomentRecord {
    /// The newest commit in the backup.
    pub position: u64,
    /// The log goes along from behind this commit on.
    pub log_from: u64,
    /// When that was, RFC 3339.
    pub at: String,
    /// The same in milliseconds since the Unix epoch.
    pub at_ms: Millis,
    /// All records.
    pub records: u64,
    /// Of the kinds that people know.
    pub counts: Counts,
}

/// How much there is of what people know, over all organizations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Messages, those in the queue included.
    pub messages: u64,
    /// Contacts.
    pub contacts: u64,
    /// Threads.
    pub threads: u64,
    /// Messages in the queue.
    pub outbox: u64,
    /// Entries of the ledger of consent.
    pub consents: u64,
    /// Webhooks that are kept.
    pub webhooks: u64,
    /// Files of media.
    pub media: u64,
}
