//! A plan in words and as JSON; both say the same.

use std::fmt;

use serde_json::{Value, json};

use super::{
    plan::ReloadPlan,
    plan_plugins::{PluginBuild, PluginChange},
};

/// Digits of a hash that are shown to people.
const HASH_CHARS: usize = 12;

impl ReloadPlan {
    /// The plan for programs; `summary` is the plan in words.
    pub fn as_json(&self) -> Value {
        json!({
            "start": self.start,
            "stop": self.stop,
            "restart": self.restart,
            "update": self.update,
            "keep": self.keep,
            "apply": self.apply,
            "needs_restart": self.needs_restart,
            "plugins": self.plugins,
            "refused": self.refused,
            "summary": self.to_string(),
        })
    }
}

/// One line for each channel and plugin that changes, for people.
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
        lines.extend(self.plugins.iter().flat_map(plugin));
        let refused = self.refused.iter();
        lines.extend(refused.map(|file| format!("refuse   {}: {}", file.path, file.reason)));
        if self.is_empty() {
            lines.push("nothing changes".into());
        }
        formatter.write_str(&lines.join("\n"))
    }
}

/// What a plugin's new file changes, a line for the file and one for each kind of change.
fn plugin(change: &PluginChange) -> Vec<String> {
    let id = &change.adapter;
    let mut lines = vec![match (&change.from, &change.to) {
        (Some(from), Some(to)) => format!("plugin   {id} {} -> {}", build(from), build(to)),
        (None, Some(to)) => format!("plugin   {id} {} is new", build(to)),
        (Some(from), None) => format!("plugin   {id} {} goes", build(from)),
        (None, None) => return Vec::new(),
    }];
    let details = [
        ("calls that are new", &change.capabilities_added),
        ("calls that are gone", &change.capabilities_removed),
        ("keys that are new", &change.keys_added),
        ("keys that are gone", &change.keys_removed),
        ("keys that take something else", &change.keys_changed),
        ("keys that must be given now", &change.keys_required),
        ("channels that restart for it", &change.channels),
    ];
    let details = details.into_iter().filter(|(_, list)| !list.is_empty());
    lines.extend(details.map(|(words, list)| format!("           {words}: {}", list.join(", "))));
    lines
}

fn build(build: &PluginBuild) -> String {
    let hash: String = build.sha256.chars().take(HASH_CHARS).collect();
    format!("{} ({hash})", build.version)
}
