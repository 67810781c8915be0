//! Latency at a steady rate, counted from the time each request was due.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::baseline::Baseline;
use super::latency::ms;
use super::options::Options;
use super::setup;
use super::traffic::{Pace, drive};
use crate::daemon::Daemon;

/// The p99 to stay under.
const TARGET: Duration = Duration::from_millis(5);

/// Runs the open loop against both servers.
pub async fn measure(options: &Options) -> Result<()> {
    println!(
        "open loop: {} requests/s, latency from the scheduled time",
        options.rate
    );
    let daemon = Daemon::start(setup::config()).await;
    let mut source = setup::source(&daemon, options);
    let baseline = Baseline::start()?;
    let length = Duration::from_secs(u64::from(options.seconds).div_ceil(2));
    let count = options.rate as usize * usize::try_from(length.as_secs())?;
    let connections = options.connections;
    let short = Pace::Open(options.rate, Duration::from_secs(2));
    let empty = drive(baseline.address(), connections, source.batch(count), short).await;
    let warm_up = drive(daemon.public(), connections, source.batch(count), short).await;
    let pace = Pace::Open(options.rate, length);
    let ours = drive(daemon.public(), connections, source.batch(count), pace).await;
    println!("  empty handler   {}", empty.latencies);
    println!(
        "  trunkline       {}   ({} answered)",
        ours.latencies,
        ours.latencies.count()
    );
    let p99 = ours.latencies.at(990);
    let word = if p99 < TARGET { "under" } else { "OVER" };
    println!("  p99 {} is {word} the target of {}", ms(p99), ms(TARGET));
    ensure!(
        ours.failed.is_empty() && warm_up.failed.is_empty(),
        "requests failed"
    );
    Ok(())
}
