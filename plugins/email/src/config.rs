//! `[channel.X.config]` of an e-mail channel, and what the rest of the adapter works with.

use mail_parser::MessageParser;
use schemars::JsonSchema;
use serde::Deserialize;
use trunkline_plugin_api::{
    AdapterError, Facts, Front, Medium, Secret, SecretList, SmtpTls, api_base,
};
use url::Url;

use crate::{SPACE, address::Mailbox, proof::Proofs, sigv4, svix};

/// Where Resend's API is.
const RESEND_BASE: &str = "https://api.resend.com";
/// Bytes of a mail that comes in: 20 MB of mail, and what a relay may add.
const BODY_BYTES_MAX: u64 = 26 * 1024 * 1024;

/// Who carries mails out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Provider {
    /// An SMTP submission server, such as your own MTA.
    Smtp,
    /// Amazon SES, API version 2.
    Ses,
    /// Resend.
    Resend,
}

/// How the connection to the SMTP server is secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Security {
    /// Not at all: for a relay on this machine.
    None,
    /// By STARTTLS, which is then required.
    StartTls,
    /// From the first byte (port 465).
    Implicit,
}

/// The keys of `[channel.X.config]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Who carries mails out: `smtp`, `ses` or `resend`. Without it the channel only receives. No default.
    #[serde(default)]
    provider: Option<Provider>,
    /// Our address, `support@example.com` or `Support <support@example.com>`. Needed to send. No default.
    #[serde(default)]
    #[schemars(length(min = 3))]
    from: Option<String>,
    /// smtp: name or address of the server. No default.
    #[serde(default)]
    #[schemars(length(min = 1))]
    host: Option<String>,
    /// smtp: its port. Default: 587, with `tls = "implicit"` 465, with `tls = "none"` 25.
    #[serde(default)]
    #[schemars(range(min = 1))]
    port: Option<u16>,
    /// smtp: `start_tls`, `implicit` or `none`. Default: `start_tls`.
    #[serde(default)]
    tls: Option<Security>,
    /// smtp: user name; together with `password`. Default: none, the server is not logged in to.
    #[serde(default)]
    #[schemars(length(min = 1))]
    username: Option<String>,
    /// smtp: password. No default.
    #[serde(default)]
    password: SecretList,
    /// ses: region, `eu-west-1`. No default.
    #[serde(default)]
    #[schemars(length(min = 1))]
    region: Option<String>,
    /// ses: id of the access key. No default.
    #[serde(default)]
    #[schemars(length(min = 1))]
    access_key_id: Option<String>,
    /// ses: the access key's secret. No default.
    #[serde(default)]
    secret_access_key: SecretList,
    /// resend: API key, `re_...`; sends, and fetches the mails that come in. No default.
    #[serde(default)]
    api_key: SecretList,
    /// resend: signing secret of the webhook, `whsec_...`; a list while it is being rotated. No default.
    #[serde(default)]
    webhook_secret: SecretList,
    /// Secret of mails that are posted raw, as `Authorization: Bearer`, as password of `Authorization: Basic`
    /// or as `X-Webhook-Secret`; a list while it is being rotated. No default.
    #[serde(default)]
    inbound_secret: SecretList,
    /// Where bounces go, `bounce@in.example.com`: our message's id is put behind its `+`. The address must
    /// come back to this channel. Default: the address in `from`.
    #[serde(default)]
    #[schemars(length(min = 3))]
    bounce_address: Option<String>,
    /// Where people unsubscribe, `https://...` or `mailto:...`: goes into `List-Unsubscribe` of every mail that
    /// answers nothing. Default: none.
    #[serde(default)]
    #[schemars(length(min = 1))]
    unsubscribe: Option<String>,
    /// Subject of messages that have none; an answer gets `Re: ` before it. Default: `Message from` and the
    /// name in `from`.
    #[serde(default)]
    #[schemars(length(min = 1))]
    subject: Option<String>,
    /// ses, resend: base address of the API. Default: the provider's own.
    #[serde(default)]
    #[schemars(length(min = 1))]
    api_base: Option<String>,
}

