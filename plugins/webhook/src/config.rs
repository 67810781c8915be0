//! `[channel.X.config]` of a generic webhook channel, and what the rest of the adapter works with.

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::Deserialize;
use trunkline_plugin_api::{AdapterError, Facts, Medium, SecretList, api_base};
use url::Url;

use crate::{
    SPACE,
    fields::Fields,
    proof::Proofs,
    send::Target,
    standard::{Key, SigningKey},
};

/// The shortest key that the Standard Webhooks specification allows, in bytes.
const KEY_BYTES_MIN: usize = 24;

/// The keys of `[channel.X.config]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Secret that webhooks carry as `X-Webhook-Secret`, or as `Authorization: Bearer`; a list
    /// while it is being rotated. No default.
    #[serde(default)]
    secret: SecretList,
    /// Verifies Standard Webhooks signatures (`webhook-signature`, `svix-signature`): `whsec_` and
    /// base64 for HMAC-SHA256 (the prefix may be left out), or the public key `whpk_` and base64
    /// for Ed25519; a list while it is being rotated. No default.
    #[serde(default)]
    signing_secret: SecretList,
    /// Secret of `X-Hub-Signature-256`, as GitHub signs; a list while it is being rotated. No
    /// default.
    #[serde(default)]
    hub_secret: SecretList,
    /// Where messages are posted, `https://` or `http://`. Without it the channel can't send. No
    /// default.
    #[serde(default)]
    #[schemars(length(min = 1))]
    url: Option<String>,
    /// Signs what is posted to `url` by Standard Webhooks: `whsec_` and base64. With a list each
    /// secret signs, so that the receiver can be rotated without a gap. Without it posts are
    /// unsigned. No default.
    #[serde(default)]
    url_secret: SecretList,
    /// Where a webhook's JSON holds what. Default: the members `id`, `from`, `text`, `name` and
    /// `media`.
    #[serde(default)]
    fields: Fields,
    /// Longest message, in characters; longer ones are split or refused. Default: no limit.
    #[serde(default)]
    max_len: Option<NonZeroU32>,
}

/// A checked configuration. Not printable: it holds secrets.
pub(crate) struct Settings {
    /// What shows that a webhook is genuine.
    pub(crate) proofs: Proofs,
    /// Where a webhook's JSON holds what.
    pub(crate) fields: Fields,
    /// Where messages go; none where the channel can't send.
    pub(crate) target: Option<Target>,
}

impl Config {
    /// Checks the configuration and says what a channel with it can do.
    ///
    /// Half a configuration is valid, and so is an empty one; a value that can never work is an
    /// error of class `config`.
    pub(crate) fn check(self) -> Result<(Settings, Facts), AdapterError> {
        for (key, secrets) in [("secret", &self.secret), ("hub_secret", &self.hub_secret)] {
            // Anyone could send an empty secret, or sign with one.
            if secrets.iter().any(str::is_empty) {
                return Err(AdapterError::config(format!(
                    "{key} is empty: set it or leave it out"
                )));
            }
        }
        self.fields.check().map_err(AdapterError::config)?;
        let keys = parse_all("signing_secret", &self.signing_secret, Key::parse)?;
        let signers = parse_all("url_secret", &self.url_secret, SigningKey::parse)?;
        let url = self.url.as_deref().map(parse_url).transpose()?;
        let notes = notes(&keys, &signers, url.as_ref());
        let settings = Settings {
            proofs: Proofs::new(self.secret, self.hub_secret, keys),
            fields: self.fields,
            target: url.map(|url| Target::new(url, signers)),
        };
        let facts = Facts {
            can_receive: !settings.proofs.is_empty(),
            can_send: settings.target.is_some(),
            max_len: self.max_len.map(NonZeroU32::get),
            idempotent_send: true,
            notes,
            ..Facts::new(Medium::Webhook, SPACE)
        };
        Ok((settings, facts))
    }
}

fn parse_all<K>(
    key: &str,
    secrets: &SecretList,
    parse: impl Fn(&str) -> Result<K, &'static str>,
) -> Result<Vec<K>, AdapterError> {
    let parsed = secrets.iter().enumerate().map(|(index, secret)| {
        parse(secret)
            .map_err(|why| AdapterError::config(format!("{key}, number {}: {why}", index + 1)))
    });
    parsed.collect()
}

fn notes(keys: &[Key], signers: &[SigningKey], url: Option<&Url>) -> Vec<String> {
    let mut notes = Vec::new();
    let is_short = |len: Option<usize>| len.is_some_and(|len| len < KEY_BYTES_MIN);
    for (key, short) in [
        (
            "signing_secret",
            keys.iter().any(|key| is_short(key.hmac_len())),
        ),
        (
            "url_secret",
            signers.iter().any(|key| is_short(Some(key.len()))),
        ),
    ] {
        if short {
            notes.push(format!(
                "{key} is shorter than the {KEY_BYTES_MIN} bytes that Standard Webhooks asks for"
            ));
        }
    }
    match url {
        Some(_) if signers.is_empty() => {
            notes.push("without url_secret what is posted to url is unsigned".into());
        }
        None if !signers.is_empty() => notes.push("url_secret does nothing without url".into()),
        _ => {}
    }
    if url.is_some_and(|url| url.scheme() == "http" && !api_base::is_loopback(url)) {
        notes.push("url is plain http: messages can be read on the way".into());
    }
    notes
}

/// The text itself is not quoted: its path or query may be what protects it.
fn parse_url(text: &str) -> Result<Url, AdapterError> {
    let url = Url::parse(text)
        .map_err(|error| AdapterError::config(format!("url is not a URL: {error}")))?;
    let plain = url.username().is_empty() && url.password().is_none();
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !plain {
        return Err(AdapterError::config(
            "url must be http:// or https:// with a host, without user name or password",
        ));
    }
    Ok(url)
}
