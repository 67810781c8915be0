//! Snapshots: all records in one file, and the part of the log that makes them a point in time.
//!
//! A scan of a living index is at no single moment, so behind the records come the frames of all commits made
//! from the scan's start to its end: applied again, they make it the moment of its end. The file is all a
//! restore needs.
//!
//! ```text
//! magic | format u32 | blocks: kind u8 | bytes u32 | CRC32C u32, of the block's number too | payload
//! begin: position and hash at the start ... records ... frames ... end: position, hash, records, counts
//! ```

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufReader, BufWriter, Read, Write},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use super::{
    error::OpenError,
    format::{FORMAT, FORMAT_FIRST},
    frame::{FRAME_BYTES_MAX, Frame, HEADER_BYTES, Hash},
    index::{Count, Index, Kind, Reached},
    layer::Merged,
    options::SnapshotInfo,
    record::kind_of,
    replay::{Counting, Replay},
};

const MAGIC: &[u8; 8] = b"TLSNAPSH";
/// No version will ever write a higher one; what looks like it is damage.
const FORMAT_MAX: u32 = 1000;
const BLOCK_BYTES_MAX: usize = FRAME_BYTES_MAX + HEADER_BYTES;

const BEGIN: u8 = 1;
const RECORDS: u8 = 2;
const FRAME: u8 = 3;
const END: u8 = 4;

/// The blocks of a snapshot, on their way to wherever.
pub(super) struct SnapshotStream<W> {
    out: W,
    blocks: u32,
    records: u64,
    bytes: u64,
}

impl<W: Write> SnapshotStream<W> {
    /// Begins one of an index that has reached `position`, of a store of `format`.
    pub(super) fn begin(mut out: W, format: u32, position: u64, hash: &Hash) -> io::Result<Self> {
        out.write_all(MAGIC)?;
        out.write_all(&format.to_le_bytes())?;
        let mut stream = Self {
            out,
            blocks: 0,
            records: 0,
            bytes: 12,
        };
        stream.block(BEGIN, &[&position.to_le_bytes()[..], hash].concat())?;
        Ok(stream)
    }

    /// Adds records: key and stored value.
    pub(super) fn records<'a>(
        &mut self,
        records: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    ) -> io::Result<()> {
        let mut payload = Vec::new();
        for (key, stored) in records {
            payload.extend_from_slice(&length(key));
            payload.extend_from_slice(&length(stored));
            payload.extend_from_slice(key);
            payload.extend_from_slice(stored);
            self.records += 1;
        }
        self.block(RECORDS, &payload)
    }

    /// Adds a frame of the log.
    pub(super) fn frame(&mut self, frame: &Frame<'_>) -> io::Result<()> {
        self.block(FRAME, frame.bytes())
    }

    /// Completes it at `reached`; gives what it was written to, the records and the bytes.
    pub(super) fn finish(mut self, reached: &Reached) -> io::Result<(W, u64, u64)> {
        let mut payload = [&reached.position.to_le_bytes()[..], &reached.hash].concat();
        payload.extend_from_slice(&self.records.to_le_bytes());
        for ((organization, kind), count) in &reached.counts {
            payload.extend_from_slice(&organization.to_le_bytes());
            payload.push(*kind);
            payload.extend_from_slice(&count.records.to_le_bytes());
        }
        self.block(END, &payload)?;
        Ok((self.out, self.records, self.bytes))
    }

    fn block(&mut self, kind: u8, payload: &[u8]) -> io::Result<()> {
        let mut header = [0; 9];
        header[0] = kind;
        header[1..5].copy_from_slice(&length(payload));
        header[5..].copy_from_slice(&block_crc(self.blocks, kind, payload).to_le_bytes());
        self.blocks += 1;
        self.bytes += (header.len() + payload.len()) as u64;
        self.out.write_all(&header)?;
        self.out.write_all(payload)
    }
}

/// A snapshot being written to its file. Until it is finished its name ends in `.new`, and nobody reads it.
pub(super) struct SnapshotWriter {
    stream: SnapshotStream<BufWriter<File>>,
    folder: PathBuf,
    unfinished: Unfinished,
}

impl SnapshotWriter {
    /// Begins one of an index that has reached `position`.
    pub(super) fn begin(store: &Path, format: u32, position: u64, hash: &Hash) -> io::Result<Self> {
        let folder = folder_of(store);
        let unfinished = Unfinished(folder.join("snapshot.new"));
        let file = BufWriter::with_capacity(1 << 18, File::create(&unfinished.0)?);
        Ok(Self {
            stream: SnapshotStream::begin(file, format, position, hash)?,
            folder,
            unfinished,
        })
    }

    /// What it is written through.
    pub(super) fn stream(&mut self) -> &mut SnapshotStream<BufWriter<File>> {
        &mut self.stream
    }

