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
    let len = file.metadata().map_err(|error| unreadable(&error))?.len();
    if range.offset > len {
        return Err(gone("the kept webhook ends before the attachment begins"));
    }
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

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use data_encoding::BASE64;
    use trunkline_plugin_api::MediaEncoding;

    use super::*;
    use crate::{
        model::{ChannelId, MessageId, WebhookEvent},
        store::{ClosedPolicy, EngineOptions, Inbound},
    };

    /// A store with one webhook, its body in a file or in the record; and the job of an attachment.
    async fn kept(
        folder: &std::path::Path,
        body: &[u8],
        in_file: bool,
    ) -> (Store, OrgId, MediaJob) {
        let (store, _) = Store::open(folder, EngineOptions::default()).unwrap();
        let org = store.organization("default").await.unwrap();
        let raw_file = in_file.then(|| store.files().keep(body).unwrap());
        let record = WebhookEvent {
            raw_body: if in_file { Vec::new() } else { body.to_vec() },
            raw_file,
            ..WebhookEvent::new(store.new_event_id(), ChannelId::new("mail"), 1, "POST")
        };
        let job = MediaJob {
            message: MessageId::from_bytes([0; 16]),
            receiver: record.channel.clone(),
            event: record.id,
            attempts: 0,
            since_ms: 1,
            due_ms: 1,
        };
        let inbound = Inbound {
            org,
            record,
            events: Vec::new(),
            policy: ClosedPolicy::Reopen,
            began: Instant::now(),
            is_replay: false,
        };
        store.commit_inbound(inbound).await.unwrap();
        (store, org, job)
    }

    fn range(offset: usize, len: usize, encoding: MediaEncoding) -> MediaRange {
        MediaRange {
            part: 1,
            offset: offset as u64,
            len: len as u64,
            encoding,
        }
    }

    #[tokio::test]
    async fn a_stretch_of_the_kept_body_becomes_a_file() {
        for (len, in_file) in [(200_000, true), (9_000, false)] {
            check(len, in_file).await;
        }
    }

    async fn check(len: u32, in_file: bool) {
        let plain: Vec<u8> = (0..len).map(|at| at.to_le_bytes()[1]).collect();
        let lines: Vec<u8> = BASE64.encode(&plain).into_bytes();
        let lines: Vec<u8> = lines
            .chunks(76)
            .flat_map(|line| [line, b"\r\n"].concat())
            .collect();
        let body = [b"head\r\n\r\n", &lines[..], b"--end--"].concat();
        let folder = tempfile::tempdir().unwrap();
        let (store, org, job) = kept(folder.path(), &body, in_file).await;
        let inside = range(8, lines.len(), MediaEncoding::Base64);
        let written = extract(&store, org, &job, inside, 1 << 20).unwrap();
        assert_eq!(written.size, u64::from(len));
        store.media_files().keep(&written, None).unwrap();
        let mut read = Vec::new();
        let mut file = store
            .media_files()
            .open(&written.hash, written.size)
            .unwrap();
        file.read_to_end(&mut read).unwrap();
        assert!(read == plain, "the same bytes");

        let code = |range, max| extract(&store, org, &job, range, max).err().unwrap().code;
        assert_eq!(code(inside, 1000), "media_too_large");
        let beyond = range(8, body.len(), MediaEncoding::Identity);
        assert_eq!(code(beyond, 1 << 20), "media_unavailable");
        let far = range(usize::MAX >> 1, 1, MediaEncoding::Identity);
        assert_eq!(code(far, 1 << 20), "media_unavailable");
        let other = store.organization("other").await.unwrap();
        let theirs = extract(&store, other, &job, inside, 1 << 20).err().unwrap();
        assert_eq!(
            theirs.code, "media_unavailable",
            "another organization has no such webhook"
        );
    }
}
