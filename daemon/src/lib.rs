//! t

pub mod config;
