//! The paths beside the main one: duplicates, and reloads under load.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::latency::ms;
use super::options::Options;
use super::setup;
use super::traffic::{Batch, Pace, drive};
use crate::config::Channel;
use crate::daemon::Daemon;

/// Prints the rate of duplicates against that of new messages, and how long a reload takes.
pub async fn measure(options: &Options) -> Result<()> {
    println!("beside the main path");
    let mut daemon = Daemon::start(setup::config()).await;
    let source = setup::source(&daemon, options);
    let length = Duration::from_secs(3);
    let batch = || -> Batch { source.clone().batch(120_000) };
    let fresh = drive(
        daemon.public(),
        options.connections,
        batch(),
        Pace::Closed(length),
    )
    .await;
    let new = usize::try_from(fresh.sent.end)?;
    let again = source.clone().batch(new);
    let repeated = drive(
        daemon.public(),
        options.connections,
        again,
        Pace::Closed(length),
    )
    .await;
    ensure!(
        fresh.failed.is_empty() && repeated.failed.is_empty(),
        "requests failed"
    );
    println!(
        "  duplicates      {:>9} requests/s, {:.2} of new messages",
        repeated.per_second(),
        f64::from(repeated.per_second()) / f64::from(fresh.per_second())
    );
    println!(
        "  reload          {:>9}   nothing changed",
        ms(reload(&daemon).await?)
    );
    daemon.rewrite(|config| {
        let other = config
            .find("sms")
            .clone()
            .renamed("other")
            .config("from", "+15550199");
        config.put(other);
        config.put(Channel::webhook("hook").config("secret", "0123456789abcdef0123456789abcdef"));
    });
    println!(
        "  reload          {:>9}   two channels added",
        ms(reload(&daemon).await?)
    );
    Ok(())
}

async fn reload(daemon: &Daemon) -> Result<Duration> {
    let started = Instant::now();
    let output = daemon.cli(&["reload"]).await;
    ensure!(output.code == 0, "the reload failed: {}", output.all());
    Ok(started.elapsed())
}
