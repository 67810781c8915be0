//! `[channel.X.config]` of a WhatsApp channel, and what the rest of the adapter works with.

use schemars::JsonSchema;
use serde::Deserialize;
use trunkline_plugin_api::{AdapterError, ErrorClass, Facts, Medium, SecretList, api_base};
use url::Url;

use crate::graph::Api;

/// Characters in the body of a text message (Meta: Text messages).
pub(crate) const TEXT_CHARS_MAX: u32 = 4_096;
/// How long after a person's last message free-form messages are allowed (Meta: customer service
/// windows), in milliseconds.
const REPLY_WINDOW_MS: i64 = 24 * 60 * 60 * 1_000;
/// Meta's batches reach 3 MB (Meta: Webhooks).
const BODY_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The keys of `[channel.X.config]`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Id of the business phone number (digits; not the number itself). Needed to send; webhooks
    /// of this number come to this channel. No default.
    #[serde(default)]
    #[schemars(length(min = 1))]
    phone_number_id: Option<String>,
    /// Id of the WhatsApp Business Account. Needed to list templates. No default.
    #[serde(default)]
    #[schemars(length(min = 1))]
    waba_id: Option<String>,
    /// Id of the Meta app, for the words about its token. No default.
    #[serde(default)]
    #[schemars(length(min = 1))]
    app_id: Option<String>,
    /// App secret of the Meta app: verifies webhooks. A list while it is being rotated. No default.
    #[serde(default)]
    app_secret: SecretList,
    /// Access token for calls; that of a system user does not expire. Of a list the first one is used.
    /// No default.
    #[serde(default)]
    access_token: SecretList,
    /// The verify token entered beside the webhook URL at Meta; a list while it is being changed. No
    /// default.
    #[serde(default)]
    verify_token: SecretList,
    /// Version of the Graph API. Default: `v25.0`.
    #[serde(default = "default_graph_version")]
    #[schemars(regex(pattern = r"^v[0-9]+\.[0-9]+$"))]
    graph_version: String,
    /// Base address of the API. Default: `https://graph.facebook.com`.
    #[serde(default = "default_api_base")]
    #[schemars(length(min = 1))]
    api_base: String,
}

fn default_graph_version() -> String {
    "v25.0".into()
}

fn default_api_base() -> String {
    "https://graph.facebook.com".into()
}

/// A checked configuration. Not printable: it holds secrets.
pub(crate) struct Settings {
    /// The channel's id, for words about its configuration.
    pub(crate) channel: String,
    /// Verify webhooks.
    pub(crate) app_secrets: SecretList,
    /// Verify Meta's check of the webhook URL.
    pub(crate) verify_tokens: SecretList,
    pub(crate) phone_number_id: Option<String>,
    pub(crate) waba_id: Option<String>,
    pub(crate) app_id: Option<String>,
    /// How to call Meta; none without an access token.
    pub(crate) api: Option<Api>,
}

impl Settings {
    /// How to call Meta and the number to call as, or the error of a channel that lacks one.
    pub(crate) fn caller(&self) -> Result<(&Api, &str), AdapterError> {
        let api = self.api()?;
        let number = self.phone_number_id.as_deref().ok_or_else(|| {
            AdapterError::new(
                ErrorClass::Config,
                "no_sender",
                "No sender configured: set phone_number_id",
            )
        })?;
        Ok((api, number))
    }

    /// How to call Meta, or the error of a channel without credentials.
    pub(crate) fn api(&self) -> Result<&Api, AdapterError> {
        self.api.as_ref().ok_or_else(|| {
            AdapterError::new(
                ErrorClass::Credentials,
                "no_credentials",
                "No credentials configured: set access_token",
            )
        })
    }
}

