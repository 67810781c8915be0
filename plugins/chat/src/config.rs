//! `[channel.X.config]` of a chat channel. The keys are read by the daemon's chat door; here they are
//! described and checked.

use schemars::JsonSchema;
use serde::Deserialize;
use trunkline_plugin_api::{AdapterError, Facts, Front, Medium};
use url::Url;

use crate::SPACE;

/// Characters of the title.
const TITLE_CHARS_MAX: usize = 100;
/// Characters of the greeting.
const GREETING_CHARS_MAX: usize = 1_000;
/// Origins that may show the chat.
const ORIGINS_MAX: usize = 100;

/// The keys of `[channel.X.config]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What stands above the conversation. Default: the channel's `display_name`.
    #[serde(default)]
    #[schemars(length(min = 1, max = 100))]
    title: Option<String>,
    /// What a visitor reads before anything was said. Default: nothing.
    #[serde(default)]
    #[schemars(length(max = 1000))]
    greeting: Option<String>,
    /// The sites that may show the chat in a frame of their own, such as `https://www.example.org`;
    /// no path. Default: none; the chat's own page always works.
    #[serde(default)]
    allowed_origins: Vec<String>,
}

impl Config {
    /// Checks the section and says what a channel with it can do.
    pub(crate) fn check(&self) -> Result<Facts, AdapterError> {
        if let Some(title) = &self.title {
            if title.trim().is_empty() {
                return Err(AdapterError::config(
                    "title is empty: set it or leave it out",
                ));
            }
            bounded("title", title, TITLE_CHARS_MAX)?;
        }
        bounded(
            "greeting",
            self.greeting.as_deref().unwrap_or_default(),
            GREETING_CHARS_MAX,
        )?;
        if self.allowed_origins.len() > ORIGINS_MAX {
            let words = format!("allowed_origins has more than {ORIGINS_MAX} entries");
            return Err(AdapterError::config(words));
        }
        for (index, origin) in self.allowed_origins.iter().enumerate() {
            check_origin(origin).map_err(|why| {
                AdapterError::config(format!("allowed_origins, number {}: {why}", index + 1))
            })?;
        }
        Ok(Facts {
            can_receive: true,
            can_send: true,
            // The page knows every message by its id and shows a repeated one once.
            idempotent_send: true,
            fronts: vec![Front::Chat],
            notes: self.notes(),
            ..Facts::new(Medium::Chat, SPACE)
        })
    }

    fn notes(&self) -> Vec<String> {
        let plain = |origin: &&String| {
            let host = origin.strip_prefix("http://");
            host.is_some_and(|host| !host.starts_with("localhost") && !host.starts_with("127."))
        };
        let found = self.allowed_origins.iter().filter(plain);
        found
            .map(|origin| format!("{origin} is plain http: what visitors say can be read there"))
            .collect()
    }
}

fn bounded(key: &str, text: &str, chars_max: usize) -> Result<(), AdapterError> {
    if text.chars().count() <= chars_max {
        return Ok(());
    }
    Err(AdapterError::config(format!(
        "{key} is longer than {chars_max} characters"
    )))
}

/// A scheme, a host, a port where it is not the usual one, and nothing else: what a browser sends
/// as `Origin`.
fn check_origin(text: &str) -> Result<(), &'static str> {
    let url = Url::parse(text).map_err(|_| "not an origin such as \"https://www.example.org\"")?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err("must begin with https:// or http:// and name a host");
    }
    if url.origin().ascii_serialization() != text {
        return Err(
            "must be scheme, host and port alone, in lower case, without a slash at its end",
        );
    }
    Ok(())
}