    /// Completes it at `reached`, durably.
    pub(super) fn finish(self, reached: &Reached) -> io::Result<SnapshotInfo> {
        let (mut file, records, bytes) = self.stream.finish(reached)?;
        file.flush()?;
        file.get_ref().sync_all()?;
        let path = self.folder.join(name_at(reached.position));
        std::fs::rename(&self.unfinished.0, &path)?;
        File::open(&self.folder)?.sync_all()?;
        Ok(SnapshotInfo {
            path,
            position: reached.position,
            records,
            bytes,
        })
    }
}

/// The name of the snapshot that holds all up to a commit.
pub(super) fn name_at(position: u64) -> String {
    format!("{position:020}.snap")
}

/// Where an unfinished snapshot is written. One that was given up takes no room; a finished one has another name.
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn length(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len())
        .expect("blocks are bounded")
        .to_le_bytes()
}

fn block_crc(number: u32, kind: u8, payload: &[u8]) -> u32 {
    let crc = crc32c::crc32c(&number.to_le_bytes());
    crc32c::crc32c_append(crc32c::crc32c_append(crc, &[kind]), payload)
}

pub(super) fn folder_of(store: &Path) -> PathBuf {
    store.join("snapshots")
}

/// A snapshot that was finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finished {
    pub(super) path: PathBuf,
    /// The newest commit it holds.
    pub(super) position: u64,
}

/// All finished snapshots, newest first. Removes one that was never finished.
pub(super) fn list(store: &Path) -> Result<Vec<Finished>, OpenError> {
    let folder = folder_of(store);
    let mut snapshots = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(OpenError::io("list", &folder))? {
        let path = entry.map_err(OpenError::io("list", &folder))?.path();
        let name = path
            .file_name()
            .and_then(|n| n.to_str())
            .unwrap_or_default();
        let position = name.strip_suffix(".snap").and_then(|n| n.parse().ok());
        snapshots.extend(position.map(|position| Finished { path, position }));
    }
    snapshots.sort_by_key(|s| std::cmp::Reverse(s.position));
    Ok(snapshots)
}

/// The commit that a snapshot's scan began behind: the log from there on belongs to it.
pub(super) fn begins_at(path: &Path) -> Result<u64, String> {
    let mut blocks = Blocks::open(path)?;
    let (_, payload) = blocks.next()?;
    Ok(take_reached(&mut &payload[..])
        .ok_or("its beginning is malformed")?
        .position)
}

/// The format that the header of a snapshot says; none where the bytes are no such header.
pub(super) fn format_of(head: &[u8]) -> Option<u32> {
    let format = head.strip_prefix(MAGIC)?.first_chunk::<4>()?;
    let format = u32::from_le_bytes(*format);
    (FORMAT_FIRST..=FORMAT_MAX)
        .contains(&format)
        .then_some(format)
}

/// How many records of each kind a finished snapshot says that it holds, and the commit that it reaches. Reads the
/// heads of its blocks and its end only.
pub(super) fn contents(path: &Path) -> Result<(u64, HashMap<Kind, u64>), String> {
    let file = File::open(path).map_err(|e| e.to_string())?;
    let mut at = 12;
    loop {
        let mut header = [0; 9];
        file.read_exact_at(&mut header, at)
            .map_err(|e| e.to_string())?;
        let bytes = take_u32(&mut &header[1..5]).filter(|bytes| *bytes <= BLOCK_BYTES_MAX);
        let bytes = bytes.ok_or("a block has an impossible length")?;
        at += header.len() as u64;
        if header[0] != END {
            at += bytes as u64;
            continue;
        }
        let mut payload = vec![0; bytes];
        file.read_exact_at(&mut payload, at)
            .map_err(|e| e.to_string())?;
        let mut rest = &payload[..];
        let reached = take_reached(&mut rest).ok_or("its end is malformed")?;
        let counts = rest
            .get(8..)
            .and_then(counts_in)
            .ok_or("its end is malformed")?;
        return Ok((reached.position, counts));
    }
}

/// The counts at the end of a snapshot.
fn counts_in(bytes: &[u8]) -> Option<HashMap<Kind, u64>> {
    let (counts, []) = bytes.as_chunks::<13>() else {
        return None;
    };
    let mut said = HashMap::new();
    for count in counts {
        let (organization, rest) = count.split_first_chunk::<4>()?;
        let (kind, records) = rest.split_first()?;
        let kind = (u32::from_le_bytes(*organization), *kind);
        said.insert(kind, u64::from_le_bytes(*records.first_chunk::<8>()?));
    }
    Some(said)
}

