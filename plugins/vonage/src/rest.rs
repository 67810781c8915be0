//! Calls to Vonage: addresses and credentials.

use serde_json::Value;
use trunkline_plugin_api::{AdapterError, ErrorClass, HttpRequest, OutboundMessage, Secret, Turn};
use url::Url;

use crate::token::Application;

/// Where to call and as whom.
pub(crate) struct Api {
    /// The SMS API and the account.
    pub(crate) rest: Url,
    /// The Messages API.
    pub(crate) messages: Url,
    /// `Basic ...`, where there are key and secret.
    pub(crate) login: Option<Secret>,
    /// What signs tokens for the Messages API.
    pub(crate) application: Option<Application>,
}

impl Api {
    /// `POST /sms/json` with a form. Key and secret go into a header, where nothing logs them.
    pub(crate) fn post_sms(&self, form: &[(&str, String)]) -> Option<HttpRequest> {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let request = HttpRequest::new("POST", join(&self.rest, &["sms", "json"]))
            .sensitive_header("authorization", self.login.as_ref()?.expose())
            .header("accept", "application/json")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        Some(request)
    }

    /// `POST /v1/messages` with JSON, as the application where there is one.
    pub(crate) fn post_message(&self, body: &Value, turn: &Turn) -> Option<HttpRequest> {
        let request = HttpRequest::new("POST", join(&self.messages, &["v1", "messages"]))
            .sensitive_header("authorization", self.authorization(turn)?)
            .header("accept", "application/json")
            .header("content-type", "application/json")
            .body(body.to_string());
        Some(request)
    }

    /// `GET /account/get-balance`.
    pub(crate) fn get_balance(&self) -> Option<HttpRequest> {
        let url = join(&self.rest, &["account", "get-balance"]);
        let request = HttpRequest::new("GET", url)
            .sensitive_header("authorization", self.login.as_ref()?.expose())
            .header("accept", "application/json");
        Some(request)
    }

    /// A token of the application, else key and secret (Vonage's page on authentication has both
    /// for the Messages API).
    pub(crate) fn authorization(&self, turn: &Turn) -> Option<String> {
        match (&self.application, &self.login) {
            (Some(application), _) => Some(format!("Bearer {}", application.token(turn))),
            (None, Some(login)) => Some(login.expose().to_owned()),
            (None, None) => None,
        }
    }

    /// True where credentials may go: to the configured API, and to Vonage's hosts over TLS.
    pub(crate) fn owns(&self, url: &Url) -> bool {
        let at_vonage = url.scheme() == "https" && url.port().is_none() && is_vonage(url);
        url.origin() == self.messages.origin() || at_vonage
    }
}

/// True for Vonage's own hosts.
pub(crate) fn is_vonage(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        ["nexmo.com", "vonage.com"].iter().any(|domain| {
            host.strip_suffix(domain)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    })
}

fn join(base: &Url, path: &[&str]) -> Url {
    let mut url = base.clone();
    url.path_segments_mut()
        .expect("the base is http or https, which has a path")
        .pop_if_empty()
        .extend(path);
    url
}

/// Our id of a message (and part) as a callback names it, for Vonage to give back. Vonage takes 40
/// characters (its older documents; 100 today), an id has 36 and a part's few more.
pub(crate) fn reference(message: &OutboundMessage) -> String {
    callback(message)
        .and_then(|(_, query)| {
            form_urlencoded::parse(query.as_bytes())
                .find(|(name, _)| name == "message")
                .map(|(_, value)| value.into_owned())
        })
        .unwrap_or_else(|| message.id.clone())
}

/// Where reports should go, without our query: `client-ref` brings the id, and whether Vonage signs
/// the query of a callback that it calls by GET is not documented.
pub(crate) fn callback_base(message: &OutboundMessage) -> Option<&str> {
    callback(message).map(|(base, _)| base)
}

fn callback(message: &OutboundMessage) -> Option<(&str, &str)> {
    let url = message.callback_url.as_deref()?;
    Some(url.split_once('?').unwrap_or((url, "")))
}

/// The error of a channel that has no credentials.
pub(crate) fn no_credentials() -> AdapterError {
    AdapterError::new(
        ErrorClass::Credentials,
        "no_credentials",
        "No credentials configured: set api_key and api_secret, or application_id and private_key",
    )
}

/// The error of a channel that has no sender.
pub(crate) fn no_sender() -> AdapterError {
    AdapterError::new(
        ErrorClass::Config,
        "no_sender",
        "No sender configured: set from",
    )
}

/// The error of a call whose answer can't be told after a restart.
pub(crate) fn interrupted() -> AdapterError {
    AdapterError::new(
        ErrorClass::Ambiguous,
        "interrupted",
        "the daemon stopped before Vonage's answer came",
    )
}
