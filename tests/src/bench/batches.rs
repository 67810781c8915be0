//! What a webhook with many messages costs against one with a single message: time to its durable
//! acknowledgement, alone on one connection, and under load.

use std::time::Duration;

use anyhow::{Result, ensure};
use trunkline_simulator::{Simulator, WaMessage};

use super::latency::ms;
use super::options::Options;
use super::setup;
use super::traffic::{Batch, Pace, Run, drive};
use crate::config::{Channel, Config};
use crate::daemon::Daemon;
use crate::http::Request;

/// Messages in one webhook.
const BATCH: u64 = 50;
/// How many times the cost of one message a batch may have.
const RATIO_MAX: f64 = 10.0;
/// Turns of each size, so that a noisy machine is noisy for both.
const TURNS: u32 = 3;

/// Makes webhooks of Meta's with messages that are all different.
struct Source<'a> {
    simulator: &'a Simulator,
    url: String,
    senders: u64,
    next: u64,
}

impl Source<'_> {
    fn webhook(&mut self, messages: u64) -> Vec<u8> {
        let meta = self.simulator.meta();
        let batch = (0..messages).map(|_| {
            let sender = format!("+1666{:07}", self.next % self.senders);
            self.next += 1;
            let mut message = WaMessage::text(&sender, "Is my order on its way? It was due today.");
            message.id = format!("wamid.{:032x}", self.next);
            message
        });
        let payload = meta.batch(&[(&meta.phone_number_id(), batch.collect())]);
        let signed = meta.prepare(&self.url, &payload);
        let target = self.url.splitn(4, '/').nth(3).unwrap_or_default();
        let mut request = Request::new("POST", format!("/{target}"));
        for (name, value) in &signed.headers {
            if name != "content-type" {
                request = request.header(name, value.clone());
            }
        }
        request.body("application/json", signed.body).bytes()
    }

    fn webhooks(&mut self, count: usize, messages: u64) -> Batch {
        Batch::of(0, (0..count).map(|_| self.webhook(messages)))
    }
}

/// Requests and time of one size.
#[derive(Default)]
struct Side {
    runs: Vec<Run>,
}

impl Side {
    /// Time from one acknowledgement to the next, over all runs.
    fn cost(&self) -> Duration {
        let answered: usize = self.runs.iter().map(|run| run.latencies.count()).sum();
        let elapsed: Duration = self.runs.iter().map(|run| run.elapsed).sum();
        elapsed / u32::try_from(answered.max(1)).unwrap_or(u32::MAX)
    }

    fn answered(&self) -> usize {
        self.runs.iter().map(|run| run.latencies.count()).sum()
    }

    fn failed(&self) -> usize {
        self.runs.iter().map(|run| run.failed.len()).sum()
    }

    /// The middle of the middle latencies.
    fn median(&self) -> Duration {
        let mut medians: Vec<Duration> =
            self.runs.iter().map(|run| run.latencies.at(500)).collect();
        medians.sort_unstable();
        medians.get(medians.len() / 2).copied().unwrap_or_default()
    }
}

/// Prints what a webhook of 50 messages costs against one of a single message.
pub async fn measure(options: &Options) -> Result<()> {
    println!("batch: webhooks of {BATCH} messages against webhooks of one, every message unique");
    let simulator = Simulator::start()?;
    let daemon = Daemon::start(config(&simulator)).await;
    let mut source = Source {
        simulator: &simulator,
        url: daemon.url("whatsapp"),
        senders: options.senders,
        next: 0,
    };
    let mut stored = 0;
    for (name, connections) in [("alone", 1), ("under load", options.connections)] {
        let (one, many) = compare(&daemon, &mut source, options, connections).await;
        for (side, size) in [(&one, 1), (&many, BATCH)] {
            ensure!(
                side.failed() == 0,
                "{} webhooks were not acknowledged",
                side.failed()
            );
            stored += side.answered() as u64 * size;
        }
        let ratio = many.cost().as_secs_f64() / one.cost().as_secs_f64();
        println!(
            "  {name:<12} one: {} each, p50 {}   {BATCH}: {} each, p50 {}   ratio {ratio:.1}, {}",
            ms(one.cost()),
            ms(one.median()),
            ms(many.cost()),
            ms(many.median()),
            setup::verdict(ratio <= RATIO_MAX),
        );
    }
    let counted = daemon
        .api()
        .metric("trunkline_messages_received_total")
        .await;
    ensure!(
        counted == stored,
        "{stored} acknowledged, but {counted} counted as stored"
    );
    println!("  {counted} messages stored, each one acknowledged");
    Ok(())
}

async fn compare(
    daemon: &Daemon,
    source: &mut Source<'_>,
    options: &Options,
    connections: u32,
) -> (Side, Side) {
    let (mut one, mut many) = (Side::default(), Side::default());
    let length = (options.slice() / TURNS).clamp(Duration::from_secs(1), Duration::from_secs(10));
    // Made ahead: more than a machine of today gets through.
    let seconds = usize::try_from(length.as_secs().max(1)).unwrap_or(1);
    let per_second = if connections == 1 { 3_000 } else { 30_000 };
    for _ in 0..TURNS {
        for (side, size, count) in [
            (&mut one, 1, per_second * seconds),
            (&mut many, BATCH, per_second * seconds / 10),
        ] {
            let webhooks = source.webhooks(count, size);
            let run = drive(daemon.public(), connections, webhooks, Pace::Closed(length)).await;
            side.runs.push(run);
        }
    }
    (one, many)
}

/// One WhatsApp channel; everything else as the daemon has it by default, but for the limit on what
/// one person writes.
fn config(simulator: &Simulator) -> Config {
    let meta = simulator.meta();
    let channel = Channel::new("whatsapp", "whatsapp")
        .config("phone_number_id", meta.phone_number_id())
        .config("app_secret", meta.app_secret());
    Config::with_defaults()
        .set("inbound.sender_per_minute", 1_000_000)
        .channel(channel)
}