/// Fills a fresh index from a snapshot. The error says why the snapshot is no good.
pub(super) fn load(path: &Path, index: &Index, progress: &dyn Fn(u64)) -> Result<Reached, String> {
    let mut blocks = Blocks::open(path)?;
    let mut reached = Reached::default();
    let mut replay = Replay::new(index, Counting::AsFound, progress);
    let mut records = 0;
    loop {
        let (kind, payload) = blocks.next()?;
        match kind {
            BEGIN => {
                reached = take_reached(&mut &payload[..]).ok_or("its beginning is malformed")?;
            }
            RECORDS => {
                records += load_records(&payload, index, &mut reached.counts)?;
                progress(records);
            }
            FRAME => {
                let frame = Frame::parse(&payload).map_err(|e| e.to_string())?;
                replay.apply(&frame, &mut reached)?;
            }
            END => {
                replay.flush(&mut reached)?;
                check_end(&payload, records, &mut reached)?;
                return blocks.end().map(|()| reached);
            }
            _ => return Err(format!("it has a block of unknown kind {kind}")),
        }
    }
}

fn load_records(
    mut payload: &[u8],
    index: &Index,
    counts: &mut HashMap<Kind, Count>,
) -> Result<u64, String> {
    let malformed = "a block of records is malformed";
    let mut records = 0;
    while !payload.is_empty() {
        let key_bytes = take_u32(&mut payload).ok_or(malformed)?;
        let stored_bytes = take_u32(&mut payload).ok_or(malformed)?;
        let (key, rest) = payload.split_at_checked(key_bytes).ok_or(malformed)?;
        let (stored, rest) = rest.split_at_checked(stored_bytes).ok_or(malformed)?;
        payload = rest;
        let (stored, known) = (Some(stored), false);
        index.write(std::iter::once(Merged { key, stored, known }), |_| ())?;
        counts.entry(kind_of(key)).or_default().records += 1;
        records += 1;
    }
    Ok(records)
}

/// Compares what was loaded with what the snapshot says that it holds.
fn check_end(payload: &[u8], records: u64, reached: &mut Reached) -> Result<(), String> {
    let malformed = "its end is malformed";
    let mut rest = payload;
    let said = take_reached(&mut rest).ok_or(malformed)?;
    if (said.position, said.hash) != (reached.position, reached.hash) {
        return Err("its frames end elsewhere than it says".to_owned());
    }
    let (said_records, rest) = rest.split_first_chunk::<8>().ok_or(malformed)?;
    if u64::from_le_bytes(*said_records) != records {
        return Err("it has another number of records than it says".to_owned());
    }
    let mut said = counts_in(rest).ok_or(malformed)?;
    for (kind, count) in &mut reached.counts {
        count.position = reached.position;
        if said.remove(kind).unwrap_or(0) != count.records {
            return Err(format!(
                "it has another number of records of kind {kind:?} than it says"
            ));
        }
    }
    match said.into_iter().find(|(_, records)| *records > 0) {
        Some((kind, _)) => Err(format!("it lacks the records of kind {kind:?}")),
        None => Ok(()),
    }
}

fn take_u32(bytes: &mut &[u8]) -> Option<usize> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    *bytes = rest;
    Some(u32::from_le_bytes(*head) as usize)
}

fn take_reached(bytes: &mut &[u8]) -> Option<Reached> {
    let (position, rest) = bytes.split_first_chunk::<8>()?;
    let (hash, rest) = rest.split_first_chunk::<32>()?;
    *bytes = rest;
    Some(Reached {
        position: u64::from_le_bytes(*position),
        hash: *hash,
        counts: HashMap::new(),
    })
}

/// Reads a snapshot block by block, proving each.
struct Blocks {
    file: BufReader<File>,
    number: u32,
}

impl Blocks {
    fn open(path: &Path) -> Result<Self, String> {
        let file = File::open(path).map_err(|e| e.to_string())?;
        let mut file = BufReader::with_capacity(1 << 18, file);
        let mut header = [0; 12];
        file.read_exact(&mut header).map_err(|e| e.to_string())?;
        if format_of(&header).is_none_or(|format| format > FORMAT) {
            return Err("it is no snapshot of this version".to_owned());
        }
        Ok(Self { file, number: 0 })
    }

    fn next(&mut self) -> Result<(u8, Vec<u8>), String> {
        let mut header = [0; 9];
        self.file
            .read_exact(&mut header)
            .map_err(|e| e.to_string())?;
        let bytes = take_u32(&mut &header[1..5]).unwrap_or(usize::MAX);
        if bytes > BLOCK_BYTES_MAX {
            return Err(format!("block {} has an impossible length", self.number));
        }
        let mut payload = vec![0; bytes];
        self.file
            .read_exact(&mut payload)
            .map_err(|e| e.to_string())?;
        if block_crc(self.number, header[0], &payload).to_le_bytes() != header[5..] {
            return Err(format!("block {} does not match its checksum", self.number));
        }
        self.number += 1;
        Ok((header[0], payload))
    }

    fn end(&mut self) -> Result<(), String> {
        match self.file.read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => Err("something follows its end".to_owned()),
            Err(e) => Err(e.to_string()),
        }
    }
}
