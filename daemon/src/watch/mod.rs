//! Watching: is each channel able to send, and what became of what was sent.

mod board;
mod poller;
mod prober;
mod sweeper;

pub use board::HealthBoard;
pub use poller::{Poller, PollerOptions};
pub use prober::{Prober, ProberOptions};
pub use sweeper::{Sweeper, SweeperOptions};
