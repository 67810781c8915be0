//! The checkpoint: the commit up to which the index is known to be on disk.
//!
//! Two files are written in turn, each with a sequence number and a checksum, so that one of them is whole
//! at any moment and no folder has to be synced. Replay begins behind the newer.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::atomic::Ordering::Relaxed,
};

use super::{folder::number_of, frame::Hash, shared::Shared};

const MAGIC: &[u8; 8] = b"TLCHECK1";
const BYTES: usize = 80;

/// What is known to be on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Checkpoint {
    /// Grows with every checkpoint.
    pub(super) sequence: u64,
    /// The number of the index folder.
    pub(super) index: u64,
    /// The commit up to which that index is durable.
    pub(super) position: u64,
    /// The hash of the frame that ends there.
    pub(super) hash: Hash,
    /// Whether the engine was closed in order right after.
    pub(super) clean: bool,
}

impl Checkpoint {
    /// The newer of the two files; none where neither is whole.
    pub(super) fn load(store: &Path) -> Option<Self> {
        let read = |turn| Self::parse(&std::fs::read(file_of(store, turn)).ok()?);
        [read(0), read(1)]
            .into_iter()
            .flatten()
            .max_by_key(|c| c.sequence)
    }

    /// Writes it durably over the older one.
    pub(super) fn save(&self, store: &Path) -> io::Result<()> {
        let path = file_of(store, self.sequence % 2);
        let fresh = !path.exists();
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)?;
        file.write_all_at(&self.bytes(), 0)?;
        file.sync_all()?;
        if fresh {
            File::open(store)?.sync_all()?;
        }
        Ok(())
    }

    fn bytes(&self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[12] = u8::from(self.clean);
        bytes[16..24].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.index.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.position.to_le_bytes());
        bytes[40..72].copy_from_slice(&self.hash);
        let crc = crc32c::crc32c(&bytes[12..]);
        bytes[8..12].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; BYTES] = bytes.try_into().ok()?;
        let crc = u32::from_le_bytes(bytes[8..12].try_into().ok()?);
        let sound = &bytes[..8] == MAGIC && crc32c::crc32c(&bytes[12..]) == crc;
        let u64_at = |at: usize| Some(u64::from_le_bytes(bytes[at..at + 8].try_into().ok()?));
        sound.then_some(Self {
            clean: bytes[12] == 1,
            sequence: u64_at(16)?,
            index: u64_at(24)?,
            position: u64_at(32)?,
            hash: bytes[40..72].try_into().ok()?,
        })
    }
}

/// Makes what is applied durable, then says so.
pub(super) fn make(shared: &Shared, clean: bool) -> Result<(), String> {
    let mut last = shared.checkpoint.lock();
    let (position, hash, index) = {
        let applied = shared.apply.lock();
        (applied.position, applied.hash, shared.index.load_full())
    };
    index.sync()?;
    let number = number_of(index.path()).unwrap_or(last.index);
    if number != last.index {
        sync_files(index.path())
            .and_then(|()| File::open(&shared.path)?.sync_all())
            .map_err(|e| format!("cannot sync {}: {e}", index.path().display()))?;
    }
    let made = Checkpoint {
        sequence: last.sequence + 1,
        index: number,
        position,
        hash,
        clean,
    };
    made.save(&shared.path).map_err(|e| e.to_string())?;
    *last = made;
    shared.meters.checkpoint.store(position, Relaxed);
    Ok(())
}

/// Makes a folder and the files in it durable.
fn sync_files(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            File::open(entry.path())?.sync_all()?;
        }
    }
    File::open(folder)?.sync_all()
}

fn file_of(store: &Path, turn: u64) -> PathBuf {
    store.join(format!("checkpoint-{turn}"))
}
