//! Start to ready on an empty store.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::latency::ms;
use super::setup;
use crate::daemon::Daemon;

/// Starts measured; the middle one counts.
const STARTS: usize = 5;

/// Prints the median, from the start of the process to the first 200 of `/readyz`.
pub async fn measure() -> Result<()> {
    let mut times: Vec<Duration> = Vec::with_capacity(STARTS);
    for _ in 0..STARTS {
        let mut daemon = Daemon::prepare(setup::config());
        let started = Instant::now();
        daemon.spawn();
        daemon.wait_ready().await;
        times.push(started.elapsed());
        daemon.terminate().await;
    }
    times.sort();
    println!("start to ready on an empty store");
    println!(
        "  median of {STARTS}     {:>9}   (slowest {})",
        ms(times[STARTS / 2]),
        ms(times[STARTS - 1])
    );
    Ok(())
}
