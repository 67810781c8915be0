//! Writes everything, line by line.
//!
//! The export holds what was there when it began: contacts, threads and messages that come later are left out, by their
//! ids. What changes meanwhile (a status, a name) may show as it was or as it is.

use std::{collections::BTreeMap, io::Read as _};

use data_encoding::{BASE64, HEXLOWER};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{
    lines::{End, Header, Line, MediaChunk, Organization, Time, VERSION},
    to_lines,
};
use crate::{
    model::{MediaHash, MessageId, Millis, OrgId},
    store::{Store, StoreError},
};

/// Bytes of a file in one line.
pub(super) const CHUNK_BYTES: usize = 192 * 1024;

/// What is to be exported.
#[derive(Clone)]
pub struct Export {
    /// From where.
    pub store: Store,
    /// The organizations, in order.
    pub organizations: Vec<(String, OrgId)>,
    /// Only messages from this time on.
    pub since_ms: Option<Millis>,
    /// With the bytes of files.
    pub media: bool,
}

/// Why an export ended early.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A record can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nobody takes the lines any more.
    #[error("the export was broken off")]
    Closed,
    /// A line can't be written as JSON.
    #[error("a record can't be written: {0}")]
    Json(#[from] serde_json::Error),
}

/// Counts and hashes what it hands on.
struct Writer<W> {
    out: W,
    hash: Sha256,
    counts: BTreeMap<String, u64>,
}

impl<W: FnMut(Vec<u8>) -> Result<(), ExportError>> Writer<W> {
    fn line(&mut self, kind: &str, line: &impl Serialize) -> Result<(), ExportError> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        self.hash.update(&bytes);
        *self.counts.entry(kind.to_owned()).or_default() += 1;
        (self.out)(bytes)
    }
}

impl Export {
    /// Writes all lines, each with its line break. Blocks.
    ///
    /// # Errors
    /// The first that `out` gives, or the store. What was written then lacks its end line.
    pub fn write(
        &self,
        out: impl FnMut(Vec<u8>) -> Result<(), ExportError>,
    ) -> Result<(), ExportError> {
        let mut writer = Writer {
            out,
            hash: Sha256::new(),
            counts: BTreeMap::new(),
        };
        let until = *self.store.new_id().as_bytes();
        let slugs = self.organizations.iter().map(|(slug, _)| slug.clone());
        let header = Header {
            version: VERSION,
            written_by: Some(format!("trunkline {}", env!("CARGO_PKG_VERSION"))),
            exported_at: Some(Time(self.store.now())),
            position: Some(self.store.engine().position().0),
            organizations: slugs.collect(),
            since: self.since_ms.map(Time),
            media: self.media,
        };
        writer.line("header", &Line::Header(header))?;
        for (slug, org) in &self.organizations {
            let organization = slug.clone();
            let line = Line::Organization(Organization { organization });
            writer.line("organization", &line)?;
            self.people(&mut writer, slug, *org, &until)?;
            self.files(&mut writer, slug, *org)?;
            self.messages(&mut writer, slug, *org, &until)?;
            for entry in self.store.every_consent(*org) {
                let line = Line::Consent(to_lines::consent(slug, entry?));
                writer.line("consent", &line)?;
            }
        }
        let end = End {
            counts: Some(writer.counts.clone()),
            sha256: Some(HEXLOWER.encode(&writer.hash.clone().finalize())),
        };
        writer.line("end", &Line::End(end))
    }

    fn people<W: FnMut(Vec<u8>) -> Result<(), ExportError>>(
        &self,
        writer: &mut Writer<W>,
        slug: &str,
        org: OrgId,
        until: &[u8; 16],
    ) -> Result<(), ExportError> {
        for contact in self.store.every_contact(org) {
            let contact = contact?;
            if contact.id.as_bytes() > until {
                break;
            }
            let is_whole = contact.merged_into.is_none();
            let mut homes = BTreeMap::new();
            for known in contact.identities.iter().filter(|_| is_whole) {
                if let Some(home) = self.store.home_of(org, &known.identity)? {
                    homes.insert(known.identity.clone(), home);
                }
            }
            let line =
                to_lines::contact(slug, contact, |known| homes.get(&known.identity).copied());
            writer.line("contact", &Line::Contact(line))?;
        }
        for thread in self.store.every_thread(org) {
            let thread = thread?;
            if thread.id.as_bytes() > until {
                break;
            }
            writer.line("thread", &Line::Thread(to_lines::thread(slug, thread)))?;
        }
        Ok(())
    }

    fn files<W: FnMut(Vec<u8>) -> Result<(), ExportError>>(
        &self,
        writer: &mut Writer<W>,
        slug: &str,
        org: OrgId,
    ) -> Result<(), ExportError> {
        for found in self.store.every_media(org) {
            let (hash, record) = found?;
            let size = record.size;
            writer.line("media", &Line::Media(to_lines::media(slug, &hash, record)))?;
            if self.media {
                self.bytes(writer, &hash, size)?;
            }
        }
        Ok(())
    }

    /// The bytes of a file; none where it can't be read, which the reader sees by what is missing.
    fn bytes<W: FnMut(Vec<u8>) -> Result<(), ExportError>>(
        &self,
        writer: &mut Writer<W>,
        hash: &MediaHash,
        size: u64,
    ) -> Result<(), ExportError> {
        let mut file = match self.store.media_files().open(hash, size) {
            Ok(file) => file,
            Err(error) => {
                tracing::warn!(event = "export_file_missing", %hash, %error, "a file can't be exported");
                return Ok(());
            }
        };
        let mut offset = 0;
        loop {
            let mut chunk = Vec::new();
            let read = (&mut file).take(CHUNK_BYTES as u64).read_to_end(&mut chunk);
            if let Err(error) = read {
                tracing::warn!(event = "export_file_missing", %hash, %error, "a file can't be exported");
                return Ok(());
            }
            if chunk.is_empty() {
                return Ok(());
            }
            let line = Line::MediaChunk(MediaChunk {
                sha256: hash.to_string(),
                offset,
                data: BASE64.encode(&chunk),
            });
            offset += chunk.len() as u64;
            writer.line("media_chunk", &line)?;
        }
    }

    fn messages<W: FnMut(Vec<u8>) -> Result<(), ExportError>>(
        &self,
        writer: &mut Writer<W>,
        slug: &str,
        org: OrgId,
        until: &[u8; 16],
    ) -> Result<(), ExportError> {
        let mut after = self.since_ms.map(before);
        loop {
            let messages = self.store.messages_after(org, after)?;
            let Some(last) = messages.last() else {
                return Ok(());
            };
            after = Some(last.id);
            for message in messages {
                if message.id.as_bytes() > until {
                    return Ok(());
                }
                let line = Line::Message(Box::new(to_lines::message(slug, message)));
                writer.line("message", &line)?;
            }
        }
    }
}

/// An id before those of all messages of a time.
fn before(at_ms: Millis) -> MessageId {
    let mut bytes = [0; 16];
    let at = u64::try_from(at_ms).unwrap_or(0).to_be_bytes();
    bytes[..6].copy_from_slice(&at[2..]);
    MessageId::from_bytes(bytes)
}
