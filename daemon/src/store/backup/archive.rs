//! The archive itself: members in a row, each with its SHA-256 in its header, and the index behind them.

use std::{
    fmt,
    fs::File,
    io::{self, BufReader, BufWriter, Read, Seek as _, Write},
    path::Path,
};

use data_encoding::HEXLOWER;
use ring::digest::{Context, SHA256, digest};
use tar::{EntryType, Header};

use crate::model::MediaHash;

/// What a tar archive is made of.
pub(super) const BLOCK: usize = 512;
/// Bytes of one part of snapshot or log: it is held in memory.
pub(super) const PART_BYTES: usize = 1 << 20;
/// Largest manifest or moment that is read.
pub(super) const JSON_BYTES_MAX: u64 = 1 << 20;
/// Owners' alone, whoever unpacks it.
const MODE: u32 = 0o600;

/// A SHA-256.
pub(super) type Sum = [u8; 32];

/// Why an archive can't be read: what is wrong, and where.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It is damaged or cut off.
    #[error("{0}")]
    Damaged(String),
    /// It is of a later version.
    #[error("{0}")]
    Newer(String),
    /// It could not be read, or what was read could not be kept.
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl ArchiveError {
    pub(super) fn damaged(words: impl fmt::Display) -> Self {
        Self::Damaged(format!("the backup is damaged: {words}"))
    }
}

/// The name of a member, in the order in which kinds come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Name {
    Manifest,
    Store(u32),
    Log(u32),
    Moment,
    Body(MediaHash),
    Media(MediaHash),
    MissingBody(MediaHash),
    MissingMedia(MediaHash),
    Index,
}

impl fmt::Display for Name {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manifest => out.write_str("manifest.json"),
            Self::Store(part) => write!(out, "store/{part:06}"),
            Self::Log(part) => write!(out, "log/{part:06}"),
            Self::Moment => out.write_str("moment.json"),
            Self::Body(hash) => write!(out, "bodies/{hash}"),
            Self::Media(hash) => write!(out, "media/{hash}"),
            Self::MissingBody(hash) => write!(out, "missing/bodies/{hash}"),
            Self::MissingMedia(hash) => write!(out, "missing/media/{hash}"),
            Self::Index => out.write_str("index"),
        }
    }
}

impl Name {
    /// Reads a name; none where no member is called so.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let part = |text: &str| text.parse().ok();
        let hash = |text: &str| text.parse().ok();
        let name = match text {
            "manifest.json" => Self::Manifest,
            "moment.json" => Self::Moment,
            "index" => Self::Index,
            other => {
                let (folder, rest) = other.rsplit_once('/')?;
                match folder {
                    "store" => Self::Store(part(rest)?),
                    "log" => Self::Log(part(rest)?),
                    "bodies" => Self::Body(hash(rest)?),
                    "media" => Self::Media(hash(rest)?),
                    "missing/bodies" => Self::MissingBody(hash(rest)?),
                    "missing/media" => Self::MissingMedia(hash(rest)?),
                    _ => return None,
                }
            }
        };
        (name.to_string() == text).then_some(name)
    }

    /// Whether a member may follow another.
    pub(super) fn may_follow(&self, before: Option<&Self>) -> bool {
        match (before, self) {
            (None, name) => *name == Self::Manifest,
            (Some(Self::Manifest), name) => *name == Self::Store(1),
            (Some(Self::Store(last)), Self::Store(part))
            | (Some(Self::Log(last)), Self::Log(part)) => last.checked_add(1) == Some(*part),
            (Some(Self::Store(_)), name) => matches!(name, Self::Log(1) | Self::Moment),
            (Some(Self::Log(_)), name) => *name == Self::Moment,
            (Some(Self::Index), _) => false,
            (Some(_), name) => name.is_file() || *name == Self::Index,
        }
    }

    /// True for files of bodies and media, missing ones included.
    fn is_file(&self) -> bool {
        matches!(
            self,
            Self::Body(_) | Self::Media(_) | Self::MissingBody(_) | Self::MissingMedia(_)
        )
    }

    /// The SHA-256 that the name itself promises.
    pub(super) fn promised(&self) -> Option<&Sum> {
        match self {
            Self::Body(hash) | Self::Media(hash) => Some(hash.as_bytes()),
            _ => None,
        }
    }
}

/// The header of a member: nothing in it is free.
pub(super) fn header(name: &str, size: u64, sum: &Sum) -> io::Result<Header> {
    let mut header = Header::new_ustar();
    header.set_entry_type(EntryType::Regular);
    header.set_path(name)?;
    header.set_link_name_literal(HEXLOWER.encode(sum))?;
    header.set_size(size);
    header.set_mode(MODE);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_cksum();
    Ok(header)
}

/// The SHA-256 of bytes.
pub(super) fn sum_of(bytes: &[u8]) -> Sum {
    as_sum(digest(&SHA256, bytes).as_ref())
}

pub(super) fn as_sum(bytes: &[u8]) -> Sum {
    bytes.try_into().expect("SHA-256 gives 32 bytes")
}

/// The line of a member in the index.
pub(super) fn line(sum: &Sum, size: u64, name: &Name) -> String {
    format!("{} {size} {name}\n", HEXLOWER.encode(sum))
}

/// The last line of the index.
pub(super) fn last_line(all: &Sum, members: u64) -> String {
    format!("{} {members} members\n", HEXLOWER.encode(all))
}

