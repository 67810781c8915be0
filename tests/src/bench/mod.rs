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

pub mod baseline;
pub mod inbound;
pub mod latency;
pub mod memory;
pub mod options;
pub mod paced;
pub mod paths;
pub mod setup;
pub mod start;
pub mod traffic;
