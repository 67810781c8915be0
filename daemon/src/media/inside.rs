//! Attachments inside a webhook's own body: a stretch of the body as it was kept, decoded into a file.

use std::io::{self, Read, Seek as _, SeekFrom};

use trunkline_plugin_api::{AdapterError, ErrorClass, MediaRange};

use super::{Refusal, decode::Decoder};
use crate::{
    model::{MediaJob, OrgId},
    store::{Store, Written},
};

/// Bytes of the body read at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// Writes the attachment into a file of at most `bytes_max` bytes. Blocks.
pub(super) fn extract(
    store: &Store,
    org: OrgId,
    job: &MediaJob,
    range: MediaRange,
    bytes_max: u64,
) -> Result<Written, AdapterError> {
    let mut body = open(store, org, job, range)?.take(range.len);
    let draft = store.media_files().begin(bytes_max);
    let mut draft = draft.map_err(|error| Refusal::from(error).into_error())?;
    let mut decoder = Decoder::new(range.encoding);
    let (mut chunk, mut plain) = (vec![0; CHUNK_BYTES], Vec::with_capacity(CHUNK_BYTES));
    let mut seen = 0;
    loop {
        let count = body.read(&mut chunk).map_err(|error| unreadable(&error))?;
        if count == 0 {
            break;
        }
        seen += count as u64;
        plain.clear();
        decoder.push(&chunk[..count], &mut plain);
        let written = draft.write(&plain);
        written.map_err(|error| Refusal::from(error).into_error())?;
    }
    if seen < range.len {
        return Err(gone("the kept webhook is shorter than the attachment says"));
    }
    Ok(draft.finish())
}

/// The kept body from where the attachment begins.
fn open(
    store: &Store,
    org: OrgId,
    job: &MediaJob,
    range: MediaRange,
) -> Result<Box<dyn Read>, AdapterError> {
    let event = store.webhook_event(org, &job.receiver, job.event);
    let event = event.map_err(|error| {
        AdapterError::new(ErrorClass::Transient, "media_store", error.to_string())
    })?;
    let event = event.ok_or_else(|| gone("the webhook that brought it is no longer kept"))?;
    let Some(name) = event.raw_file else {
        let start = usize::try_from(range.offset).unwrap_or(usize::MAX);
        let rest = event.raw_body.get(start..).unwrap_or_default().to_vec();
        return Ok(Box::new(io::Cursor::new(rest)));
    };
    let mut file = store
        .files()
        .open(&name)
        .map_err(|error| unreadable(&error))?;
    file.seek(SeekFrom::Start(range.offset))
        .map_err(|error| unreadable(&error))?;
    Ok(Box::new(file))
}

fn unreadable(error: &io::Error) -> AdapterError {
    if error.kind() == io::ErrorKind::NotFound {
        return gone("the body of the webhook that brought it is no longer kept");
    }
    let words = format!("the body of the webhook that brought it can't be read: {error}");
    AdapterError::new(ErrorClass::Transient, "media_store", words)
}

fn gone(words: &str) -> AdapterError {
    AdapterError::new(ErrorClass::Content, "media_unavailable", words)
}
