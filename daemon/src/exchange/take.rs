//! Taking bytes apart into lines, and lines into what they say; and putting the bytes of a file together.

use data_encoding::BASE64;
use serde::Deserialize;

use super::{
    export::CHUNK_BYTES,
    import::{ImportError, ImportOptions},
    lines::{Line, MediaChunk, MediaLine},
    locate::path_at,
};
use crate::{
    media::Keeper,
    model::MediaHash,
    store::{DraftWriter, Store},
};

/// The longest line that is read, in bytes.
pub(super) const LINE_BYTES_MAX: usize = 2 << 20;
/// The largest file that is taken, in bytes, where the configuration names no bound.
const FILE_BYTES_MAX: u64 = 4 << 30;

/// Cuts chunks of any length into lines.
#[derive(Default)]
pub(super) struct Splitter {
    rest: Vec<u8>,
    searched: usize,
}

impl Splitter {
    /// Adds bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
    }

    /// The next whole line, without its line break; none where more bytes are needed. False where it is longer than
    /// any line may be.
    pub(super) fn next(&mut self) -> Result<Option<Vec<u8>>, TooLong> {
        let unseen = &self.rest[self.searched..];
        let Some(end) = unseen.iter().position(|byte| *byte == b'\n') else {
            self.searched = self.rest.len();
            return if self.rest.len() > LINE_BYTES_MAX {
                Err(TooLong)
            } else {
                Ok(None)
            };
        };
        let end = self.searched + end;
        if end > LINE_BYTES_MAX {
            return Err(TooLong);
        }
        let rest = self.rest.split_off(end + 1);
        let mut line = std::mem::replace(&mut self.rest, rest);
        self.searched = 0;
        line.pop();
        Ok(Some(line))
    }

    /// What stands behind the last line break.
    pub(super) fn finish(&mut self) -> Option<Vec<u8>> {
        self.searched = 0;
        let rest = std::mem::take(&mut self.rest);
        Some(rest).filter(|rest| !rest.is_empty())
    }
}

/// A line is longer than [`LINE_BYTES_MAX`].
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// What a line says. The error names the field.
pub(super) fn parse(line: &[u8]) -> Result<Line, String> {
    #[derive(Deserialize)]
    struct Tag<'a> {
        #[serde(rename = "type")]
        kind: std::borrow::Cow<'a, str>,
    }
    let tag: Tag<'_> = read(line)?;
    Ok(match tag.kind.as_ref() {
        "header" => Line::Header(read(line)?),
        "organization" => Line::Organization(read(line)?),
        "contact" => Line::Contact(read(line)?),
        "thread" => Line::Thread(read(line)?),
        "media" => Line::Media(read(line)?),
        "media_chunk" => Line::MediaChunk(read(line)?),
        "message" => Line::Message(read(line)?),
        "consent" => Line::Consent(read(line)?),
        "end" => Line::End(read(line)?),
        other => {
            let shown: String = other.chars().filter(|c| !c.is_control()).take(40).collect();
            return Err(format!("type: \"{shown}\" is no type of line"));
        }
    })
}

fn read<'a, T: Deserialize<'a>>(line: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(line).map_err(|error| {
        // The words may quote what stands there: only their kind is told, and the place.
        let path = path_at(line, error.column().saturating_sub(1));
        let words = words_of(&error);
        match path.as_str() {
            "" => words,
            path => format!("{path}: {words}"),
        }
    })
}

/// What serde says, without the place and shortened.
fn words_of(error: &serde_json::Error) -> String {
    let words = error.to_string();
    let words = words.split(" at line ").next().unwrap_or_default();
    words
        .chars()
        .filter(|c| !c.is_control())
        .take(200)
        .collect()
}

/// A file that is being put together.
pub(super) struct Incoming {
    pub(super) line: MediaLine,
    pub(super) hash: MediaHash,
    pub(super) number: u64,
    draft: Option<DraftWriter>,
    written: u64,
}

impl Incoming {
    /// What the `media` line of a number announces.
    pub(super) fn new(line: MediaLine, number: u64) -> Result<Self, String> {
        let hash = line
            .sha256
            .parse()
            .map_err(|_| "sha256: no SHA-256 in lower-case hex")?;
        if line.size > FILE_BYTES_MAX {
            return Err(format!("size: more than {FILE_BYTES_MAX} bytes"));
        }
        Ok(Self {
            line,
            hash,
            number,
            draft: None,
            written: 0,
        })
    }

    /// Adds bytes.
    pub(super) async fn add(
        &mut self,
        store: &Store,
        chunk: &MediaChunk,
        number: u64,
    ) -> Result<(), ImportError> {
        let wrong = |words: &str| ImportError::Line {
            line: number,
            words: words.to_owned(),
        };
        if chunk.sha256 != self.line.sha256 {
            return Err(wrong(
                "sha256: it is not of the file of the media line before",
            ));
        }
        if chunk.offset != self.written {
            return Err(wrong("offset: it does not follow the bytes before"));
        }
        let bytes = BASE64
            .decode(chunk.data.as_bytes())
            .map_err(|_| wrong("data: no base64"))?;
        self.written += bytes.len() as u64;
        if bytes.len() > CHUNK_BYTES * 2 || self.written > self.line.size {
            return Err(wrong("data: more bytes than announced"));
        }
        let failed = |error: crate::store::DraftError| ImportError::File(error.to_string());
        // Also while it comes: a file may be larger than what was free when it began.
        store.engine().admit_new()?;
        if self.draft.is_none() {
            let begun = store.media_files().writer(self.line.size).await;
            self.draft = Some(begun.map_err(failed)?);
        }
        let Some(draft) = &mut self.draft else {
            return Ok(());
        };
        draft.write(&bytes).await.map_err(failed)
    }

    /// Keeps the file, if its bytes came.
    pub(super) async fn keep(
        self,
        store: &Store,
        keeper: &Keeper,
        options: &ImportOptions,
    ) -> Result<Kept, ImportError> {
        let Some(draft) = self.draft else {
            // Who may write to one organization only could name the files of another.
            let here = options.only.is_none()
                && store.media_files().open(&self.hash, self.line.size).is_ok();
            return Ok(if here { Kept::As(None) } else { Kept::Missing });
        };
        let written = draft.finish().await;
        let written = written.map_err(|error| ImportError::File(error.to_string()))?;
        if written.hash != self.hash || self.written != self.line.size {
            return Err(ImportError::Line {
                line: self.number,
                words: "sha256: the bytes that follow are not those of this file".into(),
            });
        }
        if options.dry_run {
            return Ok(Kept::As(None));
        }
        let declared = Some(self.line.content_type.as_str());
        let kept = keeper.keep(written, declared, self.line.name.as_deref());
        Ok(match kept.await {
            Ok(new) => Kept::As(Some(new.content_type)),
            Err(refusal) => Kept::Refused(refusal.to_string()),
        })
    }
}

/// What became of a file's bytes.
pub(super) enum Kept {
    /// They are here; with the type that they were found to have, where they came just now.
    As(Option<String>),
    /// They may not be kept.
    Refused(String),
    /// They did not come, and are not here.
    Missing,
}
