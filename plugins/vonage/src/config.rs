//! `[channel.X.config]` of a Vonage channel, and what the rest of the adapter works with.

use data_encoding::BASE64;
use schemars::JsonSchema;
use serde::Deserialize;
use trunkline_plugin_api::{AdapterError, Facts, Medium, Secret, SecretList, api_base};

use crate::{
    address, messages, pem,
    rest::{Api, is_vonage},
    sms::{self, Method},
    token::Application,
};

/// Where the SMS API and the balance are.
const REST_BASE: &str = "https://rest.nexmo.com";
/// Where the Messages API is.
const MESSAGES_BASE: &str = "https://api.nexmo.com";

/// Which of Vonage's APIs a channel speaks, in and out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Which {
    /// The SMS API.
    #[default]
    Sms,
    /// The Messages API.
    Messages,
}

/// The keys of `[channel.X.config]`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Which API the channel speaks: `sms` or `messages`. It must be the one that the account's
    /// settings name for inbound SMS. Default: `sms`.
    #[serde(default)]
    api: Which,
    /// API key of the account. Needed to send with `api = "sms"`, and to see the balance. Where it
    /// is set, webhooks of another account are refused. No default.
    #[serde(default)]
    #[schemars(length(min = 1))]
    api_key: Option<String>,
    /// API secret of the account; a list while it is being rotated, of which the first is used. No
    /// default.
    #[serde(default)]
    api_secret: SecretList,
    /// Signature secret of the account (not the API secret): verifies webhooks. A list while it is
    /// being rotated, of which any verifies. No default.
    #[serde(default)]
    signature_secret: SecretList,
    /// How the SMS API signs, as the account's settings say: `md5hash`, `md5`, `sha1`, `sha256` or
    /// `sha512` (all but the first are HMAC). Default: `md5hash`, which is Vonage's.
    #[serde(default)]
    signature_method: Method,
    /// Id of the application, a UUID: sends through the Messages API together with `private_key`.
    /// No default.
    #[serde(default)]
    #[schemars(length(min = 1))]
    application_id: Option<String>,
    /// The application's private key in PEM, the whole `private.key` file. No default.
    #[serde(default)]
    private_key: Option<Secret>,
    /// Sender: a number (`+15550100`), a short code or a sender name. Needed to send. No default.
    #[serde(default)]
    #[schemars(length(min = 1))]
    from: Option<String>,
    /// How far the signed time of a webhook may be from ours, in seconds. Vonage repeats a webhook
    /// for a day: where its repetitions keep their first time, a longer tolerance takes them after
    /// an outage. Default: 300.
    #[serde(default = "default_tolerance_s")]
    tolerance_s: u32,
    /// Balance below which the channel is degraded, in the account's currency; accounts that reload
    /// by themselves are exempt. Default: 1.
    #[serde(default = "default_balance_min")]
    balance_min: f64,
    /// Base address of the API. Default: `https://rest.nexmo.com` for the SMS API,
    /// `https://api.nexmo.com` for the Messages API (or a regional host, `https://api-eu.vonage.com`).
    #[serde(default)]
    #[schemars(length(min = 1))]
    api_base: Option<String>,
}

fn default_tolerance_s() -> u32 {
    300
}

fn default_balance_min() -> f64 {
    1.0
}

/// A checked configuration. Not printable: it holds secrets.
pub(crate) struct Settings {
    /// The channel's id, for words about its configuration.
    pub(crate) channel: String,
    pub(crate) which: Which,
    /// The account that webhooks must come from, where configured.
    pub(crate) api_key: Option<String>,
    /// The application that webhooks must be for, where configured.
    pub(crate) application_id: Option<String>,
    /// What verifies webhooks.
    pub(crate) secrets: SecretList,
    pub(crate) method: Method,
    pub(crate) tolerance_ms: u64,
    pub(crate) balance_min: f64,
    /// How to call Vonage.
    pub(crate) api: Api,
    /// Sender of outbound messages, as Vonage writes it.
    pub(crate) from: Option<String>,
}

impl Settings {
    /// True where there are credentials for the API that the channel speaks.
    pub(crate) fn has_credentials(&self) -> bool {
        match self.which {
            Which::Sms => self.api.login.is_some(),
            Which::Messages => self.api.login.is_some() || self.api.application.is_some(),
        }
    }
}

