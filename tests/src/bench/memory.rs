//! Resident memory with many messages stored, and what a restart on them costs.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::latency::rate;
use super::options::Options;
use super::setup;
use super::traffic::{Pace, Source, drive};
use crate::daemon::Daemon;

/// Requests made ready at a time.
const BATCH: u64 = 200_000;

/// Stores the messages and prints memory, disk and restart time.
pub async fn measure(options: &Options) -> Result<()> {
    let mut daemon = Daemon::start(setup::config()).await;
    let mut source = setup::source(&daemon, options);
    let (empty, _) = setup::resident_mib(daemon.pid())?;
    println!(
        "memory: {} messages stored, default cache",
        options.messages
    );
    let started = Instant::now();
    let stored = store(&daemon, &mut source, options).await?;
    let per_second = rate(usize::try_from(stored)?, started.elapsed());
    let (now, peak) = setup::resident_mib(daemon.pid())?;
    println!("  stored          {stored:>9} at {per_second}/s, making the requests included");
    println!("  memory          {empty:>9} MiB empty, {now} MiB after, {peak} MiB at most");
    println!(
        "  on disk         {:>9} bytes a message",
        bytes_in(&daemon.store())? / stored.max(1)
    );
    let status = daemon.terminate().await;
    ensure!(status.success(), "the daemon ended with {status}");
    let started = Instant::now();
    daemon.launch().await;
    println!(
        "  start on them   {:>9} ms to ready",
        started.elapsed().as_millis()
    );
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (now, peak) = setup::resident_mib(daemon.pid())?;
    println!("  memory then     {now:>9} MiB, {peak} MiB at most");
    Ok(())
}

/// Stores the messages; how many there are.
pub(super) async fn store(daemon: &Daemon, source: &mut Source, options: &Options) -> Result<u64> {
    let mut stored = 0_u64;
    while stored < options.messages {
        let batch = source.batch(usize::try_from(BATCH.min(options.messages - stored))?);
        let whole = Pace::Closed(Duration::from_secs(3_600));
        let run = drive(daemon.public(), options.connections, batch, whole).await;
        ensure!(
            run.failed.is_empty(),
            "{} requests were not acknowledged",
            run.failed.len()
        );
        stored += run.latencies.count() as u64;
    }
    Ok(stored)
}

/// Bytes that the files under a folder take on disk.
fn bytes_in(folder: &Path) -> Result<u64> {
    use std::os::unix::fs::MetadataExt as _;
    let mut total = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        total += if meta.is_dir() {
            bytes_in(&entry.path())?
        } else {
            meta.blocks() * 512
        };
    }
    Ok(total)
}
