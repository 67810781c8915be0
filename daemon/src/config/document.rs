//! The whole configuration as it is written: all sections in one type, and its JSON Schema.

use std::{collections::BTreeMap, sync::LazyLock};

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    backfill::Backfill,
    channel::ChannelSection,
    consent::Consent,
    cost::Organization,
    form::Form,
    inbound::{Command, Inbound},
    limits::Rate,
    lmtp::Lmtp,
    log::Log,
    master_key::Secrets,
    media::Media,
    plugins::Plugins,
    reload::Reload,
    rhythm::{Coalesce, Delivery, Health, Outbound, Thread},
    server::{Admin, Server},
    storage::{Retention, Store},
    telemetry::Telemetry,
    window::Templates,
};

/// Everything that the files and the environment can say.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Document {
    pub server: Server,
    pub admin: Admin,
    pub lmtp: Lmtp,
    pub secrets: Secrets,
    pub store: Store,
    pub retention: Retention,
    pub plugins: Plugins,
    pub health: Health,
    pub delivery: Delivery,
    pub backfill: Backfill,
    pub reload: Reload,
    pub media: Media,
    pub coalesce: Coalesce,
    pub outbound: Outbound,
    pub inbound: Inbound,
    pub consent: Consent,
    /// Messages that are one of these texts and nothing else do something. `/human` is there unless
    /// it is switched off.
    pub commands: BTreeMap<String, Command>,
    pub thread: Thread,
    pub account: BTreeMap<String, Rate>,
    pub form: BTreeMap<String, Form>,
    pub templates: Templates,
    pub log: Log,
    pub telemetry: Telemetry,
    pub organization: BTreeMap<String, Organization>,
    pub channel: BTreeMap<String, ChannelSection>,
}

/// The schema of a [`Document`], without references, so that a place in it is found by its path.
pub(super) static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let settings =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings
        .into_generator()
        .into_root_schema_for::<Document>()
        .to_value()
});

/// The JSON Schema of the whole configuration, with defaults, descriptions and `x-restart`.
pub fn schema() -> &'static Value {
    &SCHEMA
}