impl Config {
    /// Checks the configuration and says what a channel with it can do.
    ///
    /// Half a configuration is valid; a value that can never work is an error of class `config`.
    pub(crate) fn check(self, channel: &str) -> Result<(Settings, Facts), AdapterError> {
        self.check_not_empty()?;
        let api = self.api()?;
        let settings = Settings {
            channel: channel.into(),
            which: self.api,
            tolerance_ms: u64::from(self.tolerance_s) * 1_000,
            balance_min: self.balance_min,
            api,
            from: self.from.as_deref().map(|from| address::wire(from).into()),
            api_key: self.api_key,
            application_id: self.application_id,
            secrets: self.signature_secret,
            method: self.signature_method,
        };
        let (accepts_get, max_len) = match settings.which {
            Which::Sms => (true, sms::TEXT_CHARS_MAX),
            Which::Messages => (false, messages::TEXT_CHARS_MAX),
        };
        let facts = Facts {
            addresses: settings
                .from
                .iter()
                .map(|from| address::normal(from))
                .collect(),
            can_receive: !settings.secrets.is_empty(),
            can_send: settings.has_credentials() && settings.from.is_some(),
            max_len: Some(max_len),
            accepts_get,
            notes: notes(&settings),
            ..Facts::new(Medium::Sms, "phone")
        };
        Ok((settings, facts))
    }

    fn check_not_empty(&self) -> Result<(), AdapterError> {
        let key = self.private_key.as_ref().map(|key| key.expose().to_owned());
        let texts = [
            ("api_key", &self.api_key),
            ("application_id", &self.application_id),
            ("from", &self.from),
            ("private_key", &key),
        ];
        for (key, value) in texts {
            if value.as_deref().is_some_and(|text| text.trim().is_empty()) {
                return Err(AdapterError::config(format!(
                    "{key} is empty: set it or leave it out"
                )));
            }
        }
        let lists = [
            ("api_secret", &self.api_secret),
            ("signature_secret", &self.signature_secret),
        ];
        for (key, secrets) in lists {
            // Anyone could sign with an empty secret.
            if secrets.iter().any(str::is_empty) {
                return Err(AdapterError::config(format!(
                    "the secret {key} is empty: set it or leave it out"
                )));
            }
        }
        let key = self.api_key.as_deref().unwrap_or_default();
        if key.contains(':') {
            return Err(AdapterError::config("api_key can't hold a colon"));
        }
        if !self.balance_min.is_finite() {
            return Err(AdapterError::config("balance_min must be a number"));
        }
        Ok(())
    }

    fn api(&self) -> Result<Api, AdapterError> {
        let application = match (&self.application_id, &self.private_key) {
            (Some(id), Some(key)) => Some(Application {
                id: id.clone(),
                key: pem::read_key(key.expose()).map_err(AdapterError::config)?,
            }),
            (None, Some(_)) => {
                return Err(AdapterError::config("private_key needs application_id"));
            }
            // An application alone still says which webhooks are ours.
            (_, None) => None,
        };
        let login = match (&self.api_key, self.api_secret.first()) {
            (Some(key), Some(secret)) => {
                let login = BASE64.encode(format!("{key}:{secret}").as_bytes());
                Some(Secret::new(format!("Basic {login}")))
            }
            (None, Some(_)) => return Err(AdapterError::config("api_secret needs api_key")),
            (_, None) => None,
        };
        let base = |default: &str| api_base::parse(self.api_base.as_deref().unwrap_or(default));
        let messages = base(MESSAGES_BASE)?;
        // Vonage's regional hosts have the Messages API alone.
        let rest = match base(REST_BASE)? {
            own if self.api == Which::Messages && is_vonage(&own) => api_base::parse(REST_BASE)?,
            own => own,
        };
        Ok(Api {
            rest,
            messages,
            login,
            application,
        })
    }
}

fn notes(settings: &Settings) -> Vec<String> {
    let mut notes = Vec::new();
    let api = &settings.api;
    if settings.secrets.is_empty() {
        notes.push(
            "without signature_secret nothing that comes in can be verified: this channel only sends"
                .into(),
        );
    }
    if !settings.has_credentials() {
        notes.push(match settings.which {
            Which::Sms => "without api_key and api_secret this channel can't send".into(),
            Which::Messages => {
                "without application_id and private_key (or api_key and api_secret) this channel \
                 can't send"
                    .into()
            }
        });
    } else if settings.from.is_none() {
        notes.push("without from this channel can't send".into());
    }
    if settings.which == Which::Messages && api.application.is_none() && api.login.is_some() {
        // Vonage's page on authentication: basic authentication does not support webhooks.
        notes.push(
            "api_key and api_secret alone bring no delivery reports: set application_id and \
             private_key"
                .into(),
        );
    }
    if settings.which == Which::Sms && settings.application_id.is_some() {
        notes.push("application_id is only used with api = \"messages\"".into());
    }
    notes.extend(api_base::note(&api.rest).or_else(|| api_base::note(&api.messages)));
    notes
}
