//! The end of the log: appends frames and makes them durable.
//!
//! A failed fdatasync is never tried again on the same file: the kernel may have dropped the pages
//! and report success. The segment is given up, and the next group begins a new one, whose header
//! says that whatever the old one holds from there on does not count.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    fault::Faults,
    frame::{FrameBuffer, HEADER_BYTES, Hash, mark},
    layer::Layer,
    room::Meter,
    segment::{Catalog, SEGMENT_HEADER_BYTES, Segment},
    spare::{self, Spare},
};

/// The room of a segment for which none was made ready: quickly made.
const FIRST_BYTES: u64 = 4 << 20;
/// The same on a disk that is nearly full.
const LEAST_BYTES: u64 = 256 << 10;
const HEAD: u64 = SEGMENT_HEADER_BYTES as u64;

/// The place where the next frame goes.
#[derive(Debug)]
pub(super) struct Log {
    catalog: Arc<Catalog>,
    segment_bytes: u64,
    generation: u64,
    /// The last durable commit.
    last: u64,
    /// The hash of its frame.
    hash: Hash,
    open: Option<OpenSegment>,
    spare: Option<Spare>,
    frame: FrameBuffer,
    faults: Faults,
    room: Arc<Meter>,
}

#[derive(Debug)]
struct OpenSegment {
    file: File,
    /// What its header says.
    format: u32,
    path: PathBuf,
    offset: u64,
    capacity: u64,
}

/// What one append cost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Appended {
    pub(super) bytes: u64,
    pub(super) sync: Duration,
    pub(super) hash: Hash,
}

impl Log {
    /// Will continue behind `last`, in a new segment.
    pub(super) fn new(
        catalog: Arc<Catalog>,
        segment_bytes: u64,
        generation: u64,
        last: u64,
        hash: Hash,
        faults: Faults,
        room: Arc<Meter>,
    ) -> Self {
        Self {
            catalog,
            segment_bytes,
            generation,
            last,
            hash,
            open: None,
            spare: None,
            frame: FrameBuffer::default(),
            faults,
            room,
        }
    }

    /// The hash of the newest durable frame.
    pub(super) fn hash(&self) -> Hash {
        self.hash
    }

    /// Writes a group as one frame and makes it durable. After an error nothing of it counts.
    pub(super) fn append(&mut self, layer: &Layer) -> Result<Appended, String> {
        self.frame.begin(layer.first, self.last, &self.hash);
        for record in layer.records() {
            self.frame.push(record);
        }
        let mut frame = std::mem::take(&mut self.frame);
        let (hash, bytes) = frame.finish();
        let result = self.write(bytes);
        let bytes = bytes.len() as u64;
        self.frame = frame;
        let sync = result?;
        self.last = layer.last();
        self.hash = hash;
        self.mark();
        self.look_ahead();
        Ok(Appended { bytes, sync, hash })
    }

    /// Makes sure that a segment is open which has room for `bytes`.
    pub(super) fn make_room(&mut self, bytes: u64) -> Result<(), String> {
        if let Some(open) = &self.open
            && open.offset + bytes <= open.capacity
            && open.format == self.catalog.format()
        {
            return Ok(());
        }
        self.open = None;
        let segment = Segment {
            number: self.catalog.next_number(),
            format: self.catalog.format(),
            first: self.last + 1,
            generation: self.generation,
            before: self.hash,
        };
        let folder = self.catalog.folder().to_owned();
        let path = segment.path(&folder);
        let room = match self.ready_spare(&folder, HEAD + bytes) {
            Some(spare) => Ok(spare),
            None => self.make_segment(&path.with_extension("new"), HEAD + bytes),
        };
        let begun = self
            .faults
            .before_create()
            .and(room)
            .and_then(|(file, from, capacity)| {
                segment.begin(&folder, &file, &from)?;
                Ok((file, capacity))
            });
        let (file, capacity) =
            begun.map_err(|e| format!("cannot create {}: {e}", path.display()))?;
        self.catalog.add(segment);
        self.open = Some(OpenSegment {
            file,
            format: segment.format,
            path,
            offset: HEAD,
            capacity,
        });
        Ok(())
    }

