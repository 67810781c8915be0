//! What to measure and how long.

use std::time::Duration;

use clap::{Args, Parser, Subcommand};

/// Measures Trunkline against an empty handler on the same machine, in one run.
#[derive(Debug, Clone, Parser)]
pub struct Options {
    /// What to measure; everything where none is given.
    #[command(subcommand)]
    pub part: Option<Part>,
    /// Seconds of load on the daemon, in slices between those of the empty handler.
    #[arg(long, global = true, default_value_t = 60)]
    pub seconds: u32,
    /// Slices that the seconds are cut into.
    #[arg(long, global = true, default_value_t = 3)]
    pub slices: u32,
    /// Connections of the closed loop.
    #[arg(long, global = true, default_value_t = 64)]
    pub connections: u32,
    /// Different senders.
    #[arg(long, global = true, default_value_t = 5_000)]
    pub senders: u64,
    /// Requests a second of the open loop.
    #[arg(long, global = true, default_value_t = 1_000)]
    pub rate: u32,
    /// Messages stored for the memory figure.
    #[arg(long, global = true, default_value_t = 1_000_000)]
    pub messages: u64,
    /// Sends of one outbound round.
    #[arg(long, global = true, default_value_t = 20_000)]
    pub sends: usize,
    /// Different recipients of sends.
    #[arg(long, global = true, default_value_t = 5_000)]
    pub recipients: usize,
    /// Provider calls under way at once, in the bare loop; the daemon's own number by default.
    #[arg(long, global = true, default_value_t = 16)]
    pub under_way: usize,
    /// Milliseconds that the provider takes for an answer, one line of the outbound figures each.
    #[arg(long, global = true, value_delimiter = ',', default_values_t = [0, 2, 10])]
    pub answer_ms: Vec<u64>,
    /// Messages waiting for the backlog figures.
    #[arg(long, global = true, default_value_t = 1_000_000)]
    pub waiting: usize,
    /// A few seconds of everything, to see that it works; the figures mean little.
    #[arg(long, global = true)]
    pub quick: bool,
}

/// One measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum Part {
    /// Closed loop: requests a second against the empty handler.
    Inbound,
    /// Open loop: latency from the scheduled time at a steady rate.
    Open,
    /// Resident memory with many messages stored.
    Memory,
    /// Start to ready on an empty store.
    Start,
    /// Webhooks of many messages against webhooks of one.
    Batch,
    /// Duplicates and reloads.
    Paths,
    /// A call into a plugin, in this process and in one of its own.
    Calls,
    /// A mail of 1 MB through the e-mail adapter.
    Email,
    /// From the queue to the provider against a bare loop of calls.
    Outbound,
    /// Cost of a send and memory with many messages waiting.
    Backlog,
    /// A backup under load, restored elsewhere and compared record by record.
    Backup,
    /// 10,000 sends through a failing provider and twenty kills: right or wrong, not fast or slow.
    Chaos(Chaos),
    /// The empty handler itself; started by the others.
    #[command(hide = true)]
    Baseline,
    /// The provider simulator itself; started by the others.
    #[command(hide = true)]
    Provider,
}

/// The size of the chaos run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Args)]
pub struct Chaos {
    /// Sends accepted.
    #[arg(long, default_value_t = 10_000)]
    pub count: usize,
    /// Times the daemon is killed.
    #[arg(long, default_value_t = 20)]
    pub kills: usize,
    /// Seed of faults and moments, to repeat a run; another one each time by default.
    #[arg(long)]
    pub seed: Option<u64>,
}

impl Options {
    /// The options with `--quick` applied.
    #[must_use]
    pub fn resolved(mut self) -> Self {
        if self.quick {
            self.seconds = self.seconds.min(4);
            self.slices = self.slices.min(2);
            self.messages = self.messages.min(20_000);
            self.senders = self.senders.min(500);
            self.sends = self.sends.min(3_000);
            self.recipients = self.recipients.min(500);
            self.waiting = self.waiting.min(10_000);
        }
        self.slices = self.slices.clamp(1, self.seconds.max(1));
        self
    }

    /// True where a part is wanted.
    pub fn wants(&self, part: Part) -> bool {
        self.part.is_none_or(|wanted| wanted == part)
    }

    /// Length of one slice of load on the daemon.
    pub fn slice(&self) -> Duration {
        Duration::from_secs(self.seconds.into()) / self.slices
    }

    /// Length of one slice of load on the empty handler.
    pub fn baseline_slice(&self) -> Duration {
        (self.slice() / 4).clamp(Duration::from_secs(1), Duration::from_secs(5))
    }
}
