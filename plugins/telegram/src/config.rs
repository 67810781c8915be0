//! `[channel.X.config]` of a Telegram channel, and what the rest of the adapter works with.

use schemars::JsonSchema;
use serde::Deserialize;
use trunkline_plugin_api::{AdapterError, ErrorClass, Facts, Medium, Secret, SecretList, api_base};

use crate::{api::Api, content::TEXT_CHARS_MAX};

/// Characters of a webhook's secret token (Bot API, setWebhook).
const SECRET_CHARS_MAX: usize = 256;

/// The keys of `[channel.X.config]`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The bot's token from @BotFather (`123456789:AA...`). Needed to send and to fetch attachments. No default.
    #[serde(default)]
    bot_token: Option<Secret>,
    /// The `secret_token` given to Telegram with `setWebhook`: it proves that an update is Telegram's. 1 to 256 of
    /// `A-Z`, `a-z`, `0-9`, `_` and `-`; a list while it is being changed. Needed to receive. No default.
    #[serde(default)]
    secret_token: SecretList,
    /// Base address of the API; another one for a Bot API server of your own. Default:
    /// `https://api.telegram.org`.
    #[serde(default = "default_api_base")]
    #[schemars(length(min = 1))]
    api_base: String,
}

fn default_api_base() -> String {
    "https://api.telegram.org".into()
}

/// A checked configuration. Not printable: it holds secrets.
pub(crate) struct Settings {
    /// The channel's id, for words about its configuration.
    pub(crate) channel: String,
    /// What proves an update.
    pub(crate) secrets: SecretList,
    /// How to call Telegram; none without a token.
    api: Option<Api>,
}

impl Settings {
    /// How to call Telegram.
    pub(crate) fn api(&self) -> Result<&Api, AdapterError> {
        self.api.as_ref().ok_or_else(|| {
            let words = format!(
                "no credentials configured: set bot_token in [channel.{}.config]",
                self.channel
            );
            AdapterError::new(ErrorClass::Credentials, "no_credentials", words)
        })
    }

    /// The bot's id, where there is a token.
    pub(crate) fn bot(&self) -> Option<&str> {
        self.api.as_ref().map(Api::bot)
    }

    /// A text without the bot's token.
    pub(crate) fn mask(&self, text: &str) -> String {
        match &self.api {
            Some(api) => api.mask(text),
            None => text.into(),
        }
    }
}

impl Config {
    /// Checks the configuration and says what a channel with it can do. Half a configuration is valid; a value
    /// that can never work is an error of class `config`.
    pub(crate) fn check(self, channel: &str) -> Result<(Settings, Facts), AdapterError> {
        let base = api_base::parse(&self.api_base)?;
        if !self.secret_token.iter().all(is_secret_token) {
            return Err(AdapterError::config(
                "secret_token must be 1 to 256 of A-Z, a-z, 0-9, _ and -: Telegram takes nothing else",
            ));
        }
        let mut notes = Vec::from_iter(api_base::note(&base));
        let api = match &self.bot_token {
            Some(token) => Some(Api::new(&base, token.expose()).ok_or_else(|| {
                AdapterError::config(
                    "bot_token does not look like 123456789:AA...: copy it from @BotFather",
                )
            })?),
            None => None,
        };
        if api.is_none() && !self.secret_token.is_empty() {
            notes.push("without bot_token this channel can't send or fetch attachments".into());
        }
        let settings = Settings {
            channel: channel.into(),
            secrets: self.secret_token,
            api,
        };
        let facts = Facts {
            addresses: settings.bot().map(String::from).into_iter().collect(),
            can_receive: !settings.secrets.is_empty(),
            can_send: settings.api.is_some(),
            max_len: Some(TEXT_CHARS_MAX),
            notes,
            ..Facts::new(Medium::Chat, "telegram")
        };
        Ok((settings, facts))
    }
}

fn is_secret_token(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    (1..=SECRET_CHARS_MAX).contains(&text.len()) && text.bytes().all(allowed)
}
