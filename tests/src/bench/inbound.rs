//! Durable acknowledged inbound against the empty handler, closed loop.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::baseline::Baseline;
use super::latency::{Latencies, count, ms, rate};
use super::options::Options;
use super::setup;
use super::traffic::{Pace, Run, Source, drive};
use crate::daemon::Daemon;

/// Senders whose timelines are read back in full after the run.
const SENDERS_CHECKED: u64 = 200;

/// One server's part.
struct Side {
    name: &'static str,
    source: Source,
    /// Requests to have ready for a second of load; learnt from the slice before.
    expected_per_second: u32,
    answered: usize,
    failed: Vec<u64>,
    /// Numbers that went out, one range a slice: what was made and not sent leaves gaps.
    sent: Vec<Range<u64>>,
    elapsed: Duration,
    slices: Vec<u32>,
    latencies: Latencies,
}

impl Side {
    fn new(name: &'static str, source: Source, expected_per_second: u32) -> Self {
        Self {
            name,
            source,
            expected_per_second,
            answered: 0,
            failed: Vec::new(),
            sent: Vec::new(),
            elapsed: Duration::ZERO,
            slices: Vec::new(),
            latencies: Latencies::default(),
        }
    }

    async fn slice(&mut self, address: std::net::SocketAddr, connections: u32, length: Duration) {
        // Half as many again, so that a faster slice does not run dry.
        let batch = self
            .source
            .batch(count(self.expected_per_second, length * 3 / 2));
        let run = drive(address, connections, batch, Pace::Closed(length)).await;
        self.note(run);
    }

    fn note(&mut self, run: Run) {
        self.expected_per_second = run.per_second().max(1_000);
        self.slices.push(run.per_second());
        self.answered += run.latencies.count();
        self.elapsed += run.elapsed;
        self.sent.push(run.sent);
        self.failed.extend(run.failed);
        self.latencies = std::mem::take(&mut self.latencies).join(run.latencies);
    }

    fn per_second(&self) -> u32 {
        rate(self.answered, self.elapsed)
    }

    fn print(&self) {
        let slices: Vec<_> = self.slices.iter().map(ToString::to_string).collect();
        println!(
            "  {:<16}{:>9} requests/s  p50 {:>9}  p99 {:>9}   ({} answered, {} failed; slices {})",
            self.name,
            self.per_second(),
            ms(self.latencies.at(500)),
            ms(self.latencies.at(990)),
            self.answered,
            self.failed.len(),
            slices.join(" "),
        );
    }
}

/// Runs both in turns, prints the ratio, and reads a sample back.
pub async fn measure(options: &Options) -> Result<()> {
    println!(
        "inbound: {} connections, closed loop, every request unique and signed, {} senders",
        options.connections, options.senders
    );
    let baseline = Baseline::start().context("can't start the empty handler")?;
    let daemon = Daemon::start(setup::config()).await;
    let source = setup::source(&daemon, options);
    let mut empty = Side::new("empty handler", source.clone(), 80_000);
    let mut ours = Side::new("trunkline", source, 30_000);
    for _ in 0..options.slices {
        empty
            .slice(
                baseline.address(),
                options.connections,
                options.baseline_slice(),
            )
            .await;
        ours.slice(daemon.public(), options.connections, options.slice())
            .await;
    }
    empty
        .slice(
            baseline.address(),
            options.connections,
            options.baseline_slice(),
        )
        .await;
    empty.print();
    ours.print();
    println!(
        "  ratio           {:>9.3}",
        f64::from(ours.per_second()) / f64::from(empty.per_second())
    );
    ensure!(
        ours.failed.is_empty(),
        "{} requests were not acknowledged",
        ours.failed.len()
    );
    let counted = daemon
        .api()
        .metric("trunkline_messages_received_total")
        .await;
    ensure!(
        counted == ours.answered as u64,
        "{} answered, but {counted} counted as stored",
        ours.answered
    );
    let checked = read_back(&daemon, &ours, options).await?;
    println!(
        "  read back       {checked:>9} of {counted} stored messages: a sample of senders, each message exactly once"
    );
    let (now, peak) = setup::resident_mib(daemon.pid())?;
    println!("  memory          {now:>9} MiB after the run, {peak} MiB at most");
    Ok(())
}

/// Reads the timelines of some senders and compares them with what was sent; gives the count.
async fn read_back(daemon: &Daemon, side: &Side, options: &Options) -> Result<usize> {
    let api = daemon.api();
    let step = (options.senders / SENDERS_CHECKED).max(1);
    let mut checked = 0;
    for number in (0..options.senders).step_by(usize::try_from(step)?) {
        let sender = side.source.sender(number);
        let shown = api.timeline(&sender).await;
        let ids: BTreeSet<_> = shown
            .iter()
            .filter_map(|m| m["external_id"].as_str())
            .collect();
        ensure!(ids.len() == shown.len(), "{sender} has a message twice");
        let numbers = side.sent.iter().cloned().flatten();
        let own = numbers.filter(|sent| sent % options.senders == number);
        let sent: BTreeSet<_> = own.map(Source::sid).collect();
        let missing = sent
            .iter()
            .filter(|sid| !ids.contains(sid.as_str()))
            .count();
        ensure!(
            missing == 0,
            "{missing} acknowledged messages of {sender} are not in the timeline"
        );
        ensure!(
            sent.len() == shown.len(),
            "{sender} has messages that were never sent"
        );
        checked += shown.len();
    }
    Ok(checked)
}
