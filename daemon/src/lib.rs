//! Trunkline: a self-hosted messaging gateway.
//!
//! `ARCHITECTURE.md` beside this crate tells the way of a message through these modules.

#![deny(unsafe_code)]

pub mod cli;
pub mod config;
pub mod model;
