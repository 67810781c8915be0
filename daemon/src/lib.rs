//! The daemon as a library; the binary only parses its command line.

#![deny(unsafe_code)]

pub mod plugin;
