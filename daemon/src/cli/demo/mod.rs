//! `trunkline demo`: the gateway at work, without accounts and without a network.
//!
//! ```text
//! plugins ─> temporary folder <─ settings, channels (safe copies; a configuration as ops write it)
//!                 │
//!   simulator <─> daemon (`trunkline run`, a child process) <── gateway (its API, by the socket)
//!        └──── story: every channel both ways (tour), one person on four of them (person), what
//!              else comes in (inbound), an outage (outbound), trouble ──> report (counts, latencies)
//! ```
//!
//! The traffic is real: every webhook is signed as the provider would sign it, every send is
//! checked as strictly as the provider would. What happened is counted and compared with what
//! should have happened; one count that is off makes the demo fail.

mod bring;
mod channels;
mod child;
mod encore;
mod gateway;
mod inbound;
mod outbound;
mod person;
mod plugins;
mod report;
mod settings;
mod tour;
mod trouble;
pub(super) mod visitor;
mod world;

use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};

use self::{
    report::{Count, Report},
    world::World,
};
use super::{failure::Failure, output};

/// Lines of the daemon's log that are shown when something went wrong.
const LOG_LINES_SHOWN: usize = 25;

/// The verb.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Ends after the story; exits 1 where a count is off.
    #[arg(long)]
    once: bool,
    /// Leaves the temporary folder there at the end.
    #[arg(long)]
    keep: bool,
}

impl Demo {
    /// Does it. Ends in order on Ctrl-C: the daemon is stopped, the folder removed.
    pub(super) async fn perform(self) -> Result<(), Failure> {
        let mut stop = Stop::listen()?;
        let mut world = World::create(self.keep)?;
        let outcome = tokio::select! {
            outcome = self.play(&mut world) => outcome,
            () = stop.asked() => self.stopped(),
        };
        if !matches!(outcome, Ok(()) | Err(Failure::OutputClosed | Failure::Told)) {
            world.show_log(LOG_LINES_SHOWN);
        }
        let ended = world.end().await;
        outcome.and(ended)
    }

    /// Stopped from outside: the way to end it, unless the story was all that was wanted.
    fn stopped(&self) -> Result<(), Failure> {
        output::print("\nStopping.")?;
        if self.once {
            return Err(Failure::Told);
        }
        Ok(())
    }

    async fn play(&self, world: &mut World) -> Result<(), Failure> {
        let mut report = Report::default();
        world.open(&mut report).await?;
        let visitor = tour::tell(world, &mut report).await?;
        person::tell(world, &mut report, &visitor).await?;
        inbound::tell(world, &mut report).await?;
        outbound::tell(world, &mut report).await?;
        trouble::tell(world, &mut report).await?;
        let disliked = world.disliked();
        for what in &disliked {
            report::say(what)?;
        }
        report.add(Count::Disliked, 0, disliked.len());
        let stored = world.gateway.inbound_total().await?;
        report.finish(stored)?;
        report.verdict()?;
        if self.once {
            return Ok(());
        }
        encore::play(world).await
    }
}

/// The signals that end the demo.
struct Stop {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Stop {
    fn listen() -> Result<Self, Failure> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            // The terminal was closed: the daemon must not outlive it.
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}
