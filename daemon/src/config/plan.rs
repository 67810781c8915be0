//! The difference between two configurations: what a reload does.

use std::{collections::BTreeMap, fmt};

use serde_json::{Map, Value, json};

use super::{
    Config,
    channel::Channel,
    document::SCHEMA,
    finding::{child, key_path},
};

/// What a reload does to each channel, and which keys it can't apply. Holds no secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReloadPlan {
    /// Channels that are new.
    pub start: Vec<String>,
    /// Channels that are gone.
    pub stop: Vec<String>,
    /// Channels whose actor starts anew, with the keys (or the plugin) that changed.
    pub restart: BTreeMap<String, Vec<String>>,
    /// Channels whose actor goes on and is told of the keys that changed.
    pub update: BTreeMap<String, Vec<String>>,
    /// Channels that do not change.
    pub keep: Vec<String>,
    /// Keys outside the channels that take effect at once.
    pub apply: Vec<String>,
    /// Keys outside the channels that take effect when the daemon is restarted.
    pub needs_restart: Vec<String>,
}

/// The SHA-256 of each loaded plugin by its adapter's id.
pub type PluginHashes = BTreeMap<String, String>;

impl ReloadPlan {
    /// What leads from `old` to `new`, with the plugins loaded before and those to load now.
    pub fn between(
        old: &Config,
        new: &Config,
        old_plugins: &PluginHashes,
        new_plugins: &PluginHashes,
    ) -> Self {
        let mut plan = Self::default();
        for id in old
            .channels
            .keys()
            .filter(|id| !new.channels.contains_key(*id))
        {
            plan.stop.push(id.clone());
        }
        for (id, channel) in &new.channels {
            let Some(before) = old.channels.get(id) else {
                plan.start.push(id.clone());
                continue;
            };
            let mut restart = restarting_keys(before, channel);
            restart.extend(plugin_change(&channel.adapter, old_plugins, new_plugins));
            let update = updating_keys(before, channel);
            if !restart.is_empty() {
                restart.extend(update);
                plan.restart.insert(id.clone(), restart);
            } else if update.is_empty() {
                plan.keep.push(id.clone());
            } else {
                plan.update.insert(id.clone(), update);
            }
        }
        for pointer in changed(&sections(old), &sections(new)) {
            let needs_restart = needs_restart(&pointer);
            let keys = if needs_restart {
                &mut plan.needs_restart
            } else {
                &mut plan.apply
            };
            keys.push(key_path(&pointer));
        }
        plan
    }

    /// True where nothing changes.
    pub fn is_empty(&self) -> bool {
        let Self {
            start,
            stop,
            restart,
            update,
            keep: _,
            apply,
            needs_restart,
        } = self;
        let lists = [start, stop, apply, needs_restart];
        lists.iter().all(|list| list.is_empty()) && restart.is_empty() && update.is_empty()
    }
}

/// Changes that the adapter has to be opened anew for.
fn restarting_keys(old: &Channel, new: &Channel) -> Vec<String> {
    let part = |channel: &Channel| {
        json!({
            "adapter": channel.adapter,
            "organization": channel.organization,
            "allow_private": channel.allow_private,
        })
    };
    let mut keys = changed(&part(old), &part(new));
    let sections = changed(old.config.expose(), new.config.expose());
    keys.extend(sections.iter().map(|pointer| format!("/config{pointer}")));
    keys.iter().map(|pointer| key_path(pointer)).collect()
}

