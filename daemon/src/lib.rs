//! Trunkline: a self-hosted messaging gateway.
//!
//! `ARCHITECTURE.md` beside this crate tells the way of a message through these modules.

#![deny(unsafe_code)]

pub mod channel;
pub mod cli;
pub mod config;
pub mod doctor;
pub mod exchange;
pub mod gateway;
pub mod inbound;
pub mod lmtp;
pub mod media;
pub mod metrics;
pub mod model;
pub mod outbound;
pub mod seal;
pub mod store;
pub mod telemetry;
pub mod tls;
pub mod watch;
pub mod web;
