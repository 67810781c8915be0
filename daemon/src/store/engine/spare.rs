//! Room for the log, made ready before it is needed.
//!
//! Room is written full of zeros, not just set aside: the first write into blocks that were only set aside changes
//! the file system's own records, and then each fdatasync waits for its journal, and with that for what others
//! write. The next segment is made ready on a thread of its own while the current one fills up.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use rustix::fs::FallocateFlags;

/// Written at once.
const CHUNK_BYTES: u64 = 1 << 20;
/// Left to the log between two chunks.
const PAUSE: Duration = Duration::from_millis(4);

/// A file of zeros in the making, or ready.
#[derive(Debug)]
pub(super) struct Spare {
    pub(super) bytes: u64,
    stop: Arc<AtomicBool>,
    making: JoinHandle<io::Result<File>>,
}

impl Spare {
    /// Begins to make one in `folder`.
    pub(super) fn begin(folder: &Path, bytes: u64) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (path, stopping) = (path_in(folder), Arc::clone(&stop));
        let making = thread::Builder::new()
            .name("store-spare".to_owned())
            .spawn(move || {
                let file = create(&path, bytes)?;
                let mut at = 0;
                while at < bytes {
                    if stopping.load(Relaxed) {
                        return Err(io::ErrorKind::Interrupted.into());
                    }
                    at += zero(&file, at, bytes)?;
                    file.sync_data()?;
                    thread::sleep(PAUSE);
                }
                Ok(file)
            })?;
        Ok(Self {
            bytes,
            stop,
            making,
        })
    }

    pub(super) fn is_ready(&self) -> bool {
        self.making.is_finished()
    }

    /// The file, once it is ready; else gives up making it.
    pub(super) fn finish(self) -> io::Result<File> {
        self.stop.store(true, Relaxed);
        let made = self.making.join();
        made.unwrap_or_else(|_| Err(io::Error::other("making room panicked")))
    }
}

/// Where a spare lies until it gets its name. Removed when the store opens.
pub(super) fn path_in(folder: &Path) -> PathBuf {
    folder.join("spare.new")
}

/// Makes a file of zeros at once.
pub(super) fn make(path: &Path, bytes: u64) -> io::Result<File> {
    let file = create(path, bytes)?;
    let mut at = 0;
    while at < bytes {
        at += zero(&file, at, bytes)?;
    }
    Ok(file)
}

fn create(path: &Path, bytes: u64) -> io::Result<File> {
    let file = File::options()
        .create(true)
        .truncate(true)
        .read(true)
        .write(true)
        .open(path)?;
    // In one piece, and a full disk shows here.
    rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, bytes)?;
    Ok(file)
}

fn zero(file: &File, at: u64, bytes: u64) -> io::Result<u64> {
    let len = (bytes - at).min(CHUNK_BYTES);
    let zeros = vec![0; usize::try_from(len).unwrap_or_default()];
    file.write_all_at(&zeros, at)?;
    Ok(len)
}
