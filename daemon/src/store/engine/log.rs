//! The end of the log: appends frames and makes them durable.
//!
//! A failed fdatasync is never tried again on the same file: the kernel may have dropped the pages
//! and report success. The segment is given up, and the next group begins a new one, whose header
//! says that whatever the old one holds from there on does not count.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    fault::Faults,
    frame::{FrameBuffer, HEADER_BYTES, Hash, mark},
    layer::Layer,
    segment::{Catalog, SEGMENT_HEADER_BYTES, Segment},
    spare::{self, Spare},
};

/// The room of a segment for which none was made ready: quickly made.
const FIRST_BYTES: u64 = 4 << 20;
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
        let (folder, path) = (self.catalog.folder(), segment.path(self.catalog.folder()));
        let room = match self.spare.take_if(|spare| spare.is_ready()) {
            Some(spare) if spare.bytes >= HEAD + bytes => {
                let capacity = spare.bytes;
                spare
                    .finish()
                    .map(|file| (file, spare::path_in(folder), capacity))
            }
            _ => {
                let unfinished = path.with_extension("new");
                let capacity = self.segment_bytes.min(FIRST_BYTES).max(HEAD + bytes);
                spare::make(&unfinished, capacity).map(|file| (file, unfinished, capacity))
            }
        };
        let begun = self
            .faults
            .before_create()
            .and(room)
            .and_then(|(file, from, capacity)| {
                segment.begin(folder, &file, &from)?;
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

    /// Has the next segment made ready once the open one is half full.
    fn look_ahead(&mut self) {
        let half_full = self
            .open
            .as_ref()
            .is_some_and(|o| o.offset >= o.capacity / 2);
        if half_full && self.spare.is_none() {
            match Spare::begin(self.catalog.folder(), self.segment_bytes) {
                Ok(spare) => self.spare = Some(spare),
                Err(error) => tracing::warn!("cannot make room for the log ahead: {error}"),
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
                tracing::warn!(file = %open.path.display(), %error, "cannot trim the log");
            }
        }
    }
}
