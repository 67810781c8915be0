//! Reading a backup: every byte of it is proved, and what is in it is handed on as it passes.

use std::io::{self, Read};

use data_encoding::HEXLOWER;
use ring::digest::{Context, SHA256};
use serde::de::DeserializeOwned;
use tar::Header;

use super::{
    BACKUP_FORMAT, Manifest, MomentRecord, STORE_FORMAT,
    archive::{
        ArchiveError, BLOCK, JSON_BYTES_MAX, Name, Sum, as_sum, header, last_line, line, padding_of,
    },
};

/// Files that are named where some are missing.
const NAMED_MAX: usize = 20;

/// Told how many bytes have been read.
pub(crate) type Progress<'a> = &'a mut dyn FnMut(u64);

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// What its maker said at its beginning.
    pub manifest: Manifest,
    /// The moment that it is of.
    pub moment: MomentRecord,
    /// Members, the index not counted.
    pub members: u64,
    /// Files of bodies and media.
    pub files: u64,
    /// Files that were damaged or gone when it was made; after a restore those that records name and the store lacks.
    pub missing: u64,
    /// The first of them, as `media/HASH` and `bodies/HASH`.
    pub missing_names: Vec<String>,
    /// Its bytes.
    pub bytes: u64,
}

impl Contents {
    /// Says which files are missing.
    pub(super) fn lacks(&mut self, mut names: Vec<String>) {
        self.missing = names.len() as u64;
        names.truncate(NAMED_MAX);
        self.missing_names = names;
    }
}

/// Takes what is in a backup as it passes. Nothing of a member is proved before its end.
pub(super) trait Taker {
    /// A member begins.
    fn begin(&mut self, name: &Name) -> io::Result<()>;
    /// More of it.
    fn bytes(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// It ended, and is what it should be.
    fn end(&mut self, name: &Name) -> io::Result<()>;
}

/// Takes nothing.
struct Nobody;

impl Taker for Nobody {
    fn begin(&mut self, _: &Name) -> io::Result<()> {
        Ok(())
    }

    fn bytes(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn end(&mut self, _: &Name) -> io::Result<()> {
        Ok(())
    }
}

/// Reads a backup to its end and proves every byte of it.
pub fn verify(input: impl Read, progress: Progress<'_>) -> Result<Contents, ArchiveError> {
    read(input, &mut Nobody, progress)
}

/// The same, handing on what is in it.
pub(super) fn read(
    input: impl Read,
    taker: &mut dyn Taker,
    progress: Progress<'_>,
) -> Result<Contents, ArchiveError> {
    let mut reader = Reader {
        input,
        at: 0,
        before: None,
        all: Context::new(&SHA256),
        members: 0,
        progress,
    };
    let mut found = Found::default();
    loop {
        let member = reader.next()?;
        if member.name == Name::Index {
            reader.index(&member)?;
            return found.contents(reader.before.as_ref(), reader.members, reader.at);
        }
        found.count(&member.name);
        taker.begin(&member.name)?;
        match &member.name {
            Name::Manifest => {
                let manifest: Manifest = json(&reader.small(&member)?, &member.name)?;
                known(&manifest)?;
                found.manifest = Some(manifest);
            }
            Name::Moment => {
                found.moment = Some(json(&reader.small(&member)?, &member.name)?);
            }
            _ => reader.body(&member, &mut |bytes| taker.bytes(bytes))?,
        }
        taker.end(&member.name)?;
    }
}

#[derive(Default)]
struct Found {
    manifest: Option<Manifest>,
    moment: Option<MomentRecord>,
    files: u64,
    missing: u64,
    missing_names: Vec<String>,
}

impl Found {
    fn count(&mut self, name: &Name) {
        match name {
            Name::Body(_) | Name::Media(_) => self.files += 1,
            Name::MissingBody(hash) => self.lacks(&Name::Body(*hash)),
            Name::MissingMedia(hash) => self.lacks(&Name::Media(*hash)),
            _ => {}
        }
    }

    fn lacks(&mut self, name: &Name) {
        self.missing += 1;
        if self.missing_names.len() < NAMED_MAX {
            self.missing_names.push(name.to_string());
        }
    }

    fn contents(
        self,
        last: Option<&Name>,
        members: u64,
        bytes: u64,
    ) -> Result<Contents, ArchiveError> {
        let (Some(manifest), Some(moment)) = (self.manifest, self.moment) else {
            let after = after(last);
            return Err(ArchiveError::damaged(format!("{after} the index came")));
        };
        Ok(Contents {
            manifest,
            moment,
            members,
            files: self.files,
            missing: self.missing,
            missing_names: self.missing_names,
            bytes,
        })
    }
}

fn json<T: DeserializeOwned>(bytes: &[u8], name: &Name) -> Result<T, ArchiveError> {
    serde_json::from_slice(bytes)
        .map_err(|error| ArchiveError::damaged(format!("{name} can't be read: {error}")))
}

/// Refuses what a later version wrote.
fn known(manifest: &Manifest) -> Result<(), ArchiveError> {
    let newer = |what: &str, found: u32, known: u32| {
        ArchiveError::Newer(format!(
            "the {what} has format {found}, written by Trunkline {}; this version reads up to {known}: \
             restore it with that version or a later one",
            manifest.trunkline
        ))
    };
    if manifest.format > BACKUP_FORMAT {
        return Err(newer("backup", manifest.format, BACKUP_FORMAT));
    }
    if manifest.store_format > STORE_FORMAT {
        return Err(newer("store in it", manifest.store_format, STORE_FORMAT));
    }
    Ok(())
}

/// A member whose header is sound.
struct Member {
    name: Name,
    size: u64,
    sum: Sum,
}

struct Reader<'a, R> {
    input: R,
    at: u64,
    before: Option<Name>,
    all: Context,
    members: u64,
    progress: Progress<'a>,
}

impl<R: Read> Reader<'_, R> {
    /// The header of the next member.
    fn next(&mut self) -> Result<Member, ArchiveError> {
        let mut bytes = [0; BLOCK];
        let at = self.at;
        self.fill(&mut bytes, "its index is missing")?;
        if bytes == [0; BLOCK] {
            let words = format!("{} it ends without its index", after(self.before.as_ref()));
            return Err(ArchiveError::damaged(words));
        }
        let wrong = || {
            let after = after(self.before.as_ref());
            if self.before.is_none() {
                return ArchiveError::Damaged(
                    "this is no backup of Trunkline, or its beginning is damaged".to_owned(),
                );
            }
            ArchiveError::damaged(format!("{after} no sound header follows, at byte {at}"))
        };
        let member = parse(&bytes).ok_or_else(wrong)?;
        if !member.name.may_follow(self.before.as_ref()) {
            let after = after(self.before.as_ref());
            let words = format!("{after} came {}, which can't be", member.name);
            return Err(ArchiveError::damaged(words));
        }
        if member.name.promised().is_some_and(|sum| *sum != member.sum) {
            let words = format!("{} is named by another checksum", member.name);
            return Err(ArchiveError::damaged(words));
        }
        Ok(member)
    }