    /// Leaves the open segment as it is: the next group begins another.
    pub(super) fn rotate(&mut self) {
        self.open = None;
    }

    /// What was made ready, where it is and is large enough. One that was given up leaves nothing behind.
    fn ready_spare(&mut self, folder: &Path, bytes: u64) -> Option<(File, PathBuf, u64)> {
        let spare = self.spare.take_if(|spare| spare.is_ready())?;
        let (capacity, path) = (spare.bytes, spare::path_in(folder));
        match spare.finish() {
            Ok(file) if capacity >= bytes => Some((file, path, capacity)),
            _ => {
                let _ = std::fs::remove_file(path);
                None
            }
        }
    }

    /// A small segment at once; a smaller one where the disk has no room for it.
    fn make_segment(&self, unfinished: &Path, bytes: u64) -> io::Result<(File, PathBuf, u64)> {
        let usual = self.segment_bytes.min(FIRST_BYTES).max(bytes);
        let least = self.segment_bytes.min(LEAST_BYTES).max(bytes);
        let made = spare::make(unfinished, usual).map(|file| (file, usual));
        let made = made.or_else(|_| spare::make(unfinished, least).map(|file| (file, least)));
        match made {
            Ok((file, capacity)) => Ok((file, unfinished.to_owned(), capacity)),
            Err(error) => {
                let _ = std::fs::remove_file(unfinished);
                Err(error)
            }
        }
    }

    /// Has the next segment made ready once the open one is half full, where the disk has room for more than that.
    fn look_ahead(&mut self) {
        let half_full = self
            .open
            .as_ref()
            .is_some_and(|o| o.offset >= o.capacity / 2);
        if half_full && self.spare.is_none() && self.room.has(self.segment_bytes) {
            match Spare::begin(self.catalog.folder(), self.segment_bytes) {
                Ok(spare) => self.spare = Some(spare),
                Err(error) => tracing::warn!(
                    event = "store_log_no_room",
                    "cannot make room for the log ahead: {error}"
                ),
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<Duration, String> {
        self.make_room(bytes.len() as u64)?;
        let open = self.open.as_mut().expect("room was made");
        let started = Instant::now();
        let written = open
            .file
            .write_all_at(bytes, open.offset)
            .and_then(|()| self.faults.before_sync())
            .and_then(|()| open.file.sync_data());
        match written {
            Ok(()) => {
                open.offset += bytes.len() as u64;
                Ok(started.elapsed())
            }
            Err(e) => Err(self.give_up(&e)),
        }
    }

    fn give_up(&mut self, error: &io::Error) -> String {
        let open = self.open.take().expect("a write was tried");
        format!(
            "writing {} at byte {} failed: {error}; the next commits go to a new segment",
            open.path.display(),
            open.offset
        )
    }

    /// Notes behind the last frame that it is durable, before anybody is told so. Not synced: it is worth having
    /// where it survives, as it does when only the process dies.
    fn mark(&self) {
        if let Some(open) = &self.open
            && open.offset + HEADER_BYTES as u64 <= open.capacity
        {
            // The next frame is written to the same place, and will say if the disk is bad.
            let _ = open.file.write_all_at(&mark(self.last), open.offset);
        }
    }

    /// Cuts the room that was not used off the open segment.
    pub(super) fn trim(&mut self) {
        if let Some(spare) = self.spare.take() {
            // Whether it was finished or not, nobody needs it now; opening removes it as well.
            let _ = spare.finish();
            let _ = std::fs::remove_file(spare::path_in(self.catalog.folder()));
        }
        if let Some(open) = self.open.take() {
            let trimmed = open
                .file
                .set_len(open.offset)
                .and_then(|()| open.file.sync_all());
            if let Err(error) = trimmed {
                tracing::warn!(event = "store_log_not_trimmed", file = %open.path.display(), %error, "cannot trim the log");
            }
        }
    }
}
