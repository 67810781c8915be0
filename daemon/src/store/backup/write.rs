//! Writing a backup while the daemon works, or of a store that nobody else has open.

use std::{
    fs::{self, File},
    io::{self, Read as _, Seek as _, Write},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use ring::digest::{Context, SHA256};

use super::{
    BACKUP_FORMAT, Counts, Manifest, MomentRecord, STORE_FORMAT,
    archive::{ArchiveWriter, Name, PART_BYTES, Parts, as_sum, sum_of},
};
use crate::{
    model::{MediaHash, Millis},
    store::{
        Store,
        engine::{Export, ExportError, Moment, StoreError},
        files::FileHold,
        keys,
    },
};

/// Why a backup was not made.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// It could not be written, or a file could not be read.
    #[error("the backup could not be written: {0}")]
    Io(#[from] io::Error),
    /// The store refused.
    #[error("no backup was made: {0}")]
    Store(#[from] StoreError),
}

impl From<ExportError> for BackupError {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Sink(error) => Self::Io(error),
            ExportError::Store(error) => Self::Store(error),
        }
    }
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The moment.
    pub moment: MomentRecord,
    /// Bytes in all.
    pub bytes: u64,
    /// Files of bodies and media.
    pub files: u64,
    /// Files that were damaged or gone.
    pub missing: u64,
}

/// A backup that has begun: what it needs is held until it is written or dropped.
pub struct Backup {
    store: Store,
    export: Export,
    _files: [FileHold; 2],
}

impl Store {
    /// Begins a backup; none while another, or a compaction, is under way.
    pub fn begin_backup(&self) -> Option<Backup> {
        let files = [self.files.hold()?, self.media_files.hold()?];
        Some(Backup {
            export: self.engine.export()?,
            store: self.clone(),
            _files: files,
        })
    }

    /// Ends backups that are being written, as the daemon stops.
    pub fn stop_backups(&self) {
        self.backup_stop.store(true, Relaxed);
    }

    /// How much there is, as applied.
    pub fn amounts(&self) -> Counts {
        let organizations = self.organizations();
        let count = |kind| {
            let of = organizations.iter();
            of.map(|(_, org)| self.engine.count(org.0, kind)).sum()
        };
        Counts::of(count)
    }
}

impl Counts {
    /// Asks for the number of records of each kind.
    fn of(count: impl Fn(u8) -> u64) -> Self {
        let outbox = count(keys::OUTBOX);
        Self {
            messages: count(keys::MESSAGE) + outbox,
            contacts: count(keys::CONTACT),
            threads: count(keys::THREAD),
            outbox,
            consents: count(keys::CONSENT),
            webhooks: count(keys::EVENT),
            media: count(keys::MEDIA),
        }
    }
}

impl Backup {
    /// Writes it. Blocks for as long as that takes; the daemon's work goes on meanwhile.
    pub fn write(self, out: impl Write) -> Result<Written, BackupError> {
        let manifest = self.manifest();
        let Self {
            store,
            mut export,
            _files: _held,
        } = self;
        let out = Stoppable {
            out,
            stop: store.backup_stop.clone(),
        };
        let mut archive = ArchiveWriter::new(out, store.engine.path())?;
        archive.add(&Name::Manifest, &json(&manifest))?;
        let mut parts = Parts::new(&mut archive, Name::Store);
        let moment = export.snapshot(&mut parts)?;
        let at_ms = store.now();
        parts.finish()?;
        let mut parts = Parts::new(&mut archive, Name::Log);
        export.log(&moment, &mut parts)?;
        parts.finish()?;
        // Files may take long, and the log is not needed for them.
        drop(export);
        let moment = record(&moment, at_ms);
        archive.add(&Name::Moment, &json(&moment))?;
        let bodies = Folder {
            path: store.files.folder(),
            found: Name::Body,
            missing: Name::MissingBody,
        };
        let media = Folder {
            path: store.media_files.folder(),
            found: Name::Media,
            missing: Name::MissingMedia,
        };
        let mut tally = Tally::default();
        bodies.add_to(&mut archive, &mut tally)?;
        media.add_to(&mut archive, &mut tally)?;
        let (_, _, bytes) = archive.finish()?;
        Ok(Written {
            moment,
            bytes,
            files: tally.files,
            missing: tally.missing,
        })
    }

