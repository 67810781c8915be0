//! Channels while they run.
//!
//! ```text
//!  registry ──> Channel (handle) ── permit, deadline ──> ChannelActor on its own thread ──> plugin
//!                    │  live address (watch)                     ^
//!                    └───────────── guardian ── starts, watches, restarts ──┘
//! ```
//!
//! The actor is the only one that calls into the plugin. Whoever else needs the adapter (ingress,
//! outbox, probes, poller) asks it and waits with a deadline, so that a plugin that hangs costs
//! its own thread and nothing else.

mod actor;
mod guardian;
mod handle;
mod isolation;
mod limiter;
mod registry;
mod restart;
mod sight;
mod spec;
mod window;

pub use actor::ChannelActor;
pub use guardian::Guardian;
pub use handle::{Channel, ChannelError, Running};
pub use isolation::{isolation, opening_patience};
pub use registry::{Lookup, Registry, Routes};
pub use restart::HANGS_MAX;
pub use sight::Sight;
pub use spec::{ChannelSpec, Unopened};
