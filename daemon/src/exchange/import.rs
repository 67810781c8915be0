//! Takes lines in: each is checked by itself, then a batch is stored by one commit.
//!
//! Nothing that is here is changed, nothing that comes in is sent. The same file twice changes nothing, so an import that
//! was broken off is simply run again.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::{
    check, from_lines,
    lines::{End, Header, Line, MediaChunk, MediaLine, Organization, VERSION},
    report::{ImportReport, Waiting},
    take::{Incoming, Kept, LINE_BYTES_MAX, Splitter, parse},
};
use crate::{
    media::{Keeper, clean_name},
    model::OrgId,
    store::{Import, ImportRecord, Store, StoreError},
};

/// Records of one commit.
const BATCH_RECORDS: usize = 64;
/// Bytes of lines of one commit, about.
const BATCH_BYTES: usize = 1 << 20;
/// Stands for an organization that a dry run does not make.
const NOBODY: OrgId = OrgId(u32::MAX);

/// How lines are taken.
#[derive(Debug, Clone, Default)]
pub struct ImportOptions {
    /// The organization that the file's only one becomes.
    pub organization: Option<String>,
    /// The only organization that may be written to.
    pub only: Option<String>,
    /// Says what would happen, and stores nothing.
    pub dry_run: bool,
}

/// Why an import ended early. What came before is stored.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A line is wrong.
    #[error("line {line}: {words}")]
    Line {
        /// Which, from 1.
        line: u64,
        /// The field and what is wrong with it.
        words: String,
    },
    /// The store refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file can't be written.
    #[error("a file could not be kept: {0}")]
    File(String),
}

/// Takes the bytes of one file.
pub struct Importer {
    store: Store,
    keeper: Keeper,
    options: ImportOptions,
    splitter: Splitter,
    hash: Sha256,
    seen: BTreeMap<&'static str, u64>,
    /// The organization as the file names it, and ours.
    organization: Option<(String, OrgId)>,
    incoming: Option<Incoming>,
    waiting: Vec<Waiting>,
    records: Vec<ImportRecord>,
    bytes: usize,
    report: ImportReport,
}

impl Importer {
    /// Nothing is read yet.
    pub fn new(store: Store, keeper: Keeper, options: ImportOptions) -> Self {
        Self {
            store,
            keeper,
            report: ImportReport {
                dry_run: options.dry_run,
                ..ImportReport::default()
            },
            options,
            splitter: Splitter::default(),
            hash: Sha256::new(),
            seen: BTreeMap::new(),
            organization: None,
            incoming: None,
            waiting: Vec::new(),
            records: Vec::new(),
            bytes: 0,
        }
    }

    /// Takes the next bytes of the file.
    ///
    /// # Errors
    /// The first wrong line, or the store. Nothing more may be pushed then.
    pub async fn push(&mut self, bytes: &[u8]) -> Result<(), ImportError> {
        self.splitter.push(bytes);
        loop {
            let next = self.splitter.next().map_err(|_| ImportError::Line {
                line: self.report.lines + 1,
                words: format!("it is longer than {LINE_BYTES_MAX} bytes"),
            })?;
            let Some(line) = next else { return Ok(()) };
            self.line(&line).await?;
        }
    }

    /// Stores what is left, and says what became of everything.
    ///
    /// # Errors
    /// As [`Importer::push`].
    pub async fn finish(mut self) -> Result<ImportReport, ImportError> {
        if let Some(line) = self.splitter.finish() {
            self.line(&line).await?;
        }
        self.settle_file().await?;
        self.flush().await?;
        Ok(self.report)
    }

    fn wrong(&self, words: impl Into<String>) -> ImportError {
        ImportError::Line {
            line: self.report.lines,
            words: words.into(),
        }
    }

    async fn line(&mut self, bytes: &[u8]) -> Result<(), ImportError> {
        self.report.lines += 1;
        let parsed = parse(bytes).map_err(|words| self.wrong(words))?;
        let kind = kind_of(&parsed);
        if self.report.complete {
            return Err(self.wrong("type: nothing follows the end line"));
        }
        if (self.report.lines == 1) != (kind == "header") {
            return Err(self.wrong("type: the header is the first line, and only that"));
        }
        if let Line::End(end) = &parsed {
            self.end(end)?;
        } else {
            self.hash.update(bytes);
            self.hash.update(b"\n");
            *self.seen.entry(kind).or_default() += 1;
        }
        self.bytes += bytes.len();
        if kind != "media_chunk" {
            self.settle_file().await?;
        }
        self.take(parsed).await?;
        if self.records.len() >= BATCH_RECORDS || self.bytes >= BATCH_BYTES {
            self.flush().await?;
        }
        Ok(())
    }

    async fn take(&mut self, line: Line) -> Result<(), ImportError> {
        let now = self.store.now();
        let checked = |found: Result<(), String>, line| {
            found.map_err(|words| ImportError::Line { line, words })
        };
        let at = self.report.lines;
        match line {
            Line::Header(header) => self.header(&header),
            Line::Organization(found) => self.begin(found).await,
            Line::MediaChunk(chunk) => self.chunk(&chunk).await,
            Line::Media(found) => self.announce(found),
            Line::End(_) => Ok(()),
            Line::Contact(found) => {
                self.belongs(&found.organization)?;
                checked(check::contact(&found, now), at)?;
                let id = found.id.to_string();
                self.queue(
                    "contact",
                    id,
                    ImportRecord::Contact(from_lines::contact(found)),
                );
                Ok(())
            }
            Line::Thread(found) => {
                self.belongs(&found.organization)?;
                checked(check::thread(&found, now), at)?;
                let id = found.id.to_string();
                self.queue(
                    "thread",
                    id,
                    ImportRecord::Thread(from_lines::thread(found)),
                );
                Ok(())
            }
            Line::Message(found) => {
                self.belongs(&found.organization)?;
                checked(check::message(&found, now), at)?;
                let id = found.id.to_string();
                let message = Box::new(from_lines::message(*found));
                self.queue("message", id, ImportRecord::Message(message));
                Ok(())
            }
            Line::Consent(found) => {
                self.belongs(&found.organization)?;
                checked(check::consent(&found), at)?;
                let record = ImportRecord::Consent(from_lines::consent(found));
                self.queue("consent", String::new(), record);
                Ok(())
            }
        }
    }

