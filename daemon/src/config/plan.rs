//! The difference between two configurations: what a reload does.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    Config,
    channel::Channel,
    document::SCHEMA,
    finding::{child, key_path},
    plan_plugins::{PluginChange, PluginsFound, RefusedPlugin, changes},
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
    /// Plugins whose file changed.
    pub plugins: Vec<PluginChange>,
    /// Plugin files that are not loaded.
    pub refused: Vec<RefusedPlugin>,
}

impl ReloadPlan {
    /// What leads from `old` to `new`, with the plugins loaded before and those to load now.
    pub fn between(
        old: &Config,
        new: &Config,
        old_plugins: &PluginsFound,
        new_plugins: &PluginsFound,
    ) -> Self {
        let mut plan = Self {
            plugins: changes(old_plugins, new_plugins),
            ..Self::default()
        };
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
            let change = plan.plugins.iter_mut();
            for change in change.filter(|change| change.adapter == channel.adapter) {
                change.channels.push(id.clone());
                restart.push(words(change));
            }
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
            plugins,
            refused: _,
        } = self;
        let lists = [start, stop, apply, needs_restart];
        let channels = restart.is_empty() && update.is_empty();
        channels && plugins.is_empty() && lists.iter().all(|list| list.is_empty())
    }

    /// Has a channel start anew that would be kept or only updated.
    pub fn force_restart(&mut self, id: &str, reason: String) {
        let kept = self.keep.iter().position(|kept| kept == id);
        let mut keys = self.update.remove(id).unwrap_or_default();
        if let Some(kept) = kept {
            self.keep.remove(kept);
        } else if keys.is_empty() {
            return;
        }
        keys.insert(0, reason);
        self.restart.insert(id.to_owned(), keys);
    }
}

/// Changes that the adapter has to be opened anew for.
fn restarting_keys(old: &Channel, new: &Channel) -> Vec<String> {
    let part = |channel: &Channel| {
        json!({
            "adapter": channel.adapter,
            "organization": channel.organization,
            "allow_private": channel.allow_private,
            "isolation": channel.isolation,
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

fn words(change: &PluginChange) -> String {
    let adapter = &change.adapter;
    match (&change.from, &change.to) {
        (None, _) => format!("plugin {adapter} is there now"),
        (_, None) => format!("plugin {adapter} is gone"),
        _ => format!("plugin {adapter} changed"),
    }
}

/// All sections but the channels.
fn sections(config: &Config) -> Value {
    json!({
        "server": config.server,
        "admin": config.admin,
        "lmtp": config.lmtp,
        "secrets": config.secrets,
        "store": config.store,
        "retention": config.retention,
        "plugins": config.plugins,
        "health": config.health,
        "delivery": config.delivery,
        "backfill": config.backfill,
        "reload": config.reload,
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