/// A checked configuration. Not printable: it holds secrets.
pub(crate) struct Settings {
    /// What shows that a webhook is genuine.
    pub(crate) proofs: Proofs,
    /// Our address.
    pub(crate) from: Option<Mailbox>,
    /// Where bounces go.
    pub(crate) bounce: Option<Mailbox>,
    /// `List-Unsubscribe`.
    pub(crate) unsubscribe: Option<String>,
    /// Subject of messages that have none.
    pub(crate) subject: String,
    /// Who carries mails out; none without credentials.
    pub(crate) carrier: Option<Carrier>,
    /// Reads headers; made once, since it holds a table.
    pub(crate) parser: MessageParser,
}

/// Who carries mails out, with what it takes.
pub(crate) enum Carrier {
    Smtp(Smtp),
    Ses(Ses),
    Resend(Resend),
}

/// A submission server.
pub(crate) struct Smtp {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: SmtpTls,
    pub(crate) login: Option<(String, Secret)>,
}

/// SES in one region.
pub(crate) struct Ses {
    pub(crate) base: Url,
    pub(crate) signer: sigv4::Signer,
}

/// Resend's API.
pub(crate) struct Resend {
    pub(crate) base: Url,
    pub(crate) authorization: Secret,
}

impl Settings {
    /// Resend's API, where there is a key.
    pub(crate) fn resend(&self) -> Option<&Resend> {
        match &self.carrier {
            Some(Carrier::Resend(resend)) => Some(resend),
            _ => None,
        }
    }

    /// The domain of the Message-IDs that we make.
    pub(crate) fn own_domain(&self) -> &str {
        self.from
            .as_ref()
            .map_or("trunkline.invalid", Mailbox::domain)
    }

    /// The id by which reports know a mail of ours, from its Message-ID. SES puts its own id before its own domain
    /// (its page on header fields), Resend reports by another id altogether.
    pub(crate) fn external_id<'i>(&self, message_id: &'i str) -> &'i str {
        match (&self.carrier, message_id.rsplit_once('@')) {
            (Some(Carrier::Ses(_)), Some((id, domain))) if domain.ends_with("amazonses.com") => id,
            _ => message_id,
        }
    }
}

impl Config {
    /// Checks the configuration and says what a channel with it can do. Half a configuration is valid; a value
    /// that can never work is an error of class `config`.
    pub(crate) fn check(self) -> Result<(Settings, Facts), AdapterError> {
        self.check_secrets()?;
        let from = mailbox("from", self.from.as_deref())?;
        let bounce = mailbox("bounce_address", self.bounce_address.as_deref())?;
        let carrier = self.carrier()?;
        let notes = self.notes(from.is_some(), carrier.as_ref());
        let keys = self.webhook_secret.iter().map(svix::Key::parse);
        let keys: Result<Vec<_>, _> = keys.collect();
        let keys = keys.map_err(|why| AdapterError::config(format!("webhook_secret: {why}")))?;
        let proofs = Proofs::new(self.inbound_secret, keys);
        let addresses = [&from, &bounce].into_iter().flatten();
        let facts = Facts {
            addresses: addresses.map(|own| own.address.to_lowercase()).collect(),
            can_receive: !proofs.is_empty(),
            can_send: carrier.is_some() && from.is_some(),
            body_bytes_max: Some(BODY_BYTES_MAX),
            idempotent_send: matches!(carrier, Some(Carrier::Resend(_))),
            fronts: vec![Front::Mail],
            notes,
            ..Facts::new(Medium::Email, SPACE)
        };
        let named = from
            .as_ref()
            .map(|own| own.name.as_deref().unwrap_or(&own.address));
        let subject = self
            .subject
            .unwrap_or_else(|| format!("Message from {}", named.unwrap_or("us")));
        let settings = Settings {
            proofs,
            from,
            bounce,
            unsubscribe: self.unsubscribe.map(unsubscribe).transpose()?,
            subject,
            carrier,
            parser: MessageParser::new().default_header_text(),
        };
        Ok((settings, facts))
    }

    fn check_secrets(&self) -> Result<(), AdapterError> {
        let lists = [
            ("inbound_secret", &self.inbound_secret),
            ("webhook_secret", &self.webhook_secret),
            ("api_key", &self.api_key),
            ("password", &self.password),
            ("secret_access_key", &self.secret_access_key),
        ];
        for (key, secrets) in lists {
            // Anyone could send an empty secret, or sign with one.
            if secrets.iter().any(str::is_empty) {
                return Err(AdapterError::config(format!(
                    "{key} is empty: set it or leave it out"
                )));
            }
        }
        Ok(())
    }

