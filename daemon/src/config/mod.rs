//! What operators write: one TOML file, a folder of channels beside it, and the environment.
//!
//! ```text
//! trunkline.toml ─┐                     each layer by itself:        together:
//! channels.d/*  ──┼─> tree + places ──> keys and types (schema) ──> layered ──> sections ──> rules
//! environment  ───┘                     secrets looked up            (config crate)
//! ```
//!
//! - [`Config::load`] reads all of it and reports everything that is wrong, not only the first
//!   thing; every [`Finding`] begins with the file and line, or the variable, that it is about.
//! - The sections are plain structs. Their JSON Schema is what keys and types are checked
//!   against, where the reference (`etc/reference.toml`) comes from, and what says which keys
//!   need a restart (`x-restart`). A new key is a new field and nothing else.
//! - [`Config::check_adapters`] checks what belongs to the adapters, once their schemas are known.
//! - [`ReloadPlan::between`] says what a reload would do. It is pure.
//!
//! A configuration never changes: a reload loads a new one.

mod channel;
mod finding;
mod log;
mod plugins;
mod public_url;
mod rhythm;
mod server;
mod storage;
mod units;

use std::{collections::BTreeMap, sync::Arc};

pub use channel::{AdapterSection, Channel, TOKEN_CHARS_MAX, TOKEN_CHARS_MIN, WebhookToken};
pub use finding::{ConfigErrors, Finding, Place};
pub use log::{Log, LogFormat};
pub use plugins::Plugins;
pub use public_url::PublicUrl;
pub use rhythm::{Closed, Coalesce, Delivery, Health, Outbound, Thread};
pub use server::{Admin, Server};
pub use storage::{Retention, Store};
pub use units::{ByteSize, HumanTime};

/// A configuration that has passed every check but those of the adapters.
#[derive(Debug, Clone)]
pub struct Config {
    /// `[server]`
    pub server: Server,
    /// `[admin]`
    pub admin: Admin,
    /// `[store]`
    pub store: Store,
    /// `[retention]`
    pub retention: Retention,
    /// `[plugins]`
    pub plugins: Plugins,
    /// `[health]`
    pub health: Health,
    /// `[delivery]`
    pub delivery: Delivery,
    /// `[coalesce]`, already applied to the channels.
    pub coalesce: Coalesce,
    /// `[outbound]`
    pub outbound: Outbound,
    /// `[thread]`
    pub thread: Thread,
    /// `[log]`
    pub log: Log,
    /// `[channel.ID]` by id.
    pub channels: BTreeMap<String, Arc<Channel>>,
    /// What works but should be looked at.
    pub warnings: Vec<Finding>,
}
