//! `[channel.ID]`: a configured instance of an adapter.

use std::{fmt, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use subtle::ConstantTimeEq;
use trunkline_plugin_api::{Secret, SecretList};

use super::{
    consent::ChannelConsent,
    cost::Cost,
    hours::Expect,
    inbound::{ChannelInbound, Inbound},
    limits::{Rate, Uncertain},
    rhythm::Coalesce,
    text::Text,
    units::{ByteSize, HumanTime},
    watching::{Canary, ChannelCanary, ChannelExpect},
    window::OutsideWindow,
};

/// A channel as the daemon uses it: everything resolved, defaults filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct Channel {
    /// Its id, `[a-z0-9_]+`, the same over all organizations.
    pub id: String,
    /// The adapter that speaks for it.
    pub adapter: String,
    /// The organization that it belongs to, a slug.
    pub organization: String,
    /// For people; the id where none is given.
    pub display_name: String,
    /// False: no probes and no sends. Webhooks are taken all the same.
    pub enabled: bool,
    /// Any of them opens `/webhooks/{id}/{token}`; none: the path has no token.
    pub webhook_tokens: Vec<WebhookToken>,
    /// Further paths of its webhook, without token.
    pub webhook_paths: Vec<String>,
    /// Largest webhook body in bytes, where the channel sets its own.
    pub body_bytes_max: Option<u64>,
    /// True where it may call private and loopback addresses.
    pub allow_private: bool,
    /// Where its adapter's code runs.
    pub isolation: Isolation,
    /// How its bursts become turns.
    pub coalesce: Coalesce,
    /// What becomes of sends whose outcome stays unknown.
    pub uncertain: Uncertain,
    /// How fast it may send, where it is bounded.
    pub rate: Option<Rate>,
    /// The provider account whose rate it shares, by its name in `[account]`.
    pub account: Option<String>,
    /// Calls to its provider at once, where it sets its own.
    pub concurrency: Option<u32>,
    /// What becomes of long texts.
    pub text: Text,
    /// How much it may send in a day.
    pub cost: Cost,
    /// How much may come in.
    pub inbound: Inbound,
    /// Whether opt-out words count, and are answered.
    pub consent: ChannelConsent,
    /// How often it should hear something, where that is known.
    pub expect: Option<Expect>,
    /// What it sends on a round trip, where it does.
    pub canary: Option<Canary>,
    /// The number or address that people write to, where it is set.
    pub address: Option<String>,
    /// What becomes of free-form messages outside the reply window.
    pub outside_window: OutsideWindow,
    /// A reply window shorter than the provider's, where it is set.
    pub reply_window: Option<Duration>,
    /// The adapter's own section.
    pub config: AdapterSection,
}

/// Where a channel's adapter runs.
// Comments on the variants would turn the schema's `enum` into a list of alternatives.
#[allow(missing_docs)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    #[default]
    None,
    Process,
}

impl Channel {
    /// True where one of the channel's tokens is this one. Takes the same time wherever they differ.
    pub fn accepts_token(&self, candidate: &str) -> bool {
        // No early return: how many tokens were tried must not show either.
        self.webhook_tokens
            .iter()
            .fold(false, |found, token| token.matches(candidate) | found)
    }
}

/// The adapter's section with its secrets resolved. Printing it shows only the keys.
#[derive(Clone, PartialEq)]
pub struct AdapterSection(Value);

impl AdapterSection {
    /// Wraps a section.
    pub fn new(section: Map<String, Value>) -> Self {
        Self(Value::Object(section))
    }

    /// The section, a JSON object, secrets included.
    pub fn expose(&self) -> &Value {
        &self.0
    }
}

impl fmt::Debug for AdapterSection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.0.as_object().into_iter().flat_map(Map::keys);
        let masked = keys.map(|key| (key, format_args!("***")));
        formatter.debug_map().entries(masked).finish()
    }
}

