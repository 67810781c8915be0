//! Harness for black-box tests of Trunkline: everything goes through the binary, its files, its
//! sockets and its command line.
//!
//! ```text
//! Config ──writes──> Daemon (real binary, temporary folder, free ports) <──Api, cli, webhooks── test
//!                       │                                                        ▲
//!                       └── calls ──> provider simulator ── signed callbacks ────┘
//! ```
//!
//! [`load`] drives signed messages and keeps a ledger of what was acknowledged; [`account`]
//! compares that ledger with what the API shows.

pub mod account;
pub mod api;
pub mod bench;
pub mod built;
pub mod chaos;
pub mod config;
pub mod daemon;
pub mod gate;
pub mod http;
pub mod load;
pub mod mail;
pub mod metrics;
pub mod origin;
pub mod port;
pub mod systemd;
pub mod tls;
pub mod twilio;
pub mod visitor;
pub mod wait;
