//! The benchmark: what a durable, acknowledged message costs, as a ratio to answering nothing.
//!
//! ```text
//!  bench (this process: load over 64 connections) ──┬──> child: actix-web, empty handler
//!                                                   └──> child: the daemon, as in production
//! ```
//!
//! Both get requests of the same kind, each one unique and signed. They take turns in slices, so
//! that a noisy machine is noisy for both. Requests are made before each slice, so that making
//! them costs neither.
//!
//! What goes out is compared in the same way with a bare loop of the same calls; the provider
//! simulator that both call is a third child.

pub mod backlog;
pub mod backup;
pub mod bare;
pub mod baseline;
pub mod batches;
pub mod calls;
pub mod dispatch;
pub mod email;
pub mod inbound;
pub mod latency;
pub mod memory;
pub mod options;
pub mod paced;
pub mod paths;
pub mod provider;
pub mod sends;
pub mod setup;
pub mod start;
pub mod traffic;
pub mod usage;