    /// What carries mails out, where all that it needs is there.
    fn carrier(&self) -> Result<Option<Carrier>, AdapterError> {
        Ok(match self.provider {
            None => None,
            Some(Provider::Smtp) => self.smtp()?.map(Carrier::Smtp),
            Some(Provider::Ses) => self.ses()?.map(Carrier::Ses),
            Some(Provider::Resend) => match self.api_key.first() {
                None => None,
                Some(key) => Some(Carrier::Resend(Resend {
                    base: api_base::parse(self.api_base.as_deref().unwrap_or(RESEND_BASE))?,
                    authorization: Secret::new(format!("Bearer {key}")),
                })),
            },
        })
    }

    fn smtp(&self) -> Result<Option<Smtp>, AdapterError> {
        let login = match (&self.username, self.password.first()) {
            (Some(user), Some(password)) => Some((user.clone(), Secret::new(password))),
            (None, None) => None,
            (Some(_), None) => return Err(AdapterError::config("username needs password")),
            (None, Some(_)) => return Err(AdapterError::config("password needs username")),
        };
        let tls = match self.tls.unwrap_or(Security::StartTls) {
            Security::None => SmtpTls::None,
            Security::StartTls => SmtpTls::StartTls,
            Security::Implicit => SmtpTls::Implicit,
        };
        let port = self.port.unwrap_or(match tls {
            SmtpTls::None => 25,
            SmtpTls::StartTls => 587,
            SmtpTls::Implicit => 465,
        });
        Ok(self.host.clone().map(|host| Smtp {
            host,
            port,
            tls,
            login,
        }))
    }

    fn ses(&self) -> Result<Option<Ses>, AdapterError> {
        let parts = (
            self.region.as_deref(),
            self.access_key_id.as_deref(),
            self.secret_access_key.first(),
        );
        let (Some(region), Some(id), Some(secret)) = parts else {
            return Ok(None);
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if region.is_empty() || !region.chars().all(plain) {
            return Err(AdapterError::config("region is not one like eu-west-1"));
        }
        let own = format!("https://email.{region}.amazonaws.com");
        Ok(Some(Ses {
            base: api_base::parse(self.api_base.as_deref().unwrap_or(&own))?,
            signer: sigv4::Signer::new(id, secret, region, "ses"),
        }))
    }

    fn notes(&self, has_from: bool, carrier: Option<&Carrier>) -> Vec<String> {
        let mut notes = Vec::new();
        if self.provider.is_some() && !has_from {
            notes.push("without from this channel can't send".into());
        }
        if self.provider.is_some() && carrier.is_none() {
            notes.push(
                "this channel can't send: the credentials of its provider are not complete".into(),
            );
        }
        let in_clear = self.tls == Some(Security::None)
            && self.username.is_some()
            && !self.host.as_deref().is_some_and(is_local_name);
        if in_clear {
            notes.push("tls is none: the password can be read on the way".into());
        }
        let base = match carrier {
            Some(Carrier::Ses(ses)) => Some(&ses.base),
            Some(Carrier::Resend(resend)) => Some(&resend.base),
            _ => None,
        };
        notes.extend(base.and_then(api_base::note));
        if !self.webhook_secret.is_empty() && self.api_key.is_empty() {
            notes.push(
                "without api_key the text of mails that Resend announces can't be fetched".into(),
            );
        }
        notes
    }
}

fn mailbox(key: &str, text: Option<&str>) -> Result<Option<Mailbox>, AdapterError> {
    let parse = |text| {
        Mailbox::parse(text).ok_or_else(|| {
            AdapterError::config(format!(
                "{key} is not an address like support@example.com or Support <support@example.com>"
            ))
        })
    };
    text.map(parse).transpose()
}

fn unsubscribe(text: String) -> Result<String, AdapterError> {
    let known = ["https://", "mailto:"]
        .iter()
        .any(|way| text.starts_with(way));
    if known
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"<>,".contains(&byte))
    {
        return Ok(text);
    }
    Err(AdapterError::config(
        "unsubscribe must be https://... or mailto:..., without blanks and commas",
    ))
}

fn is_local_name(host: &str) -> bool {
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}
