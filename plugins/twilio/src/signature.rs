//! Verifies `X-Twilio-Signature` (Twilio's page "Webhooks security").
//!
//! ```text
//! URL as configured at Twilio, without fragment and user info
//!   + names and values of the form parameters, sorted        (form bodies only)
//!   ──HMAC-SHA1 under the auth token──> base64 ──> X-Twilio-Signature
//! ```
//!
//! - A JSON body is covered by its SHA-256 in the URL's `bodySHA256` parameter.
//! - Depending on product and scheme Twilio signs the URL with its port or without, so both count.
//! - A request signed with a shared key names it in `X-Twilio-Webhooks-Signature-Settings` and
//!   uses HMAC-SHA256. The header picks the key, never a weaker check: a shared key is not tried
//!   with SHA-1, and an unknown one does not fall back to the auth token.

use std::collections::BTreeMap;

use trunkline_plugin_api::{SecretList, Verdict, WebhookRequest, sign};

use crate::params::{Params, Payload};

const SIGNATURE: &str = "x-twilio-signature";
const SETTINGS: &str = "x-twilio-webhooks-signature-settings";

/// What verifies webhooks.
pub(crate) struct Keys {
    auth_tokens: SecretList,
    shared: BTreeMap<String, SecretList>,
}

impl Keys {
    pub(crate) fn new(auth_tokens: SecretList, shared: BTreeMap<String, SecretList>) -> Self {
        Self {
            auth_tokens,
            shared,
        }
    }

    /// True where nothing can be verified.
    pub(crate) fn is_empty(&self) -> bool {
        self.auth_tokens.is_empty() && self.shared.values().all(SecretList::is_empty)
    }
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

/// Checks that Twilio sent this request and all of its payload.
pub(crate) fn verify(
    keys: &Keys,
    request: &WebhookRequest,
    payload: &Payload,
) -> Result<(), Forged> {
    let Some(header) = request.header(SIGNATURE) else {
        return Err(Forged {
            verdict: Verdict::Unsigned,
            reason: "the X-Twilio-Signature header is missing",
        });
    };
    let signature = sign::from_base64(header.trim())
        .ok_or_else(|| Forged::mismatch("X-Twilio-Signature is not base64"))?;
    check_body_hash(request, payload)?;
    let suffix = match payload {
        Payload::Form(params) => params.canonical(),
        Payload::Query(_) | Payload::Json => String::new(),
        Payload::Foreign => {
            return Err(Forged::mismatch(
                "no signature covers a body of this content type",
            ));
        }
    };
    let key = pick(keys, request.header(SETTINGS))?;
    let genuine = url_forms(&request.url).iter().any(|url| {
        let signed = [url.as_bytes(), suffix.as_bytes()].concat();
        key.matches(&signed, &signature)
    });
    if genuine {
        Ok(())
    } else {
        Err(Forged::mismatch(
            "X-Twilio-Signature does not match: check auth_token, and that public_url is the \
             address configured at Twilio",
        ))
    }
}

/// The secrets that may have signed, with their hash.
enum Key<'a> {
    Sha1(&'a SecretList),
    Sha256(&'a SecretList),
}

impl Key<'_> {
    fn matches(&self, signed: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Sha1(secrets) => secrets
                .iter()
                .any(|secret| sign::equal(&sign::hmac_sha1(secret.as_bytes(), signed), signature)),
            Self::Sha256(secrets) => secrets.iter().any(|secret| {
                sign::equal(&sign::hmac_sha256(secret.as_bytes(), signed), signature)
            }),
        }
    }
}

/// Picks the key by the settings header: `key=<id>,algorithm=HMAC_SHA256`, else the auth token.
fn pick<'a>(keys: &'a Keys, settings: Option<&str>) -> Result<Key<'a>, Forged> {
    let settings = settings.unwrap_or_default();
    let value = |wanted: &str| {
        settings
            .split(',')
            .filter_map(|pair| pair.split_once('='))
            .find(|(name, _)| name.trim() == wanted)
            .map(|(_, value)| value.trim())
    };
    match (value("key"), value("algorithm")) {
        (None, None | Some("HMAC_SHA1")) => Ok(Key::Sha1(&keys.auth_tokens)),
        (Some(id), Some("HMAC_SHA256")) => {
            keys.shared.get(id).map(Key::Sha256).ok_or_else(|| {
                Forged::mismatch("signed with a shared key that is not in shared_keys")
            })
        }
        _ => Err(Forged::mismatch(
            "X-Twilio-Webhooks-Signature-Settings names no known key and algorithm",
        )),
    }
}

/// A hash in the URL binds the body, whatever content type is claimed for it: else a signed JSON
/// request would stay valid without its body. The last `bodySHA256` counts: Twilio appends its
/// own to whatever the URL had.
fn check_body_hash(request: &WebhookRequest, payload: &Payload) -> Result<(), Forged> {
    let params = Params::of_url(request);
    let Some(expected) = params.last("bodySHA256") else {
        return match payload {
            Payload::Json => Err(Forged::mismatch(
                "a JSON body without bodySHA256 in the URL",
            )),
            _ => Ok(()),
        };
    };
    let actual = sign::hex(&sign::sha256(&request.body));
    if sign::equal(actual.as_bytes(), expected.as_bytes()) {
        Ok(())
    } else {
        Err(Forged::mismatch("bodySHA256 does not match the body"))
    }
}

/// The forms of the URL that Twilio may have signed: without port, and with the port (the given
/// one, else the scheme's). Path and query stay as they came, byte for byte.
pub(crate) fn url_forms(url: &str) -> Vec<String> {
    let url = url.split_once('#').map_or(url, |(before, _)| before);
    let Some((scheme, rest)) = url.split_once("://") else {
        return vec![url.into()];
    };
    let authority_end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(authority_end);
    let host_port = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host_port)| host_port);
    let (host, port) = split_port(host_port);
    let default = match scheme {
        "https" => Some("443"),
        "http" => Some("80"),
        _ => None,
    };
    let mut forms = vec![format!("{scheme}://{host}{tail}")];
    if let Some(port) = port.or(default) {
        forms.push(format!("{scheme}://{host}:{port}{tail}"));
    }
    forms
}

/// Splits `host:port`; the colons inside an IPv6 address are no port.
fn split_port(host_port: &str) -> (&str, Option<&str>) {
    let host_end = host_port.rfind(']').map_or(0, |bracket| bracket + 1);
    match host_port[host_end..].rfind(':') {
        Some(colon) => {
            let (host, port) = host_port.split_at(host_end + colon);
            (host, Some(&port[1..]).filter(|port| !port.is_empty()))
        }
        None => (host_port, None),
    }
}
