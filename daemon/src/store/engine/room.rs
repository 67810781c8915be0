//! Room on the disk: how much is free, whether that is enough for new work, and why the index stands still.
//!
//! ```text
//! free < reserve         new messages are refused; what is under way goes on
//! free < INDEX_BYTES     the index stands still before sled meets a full disk; commits are refused
//! the disk refuses       a group fails as a whole; the next is tried all the same
//! ```

use std::{
    io,
    path::{Path, PathBuf},
    sync::atomic::{
        AtomicBool, AtomicU64,
        Ordering::{Acquire, Relaxed, Release},
    },
};

use parking_lot::Mutex;

use super::error::StoreError;

/// Nothing is written to the index below this: sled gives up for good where one write fails.
const INDEX_BYTES: u64 = 4 << 20;
/// New work needs this many files to be possible still, where the file system counts them.
const FILES_MIN: u64 = 64;

/// What is free where the store lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Bytes that the daemon may still write.
    pub free_bytes: u64,
    /// Files that may still be made; none where the file system does not count them.
    pub free_files: Option<u64>,
    /// Bytes that new messages may not use.
    pub reserve_bytes: u64,
    /// New messages are refused.
    pub is_low: bool,
}

/// Looks at the disk, and remembers.
#[derive(Debug)]
pub(super) struct Meter {
    path: PathBuf,
    reserve: u64,
    free: AtomicU64,
    files: AtomicU64,
    low: AtomicBool,
    stands: AtomicBool,
    why: Mutex<Option<String>>,
}

impl Meter {
    /// Looks for the first time.
    pub(super) fn new(path: &Path, reserve: u64) -> Self {
        let meter = Self {
            path: path.to_owned(),
            reserve,
            free: AtomicU64::new(u64::MAX),
            files: AtomicU64::new(u64::MAX),
            low: AtomicBool::new(false),
            stands: AtomicBool::new(false),
            why: Mutex::new(None),
        };
        meter.look();
        meter
    }

    /// Asks the file system; gives the free bytes.
    pub(super) fn look(&self) -> u64 {
        let Ok((free, files)) = free(&self.path) else {
            // Whoever writes next will be told what is wrong.
            return self.free.load(Relaxed);
        };
        self.free.store(free, Relaxed);
        self.files.store(files.unwrap_or(u64::MAX), Relaxed);
        let was_low = self.low.load(Relaxed);
        // An eighth more to leave it, so that it does not come and go.
        let wanted = self.reserve + if was_low { self.reserve / 8 } else { 0 };
        let few_files = files.is_some_and(|files| files < FILES_MIN);
        let low = self.reserve > 0 && (free < wanted || few_files);
        self.low.store(low, Relaxed);
        free
    }

    /// What was seen last.
    pub(super) fn room(&self) -> Room {
        let files = self.files.load(Relaxed);
        Room {
            free_bytes: self.free.load(Relaxed),
            free_files: (files != u64::MAX).then_some(files),
            reserve_bytes: self.reserve,
            is_low: self.low.load(Relaxed),
        }
    }

    /// Refuses new work while room is low.
    pub(super) fn admit(&self) -> Result<(), StoreError> {
        if !self.low.load(Relaxed) {
            return Ok(());
        }
        Err(StoreError::Full {
            free_bytes: self.free.load(Relaxed),
            reserve_bytes: self.reserve,
        })
    }

    /// Whether so much may be taken for what is not needed at once.
    pub(super) fn has(&self, bytes: u64) -> bool {
        self.look() >= bytes.saturating_add(self.reserve.max(INDEX_BYTES))
    }

    /// Whether the index may be written.
    pub(super) fn check_index(&self) -> Result<(), String> {
        let free = self.look();
        if free >= INDEX_BYTES {
            return Ok(());
        }
        let path = self.path.display();
        Err(format!("{free} bytes are free in {path}, too few to go on"))
    }

    /// The index stands still: what is handed over now fails.
    pub(super) fn stand(&self, why: &str) {
        *self.why.lock() = Some(why.to_owned());
        self.stands.store(true, Release);
    }

    /// It goes on.
    pub(super) fn go_on(&self) {
        self.stands.store(false, Release);
        *self.why.lock() = None;
    }

    /// Why the index stands still; none where it does not.
    pub(super) fn standing(&self) -> Option<String> {
        if !self.stands.load(Acquire) {
            return None;
        }
        self.why.lock().clone()
    }
}

/// Bytes, and files where they are counted, that are free to this process below a folder.
fn free(path: &Path) -> io::Result<(u64, Option<u64>)> {
    let stat = rustix::fs::statvfs(path)?;
    let files = (stat.f_files > 0).then_some(stat.f_favail);
    Ok((stat.f_bavail.saturating_mul(stat.f_frsize), files))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_low_below_the_reserve_and_never_without_one() {
        let folder = tempfile::tempdir().unwrap();
        let free = Meter::new(folder.path(), 0).look();
        assert!(free > INDEX_BYTES, "a test needs some room: {free}");
        assert!(!Meter::new(folder.path(), 0).room().is_low);
        assert!(Meter::new(folder.path(), 1).admit().is_ok());
        let meter = Meter::new(folder.path(), u64::MAX / 2);
        assert!(meter.room().is_low);
        let refused = meter.admit().unwrap_err();
        assert!(refused.to_string().contains("reserve"), "{refused}");
        assert!(!meter.has(1));
    }
}