    /// Reads a member, proves it, and notes it for the index.
    fn body(
        &mut self,
        member: &Member,
        take: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), ArchiveError> {
        let name = &member.name;
        let cut = format!("it is cut off within {name}");
        let mut hasher = Context::new(&SHA256);
        let mut left = member.size;
        let mut buffer = vec![0; 1 << 16];
        while left > 0 {
            let want = usize::try_from(left)
                .unwrap_or(usize::MAX)
                .min(buffer.len());
            self.fill(&mut buffer[..want], &cut)?;
            hasher.update(&buffer[..want]);
            take(&buffer[..want])?;
            left -= want as u64;
        }
        if as_sum(hasher.finish().as_ref()) != member.sum {
            let words = format!("{name} does not match its checksum");
            return Err(ArchiveError::damaged(words));
        }
        let mut padding = [0; BLOCK];
        let padding = &mut padding[..padding_of(member.size)];
        self.fill(padding, &cut)?;
        if padding.iter().any(|byte| *byte != 0) {
            let words = format!("something stands behind the end of {name}");
            return Err(ArchiveError::damaged(words));
        }
        if *name != Name::Index {
            let line = line(&member.sum, member.size, name);
            self.all.update(line.as_bytes());
            self.members += 1;
        }
        self.before = Some(name.clone());
        Ok(())
    }

    fn small(&mut self, member: &Member) -> Result<Vec<u8>, ArchiveError> {
        if member.size > JSON_BYTES_MAX {
            let words = format!("{} has an impossible length", member.name);
            return Err(ArchiveError::damaged(words));
        }
        let mut all = Vec::new();
        self.body(member, &mut |bytes| {
            all.extend_from_slice(bytes);
            Ok(())
        })?;
        Ok(all)
    }

    /// Reads the index, and what must stand behind it. Its lines are those that the members made.
    fn index(&mut self, member: &Member) -> Result<(), ArchiveError> {
        let all = as_sum(self.all.clone().finish().as_ref());
        let last = last_line(&all, self.members);
        let lines_bytes = member.size.checked_sub(last.len() as u64);
        let lines_bytes = lines_bytes.ok_or_else(|| ArchiveError::damaged("index is too short"))?;
        let mut lines = Context::new(&SHA256);
        let mut seen = 0;
        let mut tail = Vec::new();
        self.body(member, &mut |bytes| {
            let of_lines = usize::try_from(lines_bytes.saturating_sub(seen)).unwrap_or(usize::MAX);
            let (head, rest) = bytes.split_at(of_lines.min(bytes.len()));
            lines.update(head);
            tail.extend_from_slice(rest);
            seen += bytes.len() as u64;
            Ok(())
        })?;
        if as_sum(lines.finish().as_ref()) != all || tail != last.as_bytes() {
            let words = "index does not say what the members before it are";
            return Err(ArchiveError::damaged(words));
        }
        let mut end = [0; 2 * BLOCK];
        self.fill(&mut end, "it is cut off behind index")?;
        if end != [0; 2 * BLOCK] || self.input.read(&mut [0])? != 0 {
            let words = "something stands behind index";
            return Err(ArchiveError::damaged(words));
        }
        Ok(())
    }

    fn fill(&mut self, bytes: &mut [u8], cut: &str) -> Result<(), ArchiveError> {
        match self.input.read_exact(bytes) {
            Ok(()) => {
                self.at += bytes.len() as u64;
                (self.progress)(self.at);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                let after = after(self.before.as_ref());
                Err(ArchiveError::damaged(format!("{after} {cut}")))
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn after(before: Option<&Name>) -> String {
    match before {
        Some(name) => format!("after {name}"),
        None => "at its beginning".to_owned(),
    }
}

/// Reads a header; none where it is not exactly the one that we would have written.
fn parse(bytes: &[u8; BLOCK]) -> Option<Member> {
    let found = Header::from_byte_slice(bytes);
    let path = found.path_bytes();
    let name = Name::parse(std::str::from_utf8(&path).ok()?)?;
    let size = found.size().ok()?;
    let sum = HEXLOWER.decode(&found.link_name_bytes()?).ok()?;
    let sum: Sum = sum.try_into().ok()?;
    let ours = header(&name.to_string(), size, &sum).ok()?;
    (ours.as_bytes() == bytes).then_some(Member { name, size, sum })
}
