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

#![forbid(unsafe_code)]

mod adapters;
mod backfill;
mod channel;
mod consent;
mod cost;
mod document;
mod environment;
mod finding;
mod form;
mod hours;
mod inbound;
mod layer;
mod limits;
mod listener;
mod lmtp;
mod load;
mod log;
mod master_key;
mod media;
mod network;
mod paths;
mod plan;
mod plan_plugins;
mod plan_words;
mod plugins;
mod public_url;
mod reference;
mod reload;
mod report;
mod rhythm;
mod rules;
mod schema;
mod seal_places;
mod secret;
mod secret_use;
mod server;
mod storage;
mod telemetry;
mod text;
mod units;
mod watching;
mod window;
mod words;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

pub use adapters::AdapterFindings;
pub use backfill::Backfill;
pub use channel::{
    AdapterSection, Channel, Isolation, TOKEN_CHARS_MAX, TOKEN_CHARS_MIN, WebhookToken,
};
pub use consent::{ChannelConsent, Consent, Replies, Words};
pub use cost::{Cost, Organization};
pub use document::schema;
pub use environment::Environment;
pub use finding::{ConfigErrors, Finding, Place};
pub use form::{Form, FormField};
pub use hours::{Expect, Hours};
pub use inbound::{Command, CommandThread, Commands, Inbound};
pub use limits::{Rate, Uncertain};
pub use listener::{Limits, Tls};
pub use lmtp::{Lmtp, LmtpListen};
pub use log::{Log, LogFormat};
pub use master_key::{KeySource, Keys, Secrets};
pub use media::Media;
pub use network::Network;
pub use plan::ReloadPlan;
pub use plan_plugins::{PluginBuild, PluginChange, PluginFacts, PluginsFound, RefusedPlugin};
pub use plugins::Plugins;
pub use public_url::PublicUrl;
pub use reference::{reference, toml};
pub use reload::{OnFailedProbe, Reload};
pub use rhythm::{Closed, Coalesce, Delivery, Health, Outbound, Thread};
pub use seal_places::{Resealed, SealingPlace, sealing_place};
pub use secret::SecretFile;
pub use secret_use::{SecretForm, SecretUse};
pub use server::{Admin, Server};
pub use storage::{Kept, OrganizationRetention, Retention, Store};
pub use telemetry::Telemetry;
pub use text::{Long, Text};
pub use units::{ByteSize, HumanTime, HumanTimeOrOff};
pub use watching::Canary;
pub use window::{OutsideWindow, Templates};

use crate::model::Keywords;

/// The configuration in force, shared by all who read it as they go; a reload replaces it.
pub type Settings = Arc<arc_swap::ArcSwap<Config>>;

/// A configuration that has passed every check but those of the adapters.
#[derive(Debug, Clone)]
pub struct Config {
    /// `[server]`
    pub server: Server,
    /// `[admin]`
    pub admin: Admin,
    /// `[lmtp]`
    pub lmtp: Lmtp,
    /// `[secrets]`
    pub secrets: Secrets,
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
    /// `[backfill]`
    pub backfill: Backfill,
    /// `[reload]`
    pub reload: Reload,
    /// `[media]`
    pub media: Media,
    /// `[coalesce]`, already applied to the channels.
    pub coalesce: Coalesce,
    /// `[outbound]`
    pub outbound: Outbound,
    /// `[account.NAME]` by name: provider accounts that channels share.
    pub accounts: BTreeMap<String, Rate>,
    /// `[form.SLUG]` by slug: pages on which strangers leave a message.
    pub forms: BTreeMap<String, Form>,
    /// `[inbound]`, already applied to the channels.
    pub inbound: Inbound,
    /// `[consent]`
    pub consent: Consent,
    /// The words of `[consent]`, ready to be looked for.
    pub keywords: Keywords,
    /// `[commands]`, ours included.
    pub commands: Commands,
    /// `[thread]`
    pub thread: Thread,
    /// `[templates]`
    pub templates: Templates,
    /// `[log]`
    pub log: Log,
    /// `[telemetry]`
    pub telemetry: Telemetry,
    /// `[organization.SLUG]` by slug.
    pub organizations: BTreeMap<String, Organization>,
    /// `[channel.ID]` by id.
    pub channels: BTreeMap<String, Arc<Channel>>,
    /// What works but should be looked at.
    pub warnings: Vec<Finding>,
    /// The files that it was read from.
    pub files: Files,
    /// Where everything was written, for what is found out later.
    places: Arc<layer::Places>,
}

/// The files that a configuration was read from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files {
    /// The main file and the fragments.
    pub configuration: Vec<PathBuf>,
    /// The files of secrets that they name.
    pub secrets: Vec<SecretFile>,
}

impl Config {
    /// Where a channel was defined, for errors that show only when its adapter opens it.
    pub fn place(&self, channel: &str) -> Place {
        let pointer = finding::child("/channel", channel);
        self.places.of(&pointer).clone()
    }

    /// Where the value at a JSON pointer was written.
    pub fn place_at(&self, pointer: &str) -> Place {
        self.places.of(pointer).clone()
    }

    /// Where a key of a section was written, for what is found out later.
    pub fn place_of(&self, section: &str, key: &str) -> Place {
        let pointer = finding::child(&finding::child("", section), key);
        self.places.of(&pointer).clone()
    }
}

/// Every default and no channel.
impl Default for Config {
    fn default() -> Self {
        let file: Arc<Path> = Path::new("trunkline.toml").into();
        Self {
            server: Server::default(),
            admin: Admin::default(),
            lmtp: Lmtp::default(),
            secrets: Secrets::default(),
            store: Store::default(),
            retention: Retention::default(),
            plugins: Plugins::default(),
            health: Health::default(),
            delivery: Delivery::default(),
            backfill: Backfill::default(),
            reload: Reload::default(),
            media: Media::default(),
            coalesce: Coalesce::default(),
            outbound: Outbound::default(),
            accounts: BTreeMap::new(),
            forms: BTreeMap::new(),
            inbound: Inbound::default(),
            consent: Consent::default(),
            keywords: Consent::default().keywords(),
            commands: Commands::default(),
            thread: Thread::default(),
            templates: Templates::default(),
            log: Log::default(),
            telemetry: Telemetry::default(),
            organizations: BTreeMap::new(),
            channels: BTreeMap::new(),
            warnings: Vec::new(),
            files: Files::default(),
            places: Arc::new(layer::Places::new(Place::line(&file, 1))),
        }
    }
}

#[cfg(test)]
mod tests;