    fn queue(&mut self, kind: &'static str, id: String, record: ImportRecord) {
        let line = self.report.lines;
        self.waiting.push(Waiting { line, kind, id });
        self.records.push(record);
    }

    fn header(&self, header: &Header) -> Result<(), ImportError> {
        if header.version > VERSION {
            return Err(self.wrong(format!(
                "version: the file has version {}, and this Trunkline reads up to {VERSION}",
                header.version
            )));
        }
        Ok(())
    }

    /// An organization begins. All before it is stored.
    async fn begin(&mut self, found: Organization) -> Result<(), ImportError> {
        self.flush().await?;
        let renamed = self.options.organization.clone();
        if renamed.is_some() && self.organization.is_some() {
            return Err(self.wrong(
                "organization: the file holds several organizations, which can't all be given one \
                 name: export the one that is wanted",
            ));
        }
        let slug = renamed.unwrap_or_else(|| found.organization.clone());
        check::slug(&slug).map_err(|words| self.wrong(words))?;
        if self.options.only.as_ref().is_some_and(|only| *only != slug) {
            return Err(self.wrong("organization: it is not yours to write to"));
        }
        let mut known = self.store.organizations().into_iter();
        let org = match known.find(|(known, _)| *known == slug) {
            Some((_, org)) => org,
            None if self.options.dry_run => NOBODY,
            None => self.store.organization(&slug).await?,
        };
        self.organization = Some((found.organization, org));
        Ok(())
    }

    fn belongs(&self, organization: &str) -> Result<(), ImportError> {
        match &self.organization {
            Some((current, _)) if current == organization => Ok(()),
            _ => Err(self.wrong("organization: its own line has to come before")),
        }
    }

    fn announce(&mut self, found: MediaLine) -> Result<(), ImportError> {
        self.belongs(&found.organization)?;
        check::media(&found).map_err(|words| self.wrong(words))?;
        let incoming =
            Incoming::new(found, self.report.lines).map_err(|words| self.wrong(words))?;
        self.incoming = Some(incoming);
        Ok(())
    }

    async fn chunk(&mut self, chunk: &MediaChunk) -> Result<(), ImportError> {
        let line = self.report.lines;
        match &mut self.incoming {
            Some(incoming) => incoming.add(&self.store, chunk, line).await,
            None => Err(self.wrong("type: the line of its file has to come before")),
        }
    }

    /// All bytes of a file have come.
    async fn settle_file(&mut self) -> Result<(), ImportError> {
        let Some(incoming) = self.incoming.take() else {
            return Ok(());
        };
        let (line, hash) = (incoming.number, incoming.hash);
        let announced = incoming.line.clone();
        let kept = incoming
            .keep(&self.store, &self.keeper, &self.options)
            .await?;
        let waiting = Waiting {
            line,
            kind: "media",
            id: hash.to_string(),
        };
        let mut record = from_lines::media(announced);
        record.name = record.name.as_deref().and_then(clean_name);
        match kept {
            Kept::As(content_type) => {
                record.content_type = content_type.unwrap_or(record.content_type);
                self.waiting.push(waiting);
                self.records.push(ImportRecord::Media(hash, record));
            }
            Kept::Refused(reason) => self.report.note(&waiting, Import::Conflict(reason)),
            Kept::Missing => self.report.tally("media").without_bytes += 1,
        }
        Ok(())
    }

    fn end(&mut self, end: &End) -> Result<(), ImportError> {
        let found = HEXLOWER.encode(&self.hash.clone().finalize());
        if end.sha256.as_ref().is_some_and(|said| *said != found) {
            return Err(self.wrong("sha256: the lines before are not those that were written"));
        }
        if let Some(counts) = &end.counts {
            let seen = self
                .seen
                .iter()
                .map(|(kind, count)| ((*kind).to_owned(), *count));
            if *counts != seen.collect() {
                return Err(self.wrong("counts: lines are missing or more than were written"));
            }
        }
        self.report.complete = true;
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), ImportError> {
        let (waiting, records) = (
            std::mem::take(&mut self.waiting),
            std::mem::take(&mut self.records),
        );
        self.bytes = 0;
        let Some((_, org)) = &self.organization else {
            return Ok(());
        };
        if records.is_empty() {
            return Ok(());
        }
        let outcomes = self
            .store
            .import(*org, &records, self.options.dry_run)
            .await?;
        for (waiting, outcome) in waiting.iter().zip(outcomes) {
            self.report.note(waiting, outcome);
        }
        Ok(())
    }
}

fn kind_of(line: &Line) -> &'static str {
    match line {
        Line::Header(_) => "header",
        Line::Organization(_) => "organization",
        Line::Contact(_) => "contact",
        Line::Thread(_) => "thread",
        Line::Media(_) => "media",
        Line::MediaChunk(_) => "media_chunk",
        Line::Message(_) => "message",
        Line::Consent(_) => "consent",
        Line::End(_) => "end",
    }
}
