//! From the queue to the provider: what the daemon sends a second, against a bare loop of the same
//! calls to the same simulator.
//!
//! Sends are accepted through the API while the channel is off, so that what is measured is the
//! dispatch alone: lease, adapter, call, receipt, each durable. The first tenth of a round is not
//! counted: connections are opened there, and a channel that was off begins slowly.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::bare;
use super::latency::rate;
use super::options::Options;
use super::provider::Provider;
use super::sends::{CHANNEL, Sends};
use super::setup;
use super::usage::{Each, Usage};
use crate::config::Config;
use crate::daemon::Daemon;

/// Rounds of the daemon, each between two of the bare loop.
const ROUNDS: usize = 3;
/// Length of one round of the bare loop.
const BARE: Duration = Duration::from_secs(3);
/// The least ratio that is aimed at.
const TARGET: f64 = 0.50;

/// Prints both rates and their ratio, for each time that the provider takes.
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
    println!("  answer   bare loop   trunkline   ratio   (at least {TARGET:.2})");
    for answer_ms in &options.answer_ms {
        provider.answer_after(*answer_ms)?;
        // A slow provider needs fewer sends for a round as long.
        let count = options.sends / if *answer_ms == 0 { 1 } else { 4 };
        let line = compare(&mut provider, &mut sends, options, count.max(10)).await?;
        println!("{answer_ms:>5} ms {line}");
    }
    check_receipts(&sends).await
}

/// What one round showed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Round {
    per_second: u32,
    each: Each,
}

/// Rounds of both by turns; gives the middle ones and their ratio in words.
async fn compare(
    provider: &mut Provider,
    sends: &mut Sends,
    options: &Options,
    count: usize,
) -> Result<String> {
    let (mut bare_rates, mut own, mut accepts) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bare_rates.push(bare_round(provider, sends, options).await?);
        let before = Usage::of(sends.daemon.pid())?;
        sends.accept(count).await?;
        accepts.push(Usage::of(sends.daemon.pid())?.since(before).each(count));
        own.push(round(provider, sends, count).await?);
    }
    bare_rates.push(bare_round(provider, sends, options).await?);
    let (bare, own, accept) = (middle(&bare_rates), middle(&own), middle(&accepts));
    let ratio = f64::from(own.per_second) / f64::from(bare.max(1));
    Ok(format!(
        "{bare:>8}/s  {:>8}/s   {ratio:>5.3}   {}; a send {}, an accept {accept}",
        own.per_second,
        setup::verdict(ratio >= TARGET),
        own.each,
    ))
}

async fn bare_round(provider: &Provider, sends: &Sends, options: &Options) -> Result<u32> {
    let form = |number| sends.form(number);
    let run = bare::run(provider, form, options.under_way, BARE).await?;
    Ok(run.per_second())
}

/// Lets the channel go until all that waits is at the provider; gives the rate behind its start.
async fn round(provider: &mut Provider, sends: &Sends, count: usize) -> Result<Round> {
    provider.forget()?;
    let before = Usage::of(sends.daemon.pid())?;
    sends.enable().await?;
    provider.wait_count(count).await?;
    let first = count / 10 + 1;
    let span = provider.span(first, count)?;
    sends.disable(provider).await?;
    let used = Usage::of(sends.daemon.pid())?.since(before);
    Ok(Round {
        per_second: rate(count - first, span),
        each: used.each(count),
    })
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

fn middle<T: Copy + Default + Ord>(seen: &[T]) -> T {
    let mut sorted = seen.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}
