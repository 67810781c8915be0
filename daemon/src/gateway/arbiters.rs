//! The daemon's threads beside those of the channels.

use actix::Arbiter;

/// Threads for what must not share one.
pub(super) struct Arbiters {
    /// Guardians: never blocked by what they guard.
    pub(super) guardians: Arbiter,
    /// Outboxes and the calls to providers.
    pub(super) outbound: Arbiter,
    /// Probes, polling, turns, replays, sweeping.
    pub(super) watch: Arbiter,
    /// Files that come in.
    pub(super) media: Arbiter,
}

impl Default for Arbiters {
    fn default() -> Self {
        Self {
            guardians: Arbiter::new(),
            outbound: Arbiter::new(),
            watch: Arbiter::new(),
            media: Arbiter::new(),
        }
    }
}
