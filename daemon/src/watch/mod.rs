//! Watching: is each channel able to send, and what became of what was sent.

mod board;
mod echo;
mod notifier;
mod poller;
mod prober;
mod sweeper;

pub use board::HealthBoard;
pub use echo::{EchoGuard, EchoLimits, EchoLoop, Heard};
pub use notifier::Notifier;
pub use poller::Poller;
pub use prober::Prober;
pub use sweeper::Sweeper;