/// Writes an archive.
pub(super) struct ArchiveWriter<W> {
    out: W,
    /// The index so far: it may be large, so that it waits on disk.
    index: BufWriter<File>,
    all: Context,
    members: u64,
    index_bytes: u64,
    bytes: u64,
}

impl<W: Write> ArchiveWriter<W> {
    /// Begins one. `scratch` is a folder for a file without a name.
    pub(super) fn new(out: W, scratch: &Path) -> io::Result<Self> {
        Ok(Self {
            out,
            index: BufWriter::new(tempfile::tempfile_in(scratch)?),
            all: Context::new(&SHA256),
            members: 0,
            index_bytes: 0,
            bytes: 0,
        })
    }

    /// Adds a member that is in memory.
    pub(super) fn add(&mut self, name: &Name, bytes: &[u8]) -> io::Result<()> {
        let sum = sum_of(bytes);
        self.begin(name, bytes.len() as u64, &sum)?;
        self.out.write_all(bytes)?;
        self.pad(bytes.len() as u64)
    }

    /// Adds a member from a file whose size and SHA-256 are known. What is found to be otherwise is an error of
    /// the kind `InvalidData`, and the archive is no good.
    pub(super) fn add_file(
        &mut self,
        name: &Name,
        size: u64,
        sum: &Sum,
        mut file: impl Read,
    ) -> io::Result<()> {
        self.begin(name, size, sum)?;
        let mut hasher = Context::new(&SHA256);
        let mut left = size;
        let mut buffer = vec![0; 1 << 16];
        while left > 0 {
            let want = usize::try_from(left)
                .unwrap_or(usize::MAX)
                .min(buffer.len());
            let got = file.read(&mut buffer[..want])?;
            if got == 0 {
                break;
            }
            hasher.update(&buffer[..got]);
            self.out.write_all(&buffer[..got])?;
            left -= got as u64;
        }
        if left > 0 || hasher.finish().as_ref() != sum {
            let words = format!("{name} changed while it was read");
            return Err(io::Error::new(io::ErrorKind::InvalidData, words));
        }
        self.pad(size)
    }

    /// Ends it with the index; gives back what it was written to, the number of members and all bytes.
    pub(super) fn finish(mut self) -> io::Result<(W, u64, u64)> {
        let all = as_sum(self.all.clone().finish().as_ref());
        let last = last_line(&all, self.members);
        self.index.write_all(last.as_bytes())?;
        self.index_bytes += last.len() as u64;
        let mut index = self.index.into_inner().map_err(io::Error::from)?;
        // Its own sum stands in its header, so it is read twice.
        index.rewind()?;
        let mut sum = Context::new(&SHA256);
        for_each_chunk(&index, |chunk| {
            sum.update(chunk);
            Ok(())
        })?;
        index.rewind()?;
        let sum = as_sum(sum.finish().as_ref());
        let name = Name::Index.to_string();
        self.out
            .write_all(header(&name, self.index_bytes, &sum)?.as_bytes())?;
        let out = &mut self.out;
        for_each_chunk(&index, |chunk| out.write_all(chunk))?;
        let padding = padding_of(self.index_bytes);
        self.out.write_all(&[0; BLOCK][..padding])?;
        self.out.write_all(&[0; 2 * BLOCK])?;
        self.out.flush()?;
        let bytes = self.bytes + (3 * BLOCK + padding) as u64 + self.index_bytes;
        Ok((self.out, self.members, bytes))
    }

    fn begin(&mut self, name: &Name, size: u64, sum: &Sum) -> io::Result<()> {
        let line = line(sum, size, name);
        self.index.write_all(line.as_bytes())?;
        self.index_bytes += line.len() as u64;
        self.all.update(line.as_bytes());
        self.members += 1;
        self.bytes += BLOCK as u64 + size + padding_of(size) as u64;
        self.out
            .write_all(header(&name.to_string(), size, sum)?.as_bytes())
    }

    fn pad(&mut self, size: u64) -> io::Result<()> {
        self.out.write_all(&[0; BLOCK][..padding_of(size)])
    }
}

/// Zeros behind a member of this size.
pub(super) fn padding_of(size: u64) -> usize {
    let over = usize::try_from(size % BLOCK as u64).unwrap_or_default();
    (BLOCK - over) % BLOCK
}

fn for_each_chunk(file: &File, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut reader = BufReader::new(file);
    let mut buffer = vec![0; 1 << 16];
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(()),
            got => take(&buffer[..got])?,
        }
    }
}

/// Cuts a stream into members of [`PART_BYTES`].
pub(super) struct Parts<'a, W, N> {
    archive: &'a mut ArchiveWriter<W>,
    name: N,
    part: u32,
    buffer: Vec<u8>,
}

impl<'a, W: Write, N: Fn(u32) -> Name> Parts<'a, W, N> {
    pub(super) fn new(archive: &'a mut ArchiveWriter<W>, name: N) -> Self {
        Self {
            archive,
            name,
            part: 0,
            buffer: Vec::with_capacity(PART_BYTES),
        }
    }

    /// Writes what is left.
    pub(super) fn finish(mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        self.put()
    }

    fn put(&mut self) -> io::Result<()> {
        self.part += 1;
        self.archive.add(&(self.name)(self.part), &self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

impl<W: Write, N: Fn(u32) -> Name> Write for Parts<'_, W, N> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = PART_BYTES - self.buffer.len();
        let taken = bytes.len().min(room);
        self.buffer.extend_from_slice(&bytes[..taken]);
        if self.buffer.len() == PART_BYTES {
            self.put()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
