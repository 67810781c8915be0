//! `[channel.X.config]` of a Twilio channel, and what the rest of the adapter works with.

use std::{collections::BTreeMap, num::NonZeroU32};

use schemars::JsonSchema;
use serde::Deserialize;
use trunkline_plugin_api::{AdapterError, Facts, Medium, SecretList, api_base};
use url::Url;

use crate::{
    address::{WHATSAPP, is_whatsapp},
    rest::Api,
    signature::Keys,
};

/// Characters that Twilio takes in one message (its Message resource).
pub(crate) const BODY_CHARS_MAX: u32 = 1_600;

/// WhatsApp's customer service window: free-form messages for 24 hours after a person's last one
/// (Twilio, error 63016).
const REPLY_WINDOW_MS: i64 = 24 * 60 * 60 * 1_000;

/// Appended to the webhook URL at Twilio: three retries, on every kind of failure. Without it
/// Twilio retries only failed connections (its page on connection overrides).
const CONNECTION_OVERRIDES: &str = "#rc=3&rp=all";

/// The keys of `[channel.X.config]`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Account SID (`AC` and 32 hexadecimal digits). Needed to send. Where it is set, webhooks
    /// that name another account are refused. No default.
    #[serde(default)]
    #[schemars(length(min = 1))]
    account_sid: Option<String>,
    /// Primary auth token of the account; a list while it is being rotated. Any of them verifies
    /// webhooks, the first one authenticates calls. No default.
    #[serde(default)]
    auth_token: SecretList,
    /// Shared keys for webhooks signed with HMAC-SHA256: a table from the key's id to its secret.
    /// Default: empty.
    #[serde(default)]
    shared_keys: BTreeMap<String, SecretList>,
    /// Sender: a number (`+15550100`), a short code, a sender name, or `whatsapp:+15550100`, which
    /// makes this a WhatsApp channel. This or `messaging_service_sid` is needed to send. No default.
    #[serde(default)]
    #[schemars(length(min = 1))]
    from: Option<String>,
    /// Messaging Service to send through (`MG` and 32 hexadecimal digits). No default.
    #[serde(default)]
    #[schemars(length(min = 1))]
    messaging_service_sid: Option<String>,
    /// API key SID (`SK` and 32 hexadecimal digits): authenticates calls in place of the auth
    /// token, together with `api_key_secret`. No default.
    #[serde(default)]
    #[schemars(length(min = 1))]
    api_key_sid: Option<String>,
    /// Secret of the API key. No default.
    #[serde(default)]
    api_key_secret: SecretList,
    /// Longest message, in characters; longer ones are split or refused. Default: 1600, which is
    /// also the most that Twilio takes.
    #[serde(default)]
    max_len: Option<NonZeroU32>,
    /// Base address of the API. Default: `https://api.twilio.com`.
    #[serde(default = "default_api_base")]
    #[schemars(length(min = 1))]
    api_base: String,
}

fn default_api_base() -> String {
    "https://api.twilio.com".into()
}

/// A checked configuration. Not printable: it holds secrets.
pub(crate) struct Settings {
    /// The channel's id, for words about its configuration.
    pub(crate) channel: String,
    /// The account that webhooks must come from, where configured.
    pub(crate) account_sid: Option<String>,
    /// What verifies webhooks.
    pub(crate) keys: Keys,
    /// How to call Twilio; none without credentials.
    pub(crate) api: Option<Api>,
    /// `From` of outbound messages, with its `whatsapp:` prefix.
    pub(crate) from: Option<String>,
    /// `MessagingServiceSid` of outbound messages.
    pub(crate) service: Option<String>,
}

impl Settings {
    /// True where messages have a sender.
    pub(crate) fn has_sender(&self) -> bool {
        self.from.is_some() || self.service.is_some()
    }

    /// True where every message of the channel goes over WhatsApp.
    pub(crate) fn is_whatsapp(&self) -> bool {
        self.from.as_deref().is_some_and(is_whatsapp)
    }
}