impl Config {
    /// Checks the configuration and says what a channel with it can do.
    ///
    /// Half a configuration is valid; a value that can never work is an error of class `config`.
    pub(crate) fn check(self, channel: &str) -> Result<(Settings, Facts), AdapterError> {
        self.check_ids()?;
        self.check_secrets()?;
        if !is_version(&self.graph_version) {
            return Err(AdapterError::config("graph_version must look like `v25.0`"));
        }
        let base = api_base::parse(&self.api_base)?;
        let notes = self.notes(&base);
        let token = self.access_token.first();
        let api = token.map(|token| Api::new(base, &self.graph_version, token));
        let settings = Settings {
            channel: channel.into(),
            app_secrets: self.app_secret,
            verify_tokens: self.verify_token,
            phone_number_id: self.phone_number_id,
            waba_id: self.waba_id,
            app_id: self.app_id,
            api,
        };
        let facts = Facts {
            addresses: settings.phone_number_id.iter().cloned().collect(),
            can_receive: !settings.app_secrets.is_empty(),
            can_send: settings.caller().is_ok(),
            max_len: Some(TEXT_CHARS_MAX),
            body_bytes_max: Some(BODY_BYTES_MAX),
            accepts_get: !settings.verify_tokens.is_empty(),
            reply_window_ms: Some(REPLY_WINDOW_MS),
            notes,
            ..Facts::new(Medium::Whatsapp, "whatsapp")
        };
        Ok((settings, facts))
    }

    /// Ids become parts of paths, so they hold nothing that means something there.
    fn check_ids(&self) -> Result<(), AdapterError> {
        let ids = [
            ("phone_number_id", &self.phone_number_id),
            ("waba_id", &self.waba_id),
            ("app_id", &self.app_id),
        ];
        for (key, id) in ids {
            let Some(id) = id else { continue };
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            if id.is_empty() || !id.bytes().all(plain) {
                return Err(AdapterError::config(format!(
                    "{key} must be the id that Meta shows: digits, no plus and no blanks"
                )));
            }
        }
        Ok(())
    }

    fn check_secrets(&self) -> Result<(), AdapterError> {
        let lists = [
            ("app_secret", &self.app_secret),
            ("access_token", &self.access_token),
            ("verify_token", &self.verify_token),
        ];
        for (key, secrets) in lists {
            // Anyone could sign with an empty secret.
            if secrets.iter().any(str::is_empty) {
                return Err(AdapterError::config(format!(
                    "the secret {key} is empty: set it or leave it out"
                )));
            }
        }
        let token = self.access_token.first().unwrap_or_default();
        if token.bytes().any(|byte| !byte.is_ascii_graphic()) {
            return Err(AdapterError::config(
                "access_token holds characters that no header can carry: paste it again without blanks and line breaks",
            ));
        }
        Ok(())
    }

    fn notes(&self, base: &Url) -> Vec<String> {
        let mut notes = Vec::new();
        let is_digits = |id: &str| id.bytes().all(|byte| byte.is_ascii_digit());
        for (key, id) in [
            ("phone_number_id", &self.phone_number_id),
            ("waba_id", &self.waba_id),
        ] {
            if id.as_deref().is_some_and(|id| !is_digits(id)) {
                notes.push(format!(
                    "{key} does not look like one of Meta's ids: digits"
                ));
            }
        }
        notes.extend(api_base::note(base));
        let (can_verify, has_token) = (!self.app_secret.is_empty(), !self.access_token.is_empty());
        if can_verify && self.verify_token.is_empty() {
            notes.push(
                "without verify_token Meta can't check the webhook URL when it is entered".into(),
            );
        }
        if !can_verify && !self.verify_token.is_empty() {
            notes.push("without app_secret this channel can't receive".into());
        }
        if has_token && self.phone_number_id.is_none() {
            notes.push("without phone_number_id this channel can't send".into());
        }
        if has_token && self.waba_id.is_none() {
            notes.push("without waba_id templates can't be listed".into());
        }
        notes
    }
}

/// `v`, digits, a dot, digits.
fn is_version(text: &str) -> bool {
    let is_number = |text: &str| {
        (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    text.strip_prefix('v')
        .and_then(|rest| rest.split_once('.'))
        .is_some_and(|(major, minor)| is_number(major) && is_number(minor))
}
