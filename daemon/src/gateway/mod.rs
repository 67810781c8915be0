//! The wiring: everything that runs, and how it is started, reloaded and stopped.
//!
//! ```text
//! run ─> load configuration ─> plugins ─> open channels ─> store ─> Gateway::start ─> listeners
//!                   SIGHUP, API ─> reload: the same checks first, then only what changed
//!                   SIGTERM ─> drain: listeners, outboxes, channels, store; in that order
//! ```

mod arbiters;
mod audit;
mod channels;
mod check;
mod comeback;
mod marks;
mod prepare;
mod quarantine;
mod reload;
mod reopen;
mod run;
mod sample;
mod signals;
mod start;
mod state;
mod systemd;

pub use channels::SwitchError;
pub use check::{CheckReport, check, secrets};
pub use comeback::{Comeback, Comebacks};
pub use marks::MarkError;
pub use prepare::Prepared;
pub use quarantine::Released;
pub use reload::{ReloadError, ReloadReport};
pub use run::{RunError, run};
pub use state::{Gateway, GatewayOptions, StartError};
