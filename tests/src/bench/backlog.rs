//! What a long queue costs: one accept and one dispatch with many messages waiting against few, and
//! the daemon's memory with both.
//!
//! The channel is off while messages are accepted. A dispatch is measured by letting the channel go
//! for some hundreds of sends and switching it off again, with either queue in the same way.

use std::time::Duration;

use anyhow::Result;

use super::latency::{Latencies, ms, rate};
use super::options::Options;
use super::provider::Provider;
use super::sends::{CHANNEL, Sends};
use super::setup;
use super::usage::{Each, Usage};
use crate::config::Config;
use crate::daemon::Daemon;

/// The short queue.
const FEW: usize = 1_000;
/// Accepts measured with either queue.
const ACCEPTS: usize = 2_000;
/// Bursts of dispatch with either queue; the middle one counts.
const BURSTS: usize = 9;
/// The calls of a burst that are measured: not the first, which begin slowly.
const BURST: (usize, usize) = (200, 900);
/// How far the cost may be from that of the short queue.
const COST_MAX: f64 = 1.20;
/// How far the memory may be.
const MEMORY_MAX: f64 = 1.50;

/// What one length of queue showed.
struct Seen {
    accept: Latencies,
    /// What one accept used.
    accept_used: Each,
    /// What one dispatch used.
    dispatch_used: Each,
    /// Time for one dispatch within a burst.
    dispatch: Duration,
    resident_mib: u64,
}

/// Prints the costs, the memory and the ratios.
pub async fn measure(options: &Options) -> Result<()> {
    println!(
        "backlog: {FEW} and {} messages waiting, {} recipients",
        options.waiting, options.recipients
    );
    let mut provider = Provider::start()?;
    let config = Config::with_defaults().channel(provider.channel(CHANNEL));
    let daemon = Daemon::start(config).await;
    let mut sends = Sends::new(daemon, options.recipients, options.connections);
    sends.disable(&mut provider).await?;
    // Every contact exists before anything is measured: making one is another cost.
    sends.accept(options.recipients).await?;
    drain(&mut provider, &sends, options.recipients).await?;

    sends.accept(FEW).await?;
    let few = look(&mut provider, &mut sends, FEW).await?;
    print(FEW, &few);
    let before = Usage::of(sends.daemon.pid())?;
    let filled = sends.accept(options.waiting).await?;
    println!(
        "  filled          {:>9} accepted/s over {} connections, each {}",
        rate(options.waiting, filled.elapsed),
        options.connections,
        Usage::of(sends.daemon.pid())?
            .since(before)
            .each(options.waiting)
    );
    let many = look(&mut provider, &mut sends, options.waiting).await?;
    print(options.waiting, &many);

    let accept = ratio(many.accept.at(500), few.accept.at(500));
    let dispatch = ratio(many.dispatch, few.dispatch);
    verdict("accept", accept, COST_MAX);
    let accept = ratio(many.accept_used.cpu, few.accept_used.cpu);
    verdict("  its CPU", accept, COST_MAX);
    verdict("dispatch", dispatch, COST_MAX);
    let dispatch = ratio(many.dispatch_used.cpu, few.dispatch_used.cpu);
    verdict("  its CPU", dispatch, COST_MAX);
    let mib = |seen: &Seen| Ok::<_, anyhow::Error>(f64::from(u32::try_from(seen.resident_mib)?));
    let memory = mib(&many)? / mib(&few)?.max(1.0);
    verdict("memory", memory, MEMORY_MAX);
    Ok(())
}

/// Measures with `waiting` messages in the queue; about as many are there afterwards.
async fn look(provider: &mut Provider, sends: &mut Sends, waiting: usize) -> Result<Seen> {
    let resident_mib = setup::settled_mib(sends.daemon.pid()).await?;
    let pid = sends.daemon.pid();
    let before = Usage::of(pid)?;
    let accept = sends.accept_singly(ACCEPTS).await?;
    let accept_used = Usage::of(pid)?.since(before).each(ACCEPTS);
    let mut used = Vec::with_capacity(BURSTS);
    let mut bursts = Vec::with_capacity(BURSTS);
    let mut left = waiting + ACCEPTS;
    for _ in 0..BURSTS {
        // A short queue is filled up to its length before each burst; it runs empty in one.
        if left < FEW {
            sends.accept(FEW - left).await?;
            left = FEW;
        }
        provider.forget()?;
        let before = Usage::of(pid)?;
        sends.enable().await?;
        provider.wait_count(BURST.1).await?;
        sends.disable(provider).await?;
        used.push(Usage::of(pid)?.since(before).each(provider.count()?));
        left = left.saturating_sub(provider.count()?);
        bursts.push(provider.span(BURST.0, BURST.1)?);
    }
    bursts.sort();
    used.sort();
    let calls = u32::try_from(BURST.1 - BURST.0)?;
    Ok(Seen {
        accept,
        accept_used,
        dispatch_used: used[BURSTS / 2],
        dispatch: bursts[BURSTS / 2] / calls,
        resident_mib,
    })
}

/// Lets everything that waits go.
async fn drain(provider: &mut Provider, sends: &Sends, count: usize) -> Result<()> {
    provider.forget()?;
    sends.enable().await?;
    provider.wait_count(count).await?;
    sends.disable(provider).await
}

fn ratio(many: Duration, few: Duration) -> f64 {
    many.as_secs_f64() / few.as_secs_f64().max(f64::EPSILON)
}

fn print(waiting: usize, seen: &Seen) {
    println!(
        "  {waiting:>9} waiting: one accept p50 {}, p99 {}; one dispatch {}; {} MiB",
        ms(seen.accept.at(500)),
        ms(seen.accept.at(990)),
        ms(seen.dispatch),
        seen.resident_mib,
    );
    println!("            one accept {}", seen.accept_used);
    println!("            one dispatch {}", seen.dispatch_used);
}

fn verdict(name: &str, ratio: f64, most: f64) {
    println!(
        "  {name:<16}{ratio:>9.3}   {} (at most {most:.2})",
        setup::verdict(ratio <= most)
    );
}
