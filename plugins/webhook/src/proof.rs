//! Is a webhook genuine?
//!
//! A channel may know several kinds of proof. A request needs one of them, and every one that it
//! carries must be right: a wrong signature can't be talked away by adding a weaker proof. Kinds
//! that the channel has no secret for are not looked at.

use trunkline_plugin_api::{SecretList, Verdict, WebhookRequest, sign};

use crate::standard::{self, Key};

const SECRET: &str = "x-webhook-secret";
const AUTHORIZATION: &str = "authorization";
const HUB_SIGNATURE: &str = "x-hub-signature-256";

/// What shows that a webhook is genuine.
pub(crate) struct Proofs {
    secrets: SecretList,
    hub_secrets: SecretList,
    keys: Vec<Key>,
}

/// Why a request is not genuine.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Forged {
    pub(crate) verdict: Verdict,
    pub(crate) reason: &'static str,
}

impl Forged {
    pub(crate) fn mismatch(reason: &'static str) -> Self {
        Self {
            verdict: Verdict::Mismatch,
            reason,
        }
    }
}

/// What was proved of a genuine request.
pub(crate) struct Proved<'r> {
    /// The id that a Standard Webhooks signature covers.
    pub(crate) signed_id: Option<&'r str>,
    /// True where the request itself carries the secret: all of it is the sender's. A hub signature
    /// alone covers the body and nothing else.
    pub(crate) knows_secret: bool,
}

impl Proofs {
    pub(crate) fn new(secrets: SecretList, hub_secrets: SecretList, keys: Vec<Key>) -> Self {
        Self {
            secrets,
            hub_secrets,
            keys,
        }
    }

    /// True where nothing can be verified.
    pub(crate) fn is_empty(&self) -> bool {
        self.secrets.is_empty() && self.hub_secrets.is_empty() && self.keys.is_empty()
    }

    /// Checks a request.
    pub(crate) fn verify<'r>(&self, request: &'r WebhookRequest) -> Result<Proved<'r>, Forged> {
        let signed_id = if self.keys.is_empty() {
            None
        } else {
            standard::verify(&self.keys, request)?
        };
        let has_hub = self.check_hub(request)?;
        let has_secret = self.check_secret(request)?;
        if signed_id.is_some() || has_hub || has_secret {
            return Ok(Proved {
                signed_id,
                knows_secret: has_secret,
            });
        }
        Err(Forged {
            verdict: Verdict::Unsigned,
            reason: "the request carries no proof that this channel has a secret for",
        })
    }

    /// True where the request carries the secret, an error where it carries another.
    fn check_secret(&self, request: &WebhookRequest) -> Result<bool, Forged> {
        let plain = values(request, SECRET);
        let bearer = values(request, AUTHORIZATION).filter_map(bearer_token);
        let is_right = |given: &str| {
            self.secrets
                .iter()
                .any(|secret| sign::equal(secret.as_bytes(), given.as_bytes()))
        };
        check_all(
            &self.secrets,
            plain.chain(bearer),
            is_right,
            "the secret in X-Webhook-Secret or Authorization is wrong",
        )
    }

    /// True where the body is signed as GitHub signs, an error where the signature is wrong.
    fn check_hub(&self, request: &WebhookRequest) -> Result<bool, Forged> {
        let is_right = |given: &str| {
            self.hub_secrets.iter().any(|secret| {
                let mac = sign::hmac_sha256(secret.as_bytes(), &request.body);
                let expected = format!("sha256={}", sign::hex(&mac));
                sign::equal(expected.as_bytes(), given.as_bytes())
            })
        };
        check_all(
            &self.hub_secrets,
            values(request, HUB_SIGNATURE),
            is_right,
            "X-Hub-Signature-256 does not match: check hub_secret",
        )
    }
}

/// Whether there is a proof; all of them must be right. Without secrets there is none.
fn check_all<'r>(
    secrets: &SecretList,
    mut given: impl Iterator<Item = &'r str>,
    is_right: impl Fn(&str) -> bool,
    reason: &'static str,
) -> Result<bool, Forged> {
    let Some(first) = given.next().filter(|_| !secrets.is_empty()) else {
        return Ok(false);
    };
    if is_right(first) && given.all(is_right) {
        Ok(true)
    } else {
        Err(Forged::mismatch(reason))
    }
}

fn values<'r>(request: &'r WebhookRequest, name: &'static str) -> impl Iterator<Item = &'r str> {
    request
        .headers
        .iter()
        .filter(move |(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}

/// The token of `Bearer TOKEN`; none for another scheme, which is not meant for this check.
fn bearer_token(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim_start())
}