impl Config {
    /// Checks the configuration and says what a channel with it can do.
    ///
    /// Half a configuration is valid; a value that can never work is an error of class `config`.
    /// SIDs of an unusual shape only earn a note, since Twilio's test values differ.
    pub(crate) fn check(self, channel: &str) -> Result<(Settings, Facts), AdapterError> {
        self.check_not_empty()?;
        let base = api_base::parse(&self.api_base)?;
        let notes = self.notes(&base);
        let max_len = self.max_len.map_or(BODY_CHARS_MAX, NonZeroU32::get);
        let api = self.api(base)?;
        let settings = Settings {
            channel: channel.into(),
            account_sid: self.account_sid,
            keys: Keys::new(self.auth_token, self.shared_keys),
            api,
            from: self.from,
            service: self.messaging_service_sid,
        };
        let facts = Facts {
            addresses: settings.from.iter().cloned().collect(),
            can_receive: !settings.keys.is_empty(),
            can_send: settings.api.is_some() && settings.has_sender(),
            max_len: Some(max_len.min(BODY_CHARS_MAX)),
            accepts_get: true,
            webhook_url_suffix: CONNECTION_OVERRIDES.into(),
            notes,
            ..if settings.is_whatsapp() {
                Facts {
                    reply_window_ms: Some(REPLY_WINDOW_MS),
                    ..Facts::new(Medium::Whatsapp, "whatsapp")
                }
            } else {
                Facts::new(Medium::Sms, "phone")
            }
        };
        Ok((settings, facts))
    }

    fn check_not_empty(&self) -> Result<(), AdapterError> {
        let texts = [
            ("account_sid", &self.account_sid),
            ("from", &self.from),
            ("messaging_service_sid", &self.messaging_service_sid),
            ("api_key_sid", &self.api_key_sid),
        ];
        for (key, value) in texts {
            if value.as_deref().is_some_and(|text| text.trim().is_empty()) {
                return Err(AdapterError::config(format!(
                    "{key} is empty: set it or leave it out"
                )));
            }
        }
        let lists = [
            ("auth_token", &self.auth_token),
            ("api_key_secret", &self.api_key_secret),
        ];
        let shared = self
            .shared_keys
            .iter()
            .map(|(id, secrets)| (id.as_str(), secrets));
        for (key, secrets) in lists.into_iter().chain(shared) {
            // Anyone could sign with an empty secret.
            if secrets.iter().any(str::is_empty) {
                return Err(AdapterError::config(format!(
                    "the secret {key} is empty: set it or leave it out"
                )));
            }
        }
        if self.from.as_deref() == Some(WHATSAPP) {
            return Err(AdapterError::config(
                "from holds no number after `whatsapp:`",
            ));
        }
        Ok(())
    }

    /// Account and credentials, where both are there: the API key if there is one, else the first
    /// auth token.
    fn api(&self, base: Url) -> Result<Option<Api>, AdapterError> {
        let key = match (&self.api_key_sid, self.api_key_secret.first()) {
            (Some(sid), Some(secret)) => Some((sid.as_str(), secret)),
            (None, None) => None,
            (Some(_), None) => {
                return Err(AdapterError::config("api_key_sid needs api_key_secret"));
            }
            (None, Some(_)) => {
                return Err(AdapterError::config("api_key_secret needs api_key_sid"));
            }
        };
        let Some(account) = self.account_sid.as_deref() else {
            return Ok(None);
        };
        let login = key.or(self.auth_token.first().map(|token| (account, token)));
        if login.is_some_and(|(user, _)| user.contains(':')) {
            return Err(AdapterError::config(
                "account_sid and api_key_sid can't hold a colon",
            ));
        }
        Ok(login.map(|(user, password)| Api::new(base, account, user, password, key.is_some())))
    }

    fn notes(&self, base: &Url) -> Vec<String> {
        let mut notes = Vec::new();
        let sids = [
            ("account_sid", "AC", &self.account_sid),
            ("messaging_service_sid", "MG", &self.messaging_service_sid),
            ("api_key_sid", "SK", &self.api_key_sid),
        ];
        for (key, prefix, value) in sids {
            if value.as_deref().is_some_and(|sid| !is_sid(sid, prefix)) {
                notes.push(format!(
                    "{key} does not look like `{prefix}` and 32 hexadecimal digits"
                ));
            }
        }
        if self.max_len.is_some_and(|max| max.get() > BODY_CHARS_MAX) {
            notes.push(format!(
                "max_len is lowered to {BODY_CHARS_MAX}, the most that Twilio takes"
            ));
        }
        notes.extend(api_base::note(base));
        if self.account_sid.is_none() && self.from.is_some() {
            notes.push("without account_sid this channel can't send".into());
        }
        notes
    }
}

fn is_sid(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|digits| {
        digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}
