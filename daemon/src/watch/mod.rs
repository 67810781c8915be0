//! Watching: is each channel able to send and to hear, and what became of what was sent.
//!
//! ```text
//! prober, outbox, silence, canary ─ signals ─> board (condition: a pure state machine)
//!                                                └─ changes ─> chronicle ─> log, metric, history, notifier
//! whoever has news for owners ─────────────────────────────> notifier (groups) ─> store
//! ```

mod board;
mod canaries;
mod canary;
mod chronicle;
mod clock;
mod condition;
mod echo;
mod eraser;
mod faults;
mod groups;
mod notifier;
mod poller;
mod prober;
mod pulse;
mod retention;
mod room;
mod silence;
mod sweeper;
mod templates;
mod window;

pub use board::HealthBoard;
pub use canaries::{CANARY, Canaries};
pub use canary::CanaryKeeper;
pub use chronicle::{Chronicle, News};
pub use clock::ClockWatch;
pub use echo::{EchoGuard, EchoLimits, EchoLoop, Heard};
pub use eraser::Eraser;
pub use faults::watch_faults;
pub use notifier::Notifier;
pub use poller::Poller;
pub use prober::{Prober, Tested};
pub use pulse::{Part, Pulse};
pub use retention::Retention;
pub use room::RoomWatch;
pub use silence::Silence;
pub use sweeper::Sweeper;
pub(crate) use templates::tell_change;
pub use templates::{RefreshError, Refreshed, TemplateKeeper};
