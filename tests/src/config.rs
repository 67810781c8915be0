//! Configuration for a daemon under test, built in code and written as the files ops would write.
//!
//! The main file holds the server's sections, `channels.d/ID.toml` one channel each. Intervals are
//! small, so that tests wait for conditions and not for the clock.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use serde_json::Value;

/// The whole configuration: dotted keys and channels.
#[derive(Debug, Clone)]
pub struct Config {
    keys: Vec<(String, Value)>,
    channels: Vec<Channel>,
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

impl Config {
    /// No channels, every interval as the daemon has it; the log as the harness reads it.
    pub fn with_defaults() -> Self {
        let config = Self {
            keys: Vec::new(),
            channels: Vec::new(),
        };
        config.set("log.format", "json")
    }

    /// No channels, small intervals, the poller asleep unless a test wakes it.
    pub fn new() -> Self {
        Self::with_defaults()
            .set("server.drain", "5s")
            .set("health.interval", "1s")
            .set("health.timeout", "2s")
            .set("delivery.interval", "1h")
            .set("coalesce.quiet", "100ms")
            .set("coalesce.max", "500ms")
            .set("outbound.backoff_base", "50ms")
            .set("outbound.backoff_max", "400ms")
            .set("outbound.attempts_max", 6)
            .set("outbound.call_timeout", "2s")
    }

    /// Sets `section.key`, in place of what it was.
    #[must_use]
    pub fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.keys.retain(|(name, _)| name != key);
        self.keys.push((key.to_owned(), value.into()));
        self
    }

    /// The value set for `section.key`, where it is a string.
    pub fn get(&self, key: &str) -> Option<&str> {
        let found = self.keys.iter().find(|(name, _)| name == key);
        found.and_then(|(_, value)| value.as_str())
    }

    /// Adds a channel, in place of the one of that id.
    #[must_use]
    pub fn channel(mut self, channel: Channel) -> Self {
        self.put(channel);
        self
    }

    /// Adds or replaces a channel.
    pub fn put(&mut self, channel: Channel) {
        self.remove(&channel.id);
        self.channels.push(channel);
    }

    /// Removes a channel.
    pub fn remove(&mut self, id: &str) {
        self.channels.retain(|channel| channel.id != id);
    }

    /// The channel of that id.
    pub fn find(&self, id: &str) -> &Channel {
        let found = self.channels.iter().find(|channel| channel.id == id);
        found.unwrap_or_else(|| panic!("no channel {id} in this configuration"))
    }

    /// Writes `trunkline.toml` and `channels.d/` into `folder`, removing channels that are gone.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        std::fs::write(folder.join("trunkline.toml"), self.main_file())?;
        let channels = folder.join("channels.d");
        if channels.exists() {
            std::fs::remove_dir_all(&channels)?;
        }
        std::fs::create_dir(&channels)?;
        for channel in &self.channels {
            std::fs::write(
                channels.join(format!("{}.toml", channel.id)),
                channel.toml(),
            )?;
        }
        Ok(())
    }

    fn main_file(&self) -> String {
        let mut keys: Vec<_> = self
            .keys
            .iter()
            .map(|(key, value)| (split(key), value))
            .collect();
        keys.sort_by_key(|((section, _), _)| *section);
        let mut text = String::new();
        let mut current = "";
        for ((section, key), value) in keys {
            if section != current {
                let _ = writeln!(text, "[{section}]");
                current = section;
            }
            let _ = writeln!(text, "{key} = {}", literal(value));
        }
        text
    }
}

/// One channel.
#[derive(Debug, Clone)]
pub struct Channel {
    id: String,
    keys: Vec<(String, Value)>,
    config: Vec<(String, Value)>,
}

impl Channel {
    /// A channel of an adapter, with a webhook token and leave to call loopback addresses.
    pub fn new(id: &str, adapter: &str) -> Self {
        let channel = Self {
            id: id.to_owned(),
            keys: Vec::new(),
            config: Vec::new(),
        };
        channel
            .key("adapter", adapter)
            .key("organization", "default")
            .key("allow_private", true)
            .key(
                "webhook_token",
                format!("{id}.0123456789abcdef0123456789abcdef"),
            )
    }

    /// A Twilio channel of an account, sending from `+15550100` unless told otherwise.
    pub fn twilio(id: &str, account_sid: &str, auth_token: &str, api_base: &str) -> Self {
        Self::new(id, "twilio")
            .config("account_sid", account_sid)
            .config("auth_token", auth_token)
            .config("from", "+15550100")
            .config("api_base", api_base)
    }

    /// A generic webhook channel without any proof or target yet.
    pub fn webhook(id: &str) -> Self {
        Self::new(id, "webhook")
    }

    /// The same channel under another id (and so another token).
    #[must_use]
    pub fn renamed(mut self, id: &str) -> Self {
        id.clone_into(&mut self.id);
        self.key(
            "webhook_token",
            format!("{id}.0123456789abcdef0123456789abcdef"),
        )
    }

    /// Sets a key of the channel.
    #[must_use]
    pub fn key(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.keys.retain(|(name, _)| name != key);
        self.keys.push((key.to_owned(), value.into()));
        self
    }

    /// Sets a key of the adapter's own section.
    #[must_use]
    pub fn config(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.config.retain(|(name, _)| name != key);
        self.config.push((key.to_owned(), value.into()));
        self
    }

    /// Removes a key wherever it is.
    #[must_use]
    pub fn without(mut self, key: &str) -> Self {
        self.keys.retain(|(name, _)| name != key);
        self.config.retain(|(name, _)| name != key);
        self
    }

    /// `/webhooks/ID/TOKEN`, or `/webhooks/ID` where the channel has no token.
    pub fn path(&self) -> String {
        let token = self.keys.iter().find(|(name, _)| name == "webhook_token");
        match token.and_then(|(_, value)| value.as_str()) {
            Some(token) => format!("/webhooks/{}/{token}", self.id),
            None => format!("/webhooks/{}", self.id),
        }
    }

    /// A string of the adapter's section.
    pub fn get(&self, key: &str) -> &str {
        let found = self.config.iter().find(|(name, _)| name == key);
        found
            .and_then(|(_, value)| value.as_str())
            .unwrap_or_default()
    }

    fn toml(&self) -> String {
        let mut text = format!("[channel.{}]\n", self.id);
        for (key, value) in &self.keys {
            let _ = writeln!(text, "{key} = {}", literal(value));
        }
        let _ = writeln!(text, "[channel.{}.config]", self.id);
        for (key, value) in &self.config {
            let _ = writeln!(text, "{key} = {}", literal(value));
        }
        text
    }
}

/// `health.interval` → (`health`, `interval`).
fn split(key: &str) -> (&str, &str) {
    key.rsplit_once('.').unwrap_or(("", key))
}

/// A TOML literal. TOML's basic strings escape as JSON's do.
fn literal(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(literal).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(members) => {
            let pair = |(key, value): (&String, &Value)| {
                format!("{} = {}", Value::from(key.as_str()), literal(value))
            };
            let members: Vec<_> = members.iter().map(pair).collect();
            format!("{{ {} }}", members.join(", "))
        }
        other => other.to_string(),
    }
}
