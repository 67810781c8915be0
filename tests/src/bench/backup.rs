//! A backup of many messages while others come in: what it costs them, and whether what is restored elsewhere is the
//! source at its moment, record by record.
//!
//! ```text
//! source, stopped after the load ── store verify ─────────────────────────────────┐ equal
//! backup ─ restore ─> elsewhere ── store verify ──┐ equal                         │
//!            its snapshot alone ── store verify ──┘ ─ and the source's own log ─ store verify
//! ```

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::latency::{Latencies, ms};
use super::options::Options;
use super::traffic::{Pace, Source, drive};
use super::{memory, setup};
use crate::daemon::{Daemon, trunkline};

/// Webhooks a second meanwhile.
const RATE: u32 = 500;
/// Length of one slice of load.
const SLICE: Duration = Duration::from_secs(5);
/// Slices without a backup, before it and after it each.
const QUIET_SLICES: u32 = 3;

/// Backs up under load, restores elsewhere, compares, and prints it all.
pub async fn measure(options: &Options) -> Result<()> {
    println!(
        "backup: {} messages stored, {RATE} webhooks/s meanwhile",
        options.messages
    );
    let mut daemon = Daemon::start(setup::config()).await;
    let mut source = setup::source(&daemon, options);
    memory::store(&daemon, &mut source, options).await?;
    let mut load = Load {
        daemon: &daemon,
        source: &mut source,
        connections: options.connections,
        highest_mib: 0,
    };
    let mut without = load.quiet().await?;
    let before_mib = setup::resident_mib(daemon.pid())?.0;
    load.highest_mib = 0;
    let file = daemon.file("backup.tar");
    let started = Instant::now();
    let (made, with) = load.during(&file).await?;
    let took = started.elapsed();
    let highest_mib = load.highest_mib;
    without = without.join(load.quiet().await?);
    let bytes = made["bytes"].as_u64().context("bytes")?;
    let mib_per_second = (u128::from(bytes) * 1_000 / took.as_millis().max(1)) >> 20;
    println!(
        "  backup          {:>9.1} s, {} MiB, {mib_per_second} MiB/s, proof by reading it back included",
        took.as_secs_f64(),
        bytes >> 20
    );
    println!("  without it      {without}");
    println!("  during it       {with}   ({} answered)", with.count());
    let ratio = with.at(990).as_secs_f64() / without.at(990).as_secs_f64();
    println!(
        "  p99             {ratio:>9.2} times: {} against {}",
        ms(with.at(990)),
        ms(without.at(990))
    );
    println!("  memory          {before_mib:>9} MiB before, {highest_mib} MiB at most during it");
    let status = daemon.terminate().await;
    ensure!(status.success(), "the daemon ended with {status}");
    compare(&daemon, &file, &made).await
}

/// A steady load on a daemon.
struct Load<'a> {
    daemon: &'a Daemon,
    source: &'a mut Source,
    connections: u32,
    highest_mib: u64,
}

impl Load<'_> {
    async fn slice(&mut self) -> Result<Latencies> {
        let count = RATE as usize * usize::try_from(SLICE.as_secs())?;
        let batch = self.source.batch(count);
        let pace = Pace::Open(RATE, SLICE);
        let run = drive(self.daemon.public(), self.connections, batch, pace).await;
        let now = setup::resident_mib(self.daemon.pid())?.0;
        self.highest_mib = self.highest_mib.max(now);
        let failed = run.failed.len();
        ensure!(failed == 0, "{failed} requests were not acknowledged");
        Ok(run.latencies)
    }

    async fn quiet(&mut self) -> Result<Latencies> {
        let mut all = Latencies::default();
        for _ in 0..QUIET_SLICES {
            all = all.join(self.slice().await?);
        }
        Ok(all)
    }

    /// Goes on until the backup is made; what the command printed, and the latencies meanwhile.
    async fn during(&mut self, file: &Path) -> Result<(Value, Latencies)> {
        let daemon = self.daemon;
        let name = text(file)?;
        let backup = async { daemon.cli(&["backup", name, "--json"]).await };
        tokio::pin!(backup);
        let mut all = Latencies::default();
        loop {
            let slice = self.slice();
            tokio::pin!(slice);
            tokio::select! {
                made = &mut backup => {
                    // The slice that it ended in is all the same one of its own.
                    all = all.join(slice.await?);
                    ensure!(made.code == 0, "the backup failed: {made:?}");
                    return Ok((made.json(), all));
                }
                latencies = &mut slice => all = all.join(latencies?),
            }
        }
    }
}

async fn compare(daemon: &Daemon, file: &Path, made: &Value) -> Result<()> {
    let copy = daemon.file("elsewhere");
    let started = Instant::now();
    let args = [
        "restore",
        text(file)?,
        "--to",
        text(&copy)?,
        "--resume-sends",
        "--json",
    ];
    let restored = trunkline(&args).await;
    ensure!(restored.code == 0, "the restore failed: {restored:?}");
    println!(
        "  restore         {:>9.1} s, opened and proved",
        started.elapsed().as_secs_f64()
    );
    let source = look(&daemon.store()).await?;
    let elsewhere = look(&copy).await?;
    // What the restore made of the snapshot goes; the snapshot alone is the moment.
    let position = made["position"].as_u64().context("a position")?;
    for name in ["log", "index", "checkpoint"] {
        remove_those(&copy, name)?;
    }
    fs::create_dir(copy.join("log"))?;
    let moment = look(&copy).await?;
    ensure!(
        moment["position"] == position,
        "the snapshot is of another commit"
    );
    let equal = moment["digest"] == elsewhere["digest"];
    println!(
        "  restored store  {:>9} records, {} as the moment (commit {position})",
        moment["records"],
        word(equal)
    );
    ensure!(equal, "what was restored is not the moment");
    // The source's own log takes it from the moment to where the source is.
    remove_those(&copy, "log")?;
    fs::create_dir(copy.join("log"))?;
    for segment in fs::read_dir(daemon.store().join("log"))? {
        let segment = segment?;
        fs::copy(segment.path(), copy.join("log").join(segment.file_name()))?;
    }
    let replayed = look(&copy).await?;
    let equal = replayed["digest"] == source["digest"] && replayed["kinds"] == source["kinds"];
    println!(
        "  with the log    {:>9} records, {} as the source (commit {})",
        replayed["records"],
        word(equal),
        source["position"]
    );
    ensure!(equal, "the moment and the log behind it are not the source");
    Ok(())
}

fn word(equal: bool) -> &'static str {
    if equal { "the same" } else { "NOT THE SAME" }
}

fn remove_those(store: &Path, prefix: &str) -> Result<()> {
    for entry in fs::read_dir(store)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if !name.is_some_and(|name| name.starts_with(prefix)) {
            continue;
        }
        if path.is_dir() {
            fs::remove_dir_all(path)?;
        } else {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

async fn look(store: &Path) -> Result<Value> {
    let found = trunkline(&["store", "verify", text(store)?, "--json"]).await;
    ensure!(found.code == 0, "the store is not sound: {found:?}");
    Ok(found.json())
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("the path is not text")
}
