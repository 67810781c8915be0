//! A backup of everything, streamed while the daemon works.

use std::{
    io::{self, Write},
    thread,
    time::Duration,
};

use actix_web::{HttpResponse, http::StatusCode, http::header, web, web::Bytes};
use futures_util::stream;
use tokio::{runtime::Handle, sync::mpsc, time::timeout};
use tracing::{error, info};

use crate::{
    gateway::Gateway,
    model::Role,
    store::Backup,
    web::{auth::Caller, problem::Problem},
};

/// Bytes handed over at once.
const CHUNK_BYTES: usize = 256 * 1024;
/// Chunks that wait for whoever reads.
const CHUNKS_WAITING: usize = 4;
/// Whoever reads nothing for so long is given up, since the log grows meanwhile.
const STALL_MAX: Duration = Duration::from_secs(300);
/// How long the end of one that failed waits for whoever reads.
const FAREWELL: Duration = Duration::from_secs(5);

/// Answers with a backup. One at a time; what ends early is cut off within the answer, and the file without its index.
pub(super) async fn stream(
    gateway: web::Data<Gateway>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    caller.must_be(Role::Owner)?;
    caller.must_see_all()?;
    let Some(backup) = gateway.store.begin_backup() else {
        let detail =
            "another backup is being made, or the store is being compacted; wait for its end";
        return Err(Problem::new(StatusCode::CONFLICT, "backup_running", detail));
    };
    info!(event = "backup_begun", by = %caller.name, "backup begun");
    let (chunks, ready) = mpsc::channel(CHUNKS_WAITING);
    let writer = ChunkWriter {
        chunks,
        buffer: Vec::with_capacity(CHUNK_BYTES),
        handle: Handle::current(),
    };
    let spawned = thread::Builder::new()
        .name("backup".to_owned())
        .spawn(move || write(backup, writer));
    spawned.map_err(|error| {
        let detail = format!("no thread for the backup: {error}");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail)
    })?;
    let body = stream::unfold(ready, |mut ready| async move {
        let chunk: io::Result<Bytes> = ready.recv().await?;
        Some((chunk, ready))
    });
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "application/x-tar"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .streaming(body))
}

fn write(backup: Backup, mut out: ChunkWriter) {
    match backup.write(&mut out) {
        Ok(written) => info!(
            event = "backup_made",
            position = written.moment.position,
            bytes = written.bytes,
            files = written.files,
            missing = written.missing,
            "backup made"
        ),
        Err(problem) => {
            error!(event = "backup_not_finished", error = %problem, "the backup was not finished");
            // Who reads learns of it by an answer that is cut off.
            out.fail(io::Error::other(problem.to_string()));
        }
    }
}

/// Hands bytes to the answer of a request, and waits where whoever reads is slow.
struct ChunkWriter {
    chunks: mpsc::Sender<io::Result<Bytes>>,
    buffer: Vec<u8>,
    handle: Handle,
}

impl ChunkWriter {
    fn send(&mut self) -> io::Result<()> {
        let chunk = std::mem::replace(&mut self.buffer, Vec::with_capacity(CHUNK_BYTES));
        let sent = self.chunks.send(Ok(Bytes::from(chunk)));
        match self
            .handle
            .block_on(async { timeout(STALL_MAX, sent).await })
        {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(io::Error::new(
                io::ErrorKind::BrokenPipe,
                "whoever asked for it is gone",
            )),
            Err(_) => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("whoever asked for it has read nothing for {STALL_MAX:?}"),
            )),
        }
    }

    fn fail(&mut self, error: io::Error) {
        // Nobody may be there any more, and who does not read will find no index.
        let sent = self.chunks.send(Err(error));
        let _ = self
            .handle
            .block_on(async { timeout(FAREWELL, sent).await });
    }
}

impl Write for ChunkWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(CHUNK_BYTES - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..taken]);
        if self.buffer.len() == CHUNK_BYTES {
            self.send()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        self.send()
    }
}