/// Changes that a running channel takes as they are.
fn updating_keys(old: &Channel, new: &Channel) -> Vec<String> {
    let changes = [
        ("display_name", old.display_name != new.display_name),
        ("enabled", old.enabled != new.enabled),
        ("webhook_token", old.webhook_tokens != new.webhook_tokens),
        ("webhook_paths", old.webhook_paths != new.webhook_paths),
        ("body_bytes_max", old.body_bytes_max != new.body_bytes_max),
        ("coalesce", old.coalesce != new.coalesce),
        ("uncertain", old.uncertain != new.uncertain),
        ("rate", old.rate != new.rate),
        ("account", old.account != new.account),
        ("concurrency", old.concurrency != new.concurrency),
        ("text", old.text != new.text),
        ("cost", old.cost != new.cost),
        ("inbound", old.inbound != new.inbound),
        ("consent", old.consent != new.consent),
        ("expect", old.expect != new.expect),
        ("canary", old.canary != new.canary),
        ("address", old.address != new.address),
        ("outside_window", old.outside_window != new.outside_window),
        ("reply_window", old.reply_window != new.reply_window),
    ];
    let changes = changes.into_iter().filter(|(_, differs)| *differs);
    changes.map(|(key, _)| key.to_owned()).collect()
}

fn plugin_change(adapter: &str, old: &PluginHashes, new: &PluginHashes) -> Option<String> {
    match (old.get(adapter), new.get(adapter)) {
        (Some(before), Some(now)) if before != now => Some(format!("plugin {adapter} changed")),
        (None, Some(_)) => Some(format!("plugin {adapter} is there now")),
        (Some(_), None) => Some(format!("plugin {adapter} is gone")),
        _ => None,
    }
}

/// All sections but the channels.
fn sections(config: &Config) -> Value {
    json!({
        "server": config.server,
        "admin": config.admin,
        "lmtp": config.lmtp,
        "store": config.store,
        "retention": config.retention,
        "plugins": config.plugins,
        "health": config.health,
        "delivery": config.delivery,
        "backfill": config.backfill,
        "media": config.media,
        "coalesce": config.coalesce,
        "outbound": config.outbound,
        "inbound": config.inbound,
        "consent": config.consent,
        "commands": config.commands,
        "thread": config.thread,
        "account": config.accounts,
        "form": config.forms,
        "templates": config.templates,
        "log": config.log,
        "organization": config.organizations,
    })
}

fn needs_restart(pointer: &str) -> bool {
    let mut schema = &*SCHEMA;
    pointer.split('/').skip(1).any(|step| {
        schema = &schema["properties"][step];
        schema["x-restart"] == json!(true)
    })
}

/// Pointers to the values that differ, as deep as both sides are tables.
fn changed(old: &Value, new: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if let (Value::Object(old), Value::Object(new)) = (old, new) {
        compare(old, new, "", &mut found);
    }
    found
}

fn compare(
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    pointer: &str,
    found: &mut Vec<String>,
) {
    let added = new.keys().filter(|key| !old.contains_key(*key));
    let mut keys: Vec<_> = old.keys().chain(added).collect();
    keys.sort();
    for key in keys {
        let pointer = child(pointer, key);
        match (old.get(key), new.get(key)) {
            (Some(Value::Object(old)), Some(Value::Object(new))) => {
                compare(old, new, &pointer, found);
            }
            (old, new) if old != new => found.push(pointer),
            _ => {}
        }
    }
}

/// One line for each channel that changes, for people.
impl fmt::Display for ReloadPlan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Vec::new();
        lines.extend(self.start.iter().map(|id| format!("start    {id}")));
        lines.extend(self.stop.iter().map(|id| format!("stop     {id}")));
        for (verb, channels) in [("restart  ", &self.restart), ("update   ", &self.update)] {
            let line =
                |(id, keys): (&String, &Vec<String>)| format!("{verb}{id} ({})", keys.join(", "));
            lines.extend(channels.iter().map(line));
        }
        let lists = [
            ("keep     ", &self.keep),
            ("apply    ", &self.apply),
            ("waits for a restart of the daemon: ", &self.needs_restart),
        ];
        let lists = lists.into_iter().filter(|(_, list)| !list.is_empty());
        lines.extend(lists.map(|(verb, list)| format!("{verb}{}", list.join(", "))));
        if self.is_empty() {
            lines.push("nothing changes".into());
        }
        formatter.write_str(&lines.join("\n"))
    }
}
