//! From the queue to the provider: what the daemon sends a second, against a bare loop of the same
//! calls to the same simulator.
//!
//! Sends are accepted through the API while the channel is off, so that what is measured is the
//! dispatch alone: lease, adapter, call, receipt, each durable. The first tenth of a round is not
//! counted: connections are opened there, and a channel that was off begins slowly.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::bare;
use super::latency::{ms, rate};
use super::options::Options;
use super::provider::Provider;
use super::sends::{CHANNEL, Sends};
use super::setup;
use crate::config::Config;
use crate::daemon::Daemon;

/// Rounds of the daemon, each between two of the bare loop.
const ROUNDS: usize = 3;
/// Length of one round of the bare loop.
const BARE: Duration = Duration::from_secs(3);
/// The least ratio that is aimed at.
const TARGET: f64 = 0.50;

/// Prints both rates and their ratio.
pub async fn measure(options: &Options) -> Result<()> {
    println!(
        "outbound: {} sends a round, accepted ahead, to {} recipients; {} calls under way at once",
        options.sends, options.recipients, options.under_way
    );
    let mut provider = Provider::start()?;
    let config = Config::with_defaults().channel(provider.channel(CHANNEL));
    let daemon = Daemon::start(config).await;
    let mut sends = Sends::new(daemon, options.recipients, options.connections);
    sends.disable(&mut provider).await?;
    compare(&mut provider, &mut sends, options, options.sends).await?;
    println!("  the same, the provider taking {} ms", options.answer_ms);
    provider.answer_after(options.answer_ms)?;
    compare(&mut provider, &mut sends, options, options.sends / 4).await?;
    check_receipts(&sends).await
}

/// Rounds of both by turns; prints the middle ones and their ratio.
async fn compare(
    provider: &mut Provider,
    sends: &mut Sends,
    options: &Options,
    count: usize,
) -> Result<()> {
    let (mut bare_rates, mut own_rates, mut accepted) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bare_rates.push(bare_round(provider, sends, options).await?);
        accepted.push(sends.accept(count).await?);
        own_rates.push(round(provider, sends, count).await?);
    }
    bare_rates.push(bare_round(provider, sends, options).await?);
    let first = &accepted[0];
    println!(
        "  accepted        {:>9} sends/s over {} connections, p50 {}",
        first.per_second(),
        options.connections,
        ms(first.latencies.at(500)),
    );
    print("bare loop", &bare_rates, "calls");
    print("trunkline", &own_rates, "sends");
    let ratio = f64::from(middle(&own_rates)) / f64::from(middle(&bare_rates).max(1));
    println!(
        "  ratio           {ratio:>9.3}   {} (at least {TARGET:.2})",
        setup::verdict(ratio >= TARGET)
    );
    Ok(())
}

async fn bare_round(provider: &Provider, sends: &Sends, options: &Options) -> Result<u32> {
    let form = |number| sends.form(number);
    let run = bare::run(provider, form, options.under_way, BARE).await?;
    Ok(run.per_second())
}

/// Lets the channel go until all that waits is at the provider; gives the rate behind its start.
async fn round(provider: &mut Provider, sends: &Sends, count: usize) -> Result<u32> {
    provider.forget()?;
    sends.enable().await?;
    provider.wait_count(count).await?;
    let first = count / 10 + 1;
    let span = provider.span(first, count)?;
    sends.disable(provider).await?;
    Ok(rate(count - first, span))
}

/// Every accepted send must have its receipt, none may be left in the queue.
async fn check_receipts(sends: &Sends) -> Result<()> {
    let api = sends.daemon.api();
    let left = api.all("/api/v1/outbox").await;
    ensure!(left.is_empty(), "{} sends are left", left.len());
    let counted = api.metric("trunkline_messages_sent_total").await;
    ensure!(
        counted == sends.accepted() as u64,
        "{} sends accepted, {counted} counted as sent",
        sends.accepted()
    );
    Ok(())
}

fn middle(rates: &[u32]) -> u32 {
    let mut sorted = rates.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

fn print(name: &str, rates: &[u32], what: &str) {
    let rounds: Vec<_> = rates.iter().map(ToString::to_string).collect();
    println!(
        "  {name:<16}{:>9} {what}/s   (the middle of {})",
        middle(rates),
        rounds.join(" ")
    );
}
