//! Is a webhook genuine? Resend signs; an MTA that posts a mail knows a secret.

use trunkline_plugin_api::{SecretList, Verdict, WebhookRequest, sign};

use crate::svix;

/// What shows that a webhook is genuine.
pub(crate) struct Proofs {
    secrets: SecretList,
    keys: Vec<svix::Key>,
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

/// Who sent a genuine request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proved {
    /// Resend, by its signature.
    Resend,
    /// Somebody who knows the secret: the body is a mail.
    Mta,
}

impl Proofs {
    pub(crate) fn new(secrets: SecretList, keys: Vec<svix::Key>) -> Self {
        Self { secrets, keys }
    }

    /// True where nothing can be verified.
    pub(crate) fn is_empty(&self) -> bool {
        self.secrets.is_empty() && self.keys.is_empty()
    }

    /// Checks a request. A signature that is there must be right: it can't be talked away by a secret.
    pub(crate) fn verify(&self, request: &WebhookRequest) -> Result<Proved, Forged> {
        if self.is_empty() {
            return Err(Forged {
                verdict: Verdict::NoSecret,
                reason: "the channel has neither webhook_secret nor inbound_secret",
            });
        }
        if !self.keys.is_empty() && svix::is_signed(request) {
            return svix::verify(&self.keys, request).map(|()| Proved::Resend);
        }
        let mut given = given(request).peekable();
        if self.secrets.is_empty() || given.peek().is_none() {
            return Err(Forged {
                verdict: Verdict::Unsigned,
                reason: "the request carries no proof that this channel has a secret for",
            });
        }
        if given.all(|given| self.is_secret(&given)) {
            Ok(Proved::Mta)
        } else {
            Err(Forged::mismatch(
                "the secret in Authorization or X-Webhook-Secret is wrong: check inbound_secret",
            ))
        }
    }

    fn is_secret(&self, given: &[u8]) -> bool {
        self.secrets
            .iter()
            .any(|secret| sign::equal(secret.as_bytes(), given))
    }
}

/// The secrets that a request carries. Of Basic credentials the password counts, whatever the user.
fn given(request: &WebhookRequest) -> impl Iterator<Item = Vec<u8>> {
    request.headers.iter().filter_map(|(name, value)| {
        if name == "x-webhook-secret" {
            return Some(value.as_bytes().to_vec());
        }
        if name != "authorization" {
            return None;
        }
        let (scheme, rest) = value.split_once(' ')?;
        let rest = rest.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some(rest.as_bytes().to_vec());
        }
        if scheme.eq_ignore_ascii_case("basic") {
            let login = sign::from_base64(rest).unwrap_or_default();
            let colon = login.iter().position(|byte| *byte == b':');
            return Some(colon.map_or_else(Vec::new, |colon| login[colon + 1..].to_vec()));
        }
        None
    })
}
