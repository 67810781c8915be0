//! Everything out as JSON lines, and in again; and what the store is.

use std::time::Duration;

use actix_web::{
    HttpResponse,
    http::header,
    web::{self, Bytes},
};
use futures_util::{StreamExt as _, stream};
use serde::Deserialize;
use tokio::{runtime::Handle, sync::mpsc, time::timeout};

use crate::{
    exchange::{Export, ExportError, ImportError, ImportOptions, Importer},
    gateway::Gateway,
    model::{Millis, OrgId, Role},
    store::StoreError,
    web::{auth::Caller, problem::Problem, public},
};

/// Bytes that are handed to the connection at once.
const CHUNK_BYTES: usize = 64 * 1024;
/// Chunks that wait for the connection.
const CHUNKS_WAITING: usize = 8;
/// Whoever reads nothing for so long is given up, since a thread waits meanwhile.
pub(super) const STALL_MAX: Duration = Duration::from_secs(300);
/// How long the end of one that failed waits for whoever reads.
pub(super) const FAREWELL: Duration = Duration::from_secs(5);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExportQuery {
    /// Only this organization.
    organization: Option<String>,
    /// Only messages from this time on.
    since: Option<String>,
    /// With the bytes of files.
    #[serde(default)]
    media: bool,
}

pub(super) async fn export(
    gateway: web::Data<Gateway>,
    caller: Caller,
    query: web::Query<ExportQuery>,
) -> Result<HttpResponse, Problem> {
    caller.must_be(Role::Owner)?;
    let export = Export {
        store: gateway.store.clone(),
        organizations: organizations(&gateway, &caller, query.organization.as_deref())?,
        since_ms: query.since.as_deref().map(time).transpose()?,
        media: query.media,
    };
    tracing::info!(event = "export_begun", by = %caller.name, organizations = export.organizations.len(), media = export.media, "export begun");
    let (sender, receiver) = mpsc::channel(CHUNKS_WAITING);
    // Runs until it is done, or nobody takes what it writes.
    let outlet = Outlet::new(sender);
    drop(tokio::task::spawn_blocking(move || write(&export, &outlet)));
    let lines = stream::unfold(receiver, async |mut receiver| {
        receiver.recv().await.map(|chunk| (chunk, receiver))
    });
    Ok(HttpResponse::Ok()
        .content_type("application/x-ndjson")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .streaming(lines))
}

type Chunk = Result<Bytes, ExportError>;

/// Where a thread that may block hands on what somebody reads.
pub(super) struct Outlet<T> {
    sender: mpsc::Sender<T>,
    handle: Handle,
}

impl<T> Outlet<T> {
    /// One whose time is kept by the runtime that this is called in.
    pub(super) fn new(sender: mpsc::Sender<T>) -> Self {
        let handle = Handle::current();
        Self { sender, handle }
    }

    /// Hands one on. False where nobody reads any more, or nothing was read for `wait`.
    pub(super) fn send(&self, one: T, wait: Duration) -> bool {
        let sent = self.sender.send(one);
        let sent = self.handle.block_on(async { timeout(wait, sent).await });
        matches!(sent, Ok(Ok(())))
    }
}

fn write(export: &Export, outlet: &Outlet<Chunk>) {
    let mut buffer = Vec::with_capacity(CHUNK_BYTES);
    let hand_on = |bytes: Vec<u8>| {
        let sent = outlet.send(Ok(Bytes::from(bytes)), STALL_MAX);
        sent.then_some(()).ok_or(ExportError::Closed)
    };
    let written = export.write(|line| {
        buffer.extend_from_slice(&line);
        if buffer.len() >= CHUNK_BYTES {
            return hand_on(std::mem::take(&mut buffer));
        }
        Ok(())
    });
    match written.and_then(|()| hand_on(buffer)) {
        Ok(()) => tracing::info!(event = "export_ended", "export ended"),
        Err(error) => {
            tracing::warn!(event = "export_broke_off", %error, "an export was not finished");
            // The connection is broken off, so that nobody takes it for whole.
            outlet.send(Err(error), FAREWELL);
        }
    }
}

fn organizations(
    gateway: &Gateway,
    caller: &Caller,
    only: Option<&str>,
) -> Result<Vec<(String, OrgId)>, Problem> {
    let mut known = gateway.store.organizations();
    known.retain(|(slug, _)| caller.sees(slug) && only.is_none_or(|only| only == slug));
    known.sort_by_key(|(_, org)| *org);
    match (known.is_empty(), only) {
        (true, Some(_)) => Err(Problem::not_found("organization")),
        _ => Ok(known),
    }
}

fn time(text: &str) -> Result<Millis, Problem> {
    let at: Result<jiff::Timestamp, _> = text.parse();
    let at =
        at.map_err(|_| Problem::invalid("\"since\" must be a time such as 2026-11-21T09:30:00Z"))?;
    Ok(at.as_millisecond())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ImportQuery {
    /// The organization that the file's becomes.
    organization: Option<String>,
    /// Only says what would happen.
    #[serde(default)]
    dry_run: bool,
}

pub(super) async fn import(
    gateway: web::Data<Gateway>,
    caller: Caller,
    query: web::Query<ImportQuery>,
    mut payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    caller.must_be(Role::Owner)?;
    let options = ImportOptions {
        organization: query.organization.clone(),
        only: caller.organization.clone(),
        dry_run: query.dry_run,
    };
    tracing::info!(event = "import_begun", by = %caller.name, dry_run = options.dry_run, "import begun");
    let importer = Importer::new(gateway.store.clone(), gateway.keeper.clone(), options);
    match take(importer, &mut payload).await {
        Ok(report) => {
            tracing::info!(
                event = "import_ended",
                lines = report.lines,
                conflicts = report.conflicts_total,
                complete = report.complete,
                "import ended"
            );
            Ok(HttpResponse::Ok().json(report))
        }
        Err(problem) => {
            tracing::warn!(event = "import_broke_off", reason = %problem, "an import was not finished");
            public::drain(&mut payload).await;
            Err(problem)
        }
    }
}

async fn take(
    mut importer: Importer,
    payload: &mut web::Payload,
) -> Result<crate::exchange::ImportReport, Problem> {
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Problem::invalid("the import was cut off"))?;
        importer.push(&chunk).await?;
    }
    Ok(importer.finish().await?)
}

impl From<ImportError> for Problem {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Line { .. } => Self::invalid(format!(
                "{error}. What stands before it is imported; mend the file and import it again, \
                 what is here already is passed over"
            )),
            ImportError::Store(error) => error.into(),
            ImportError::File(_) => StoreError::Failed(error.to_string()).into(),
        }
    }
}