/// The part of a webhook's path that can't be guessed.
#[derive(Clone)]
pub struct WebhookToken(Secret);

/// Fewest characters of a token.
pub const TOKEN_CHARS_MIN: usize = 32;
/// Most characters of a token.
pub const TOKEN_CHARS_MAX: usize = 256;

impl WebhookToken {
    /// Checks a token; the error is a phrase for people that does not show it.
    pub fn parse(token: &str) -> Result<Self, String> {
        let safe = |c: char| c.is_ascii_alphanumeric() || "-_.~".contains(c);
        if !token.chars().all(safe) {
            return Err("may hold only letters, digits, \"-\", \"_\", \".\" and \"~\"".into());
        }
        if token.len() < TOKEN_CHARS_MIN {
            return Err(format!(
                "must have at least {TOKEN_CHARS_MIN} random characters, has {}; \
                 `openssl rand -hex 24` makes one",
                token.len()
            ));
        }
        if token.len() > TOKEN_CHARS_MAX {
            return Err(format!("must have at most {TOKEN_CHARS_MAX} characters"));
        }
        Ok(Self(Secret::new(token)))
    }

    /// True where it is this one; takes the same time wherever they differ.
    pub fn matches(&self, candidate: &str) -> bool {
        self.0
            .expose()
            .as_bytes()
            .ct_eq(candidate.as_bytes())
            .into()
    }

    /// The token, for showing the webhook's address to who may see it.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl PartialEq for WebhookToken {
    fn eq(&self, other: &Self) -> bool {
        self.matches(other.expose())
    }
}

impl fmt::Debug for WebhookToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

/// A channel: one provider account, number or mailbox.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChannelSection {
    /// The adapter that speaks for it: "twilio", "vonage", "whatsapp", "webhook", "email",
    /// "chat", or one of your own.
    #[schemars(length(min = 1))]
    pub adapter: String,
    /// The organization that it belongs to.
    #[serde(default = "default_organization")]
    #[schemars(length(min = 1, max = 64))]
    pub organization: String,
    /// Its name for people; the id where none is given.
    #[serde(default)]
    #[schemars(length(min = 1, max = 100))]
    pub display_name: Option<String>,
    /// False: no probes and no sends. Webhooks are taken all the same.
    #[serde(default = "default_enabled")]
    pub enabled: bool,
    /// The part of the webhook's path that can't be guessed, at least 32 characters; a list while
    /// one is being rotated.
    #[serde(default, skip_serializing)]
    #[schemars(with = "Option<SecretList>")]
    pub webhook_token: SecretList,
    /// Further paths of the webhook, such as "/webhooks/sms". They carry no token: the
    /// provider's signature is their only proof.
    #[serde(default)]
    pub webhook_paths: Vec<String>,
    /// Largest webhook body, where it differs from the server's.
    #[serde(default)]
    pub body_bytes_max: Option<ByteSize>,
    /// True lets it call private and loopback addresses, such as a system in your own network.
    #[serde(default)]
    pub allow_private: bool,
    /// Where the adapter's code runs: "none" of its own, in the daemon, or in a "process" of its own, which
    /// may use neither files nor network, and whose end the daemon outlives.
    #[serde(default)]
    pub isolation: Isolation,
    /// Its own way of making turns from bursts.
    #[serde(default)]
    pub coalesce: ChannelCoalesce,
    /// A send whose outcome is unknown, and stays so after the provider was asked: "hold" it for a
    /// person, or "resend" it at the risk of a second copy.
    #[serde(default)]
    pub uncertain: Uncertain,
    /// How fast it may send; as fast as the provider takes it where nothing is said.
    #[serde(default)]
    pub rate: Option<Rate>,
    /// The provider account whose rate it shares with other channels: a name in [account].
    #[serde(default)]
    #[schemars(length(min = 1, max = 64))]
    pub account: Option<String>,
    /// Calls to its provider at once, where it differs from [outbound].
    #[serde(default)]
    #[schemars(range(min = 1, max = 256))]
    pub concurrency: Option<u32>,
    /// What becomes of long texts and of typographic characters.
    #[serde(default)]
    pub text: Text,
    /// How much it may send in a day.
    #[serde(default)]
    pub cost: Cost,
    /// Its own limits on what comes in.
    #[serde(default)]
    pub inbound: ChannelInbound,
    /// What opt-out words do on it.
    #[serde(default)]
    pub consent: ChannelConsent,
    /// Tells when the channel has gone deaf: no message for this long, in these hours of the day.
    /// Off unless `traffic_every` is set.
    #[serde(default)]
    pub expect: ChannelExpect,
    /// Sends a marked message to an address that comes back to this or another channel (`via`), and
    /// tells when it does not. Off unless `to` is set; `daily_max` bounds what it costs.
    #[serde(default)]
    pub canary: ChannelCanary,
    /// The number or address that people write to, for links to a conversation; what the last
    /// check of the channel reported where it is not given.
    #[serde(default)]
    #[schemars(length(min = 1, max = 320))]
    pub address: Option<String>,
    /// A free-form message to a person whose reply window is closed (WhatsApp: 24 hours after they
    /// last wrote): "reject" it, "hold" it until they write, or send "template:NAME" in its place,
    /// an approved template that takes the text as its only variable.
    #[serde(default)]
    pub outside_window: OutsideWindow,
    /// How long after a person's last message free-form messages are sent, where that shall be
    /// shorter than the provider's reply window.
    #[serde(default)]
    pub reply_window: Option<HumanTime>,
    /// The adapter's own section. `trunkline plugin inspect` shows its keys.
    #[serde(default)]
    pub config: Map<String, Value>,
}