    fn manifest(&self) -> Manifest {
        Manifest {
            format: BACKUP_FORMAT,
            trunkline: env!("CARGO_PKG_VERSION").to_owned(),
            store_format: STORE_FORMAT,
            began_at: rfc3339(self.store.now()),
            began_position: self.export.began_at(),
            organizations: self.store.organizations().len(),
            counts: self.store.amounts(),
        }
    }
}

fn record(moment: &Moment, at_ms: Millis) -> MomentRecord {
    let of_kind = |kind| {
        let counts = moment.counts.iter().filter(|(_, k, _)| *k == kind);
        counts.map(|(_, _, records)| records).sum()
    };
    MomentRecord {
        position: moment.position,
        log_from: moment.log_from,
        at: rfc3339(at_ms),
        at_ms,
        records: moment.counts.iter().map(|(_, _, records)| records).sum(),
        counts: Counts::of(of_kind),
    }
}

fn json(value: &impl serde::Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(value).expect("plain data is written");
    text.push(b'\n');
    text
}

/// A time as it is written.
pub(super) fn rfc3339(at_ms: Millis) -> String {
    let at = jiff::Timestamp::from_millisecond(at_ms).unwrap_or_default();
    format!("{at:.3}")
}

#[derive(Default)]
struct Tally {
    files: u64,
    missing: u64,
}

/// A folder of files that are named by their hashes, in folders by the first byte.
struct Folder<'a> {
    path: &'a Path,
    found: fn(MediaHash) -> Name,
    missing: fn(MediaHash) -> Name,
}

impl Folder<'_> {
    fn add_to<W: Write>(
        &self,
        archive: &mut ArchiveWriter<W>,
        tally: &mut Tally,
    ) -> io::Result<()> {
        for shard in 0..=u8::MAX {
            let entries = match fs::read_dir(self.path.join(format!("{shard:02x}"))) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                other => other?,
            };
            for entry in entries {
                let entry = entry?;
                let name = entry.file_name();
                // What is being written has a name of another kind.
                let Some(hash) = name.to_str().and_then(|name| name.parse().ok()) else {
                    continue;
                };
                if self.add(archive, hash, &entry.path())? {
                    tally.files += 1;
                } else {
                    let path = entry.path();
                    tracing::error!(event = "backup_file_missing", path = %path.display(), "a file is damaged or gone and is not in the backup");
                    archive.add(&(self.missing)(hash), &[])?;
                    tally.missing += 1;
                }
            }
        }
        Ok(())
    }

    /// Adds one file; false where it is not what its name says.
    fn add<W: Write>(
        &self,
        archive: &mut ArchiveWriter<W>,
        hash: MediaHash,
        path: &Path,
    ) -> io::Result<bool> {
        let name = (self.found)(hash);
        let Ok(mut file) = File::open(path) else {
            return Ok(false);
        };
        let Ok(size) = file.metadata().map(|meta| meta.len()) else {
            return Ok(false);
        };
        if size <= PART_BYTES as u64 {
            let mut bytes = Vec::new();
            let read = file.read_to_end(&mut bytes);
            if read.is_err() || sum_of(&bytes) != *hash.as_bytes() {
                return Ok(false);
            }
            archive.add(&name, &bytes)?;
            return Ok(true);
        }
        // Its header comes first, so it is proved before it is copied.
        let mut hasher = Context::new(&SHA256);
        let mut buffer = vec![0; 1 << 16];
        loop {
            match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(got) => hasher.update(&buffer[..got]),
                Err(_) => return Ok(false),
            }
        }
        let sum = as_sum(hasher.finish().as_ref());
        if sum != *hash.as_bytes() {
            return Ok(false);
        }
        file.rewind()?;
        archive.add_file(&name, size, &sum, file)?;
        Ok(true)
    }
}

/// Refuses to write once the daemon stops.
struct Stoppable<W> {
    out: W,
    stop: Arc<AtomicBool>,
}

impl<W: Write> Write for Stoppable<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.stop.load(Relaxed) {
            return Err(io::Error::other("the daemon stops"));
        }
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