/// What a channel sets of `[coalesce]` by itself.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ChannelCoalesce {
    /// As `quiet` in `[coalesce]`.
    pub quiet: Option<HumanTime>,
    /// As `max` in `[coalesce]`.
    pub max: Option<HumanTime>,
}

fn default_organization() -> String {
    "default".into()
}

fn default_enabled() -> bool {
    true
}

impl ChannelSection {
    /// Fills in what is given elsewhere. Tokens that are refused come back with their index.
    pub(super) fn resolve(
        self,
        id: &str,
        coalesce: &Coalesce,
        inbound: &Inbound,
    ) -> (Channel, Vec<(usize, String)>) {
        let mut refused = Vec::new();
        let mut webhook_tokens = Vec::new();
        for (index, token) in self.webhook_token.iter().enumerate() {
            match WebhookToken::parse(token) {
                Ok(token) => webhook_tokens.push(token),
                Err(message) => refused.push((index, message)),
            }
        }
        let channel = Channel {
            id: id.to_owned(),
            adapter: self.adapter,
            organization: self.organization,
            display_name: self.display_name.unwrap_or_else(|| id.to_owned()),
            enabled: self.enabled,
            webhook_tokens,
            webhook_paths: self.webhook_paths,
            body_bytes_max: self.body_bytes_max.map(|size| size.0),
            allow_private: self.allow_private,
            isolation: self.isolation,
            coalesce: Coalesce {
                quiet: self.coalesce.quiet.map_or(coalesce.quiet, |time| time.0),
                max: self.coalesce.max.map_or(coalesce.max, |time| time.0),
            },
            uncertain: self.uncertain,
            rate: self.rate,
            account: self.account,
            concurrency: self.concurrency,
            text: self.text,
            cost: self.cost,
            inbound: self.inbound.resolve(inbound),
            consent: self.consent,
            expect: self.expect.resolve(),
            canary: self.canary.resolve(id),
            address: self.address,
            outside_window: self.outside_window,
            reply_window: self.reply_window.map(|time| time.0),
            config: AdapterSection::new(self.config),
        };
        (channel, refused)
    }
}
