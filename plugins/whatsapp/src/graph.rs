//! Calls to the Graph API and what its answers hold.

use serde_json::Value;
use trunkline_plugin_api::{
    AdapterError, ErrorClass, HttpReply, HttpRequest, Reply, Secret, Step, Timestamp, Turn,
};
use url::Url;

use crate::errors;

/// Hosts besides the API's own that get the access token, each with its subdomains. Attachments lie on
/// `lookaside.fbsbx.com`, which wants the same bearer token as the API (Meta: Download media).
const META_HOSTS: &[&str] = &["facebook.com", "fbsbx.com", "fbcdn.net", "whatsapp.net"];

/// Where to call and as whom.
pub(crate) struct Api {
    base: Url,
    version: String,
    /// The value of the `Authorization` header.
    authorization: Secret,
}

impl Api {
    pub(crate) fn new(base: Url, version: &str, token: &str) -> Self {
        Self {
            base,
            version: version.into(),
            authorization: Secret::new(format!("Bearer {token}")),
        }
    }

    /// `GET {base}/{version}/{path}`.
    pub(crate) fn get(&self, path: &[&str], query: &[(&str, &str)]) -> HttpRequest {
        let mut url = self.url(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.authorize(HttpRequest::new("GET", url))
            .header("accept", "application/json")
    }

    /// `POST {base}/{version}/{path}` with JSON.
    pub(crate) fn post(&self, path: &[&str], body: &Value) -> HttpRequest {
        self.authorize(HttpRequest::new("POST", self.url(path)))
            .header("accept", "application/json")
            .header("content-type", "application/json")
            .body(body.to_string())
    }

    /// `POST {base}/{version}/{path}` without a body yet.
    pub(crate) fn post_to(&self, path: &[&str]) -> HttpRequest {
        self.authorize(HttpRequest::new("POST", self.url(path)))
            .header("accept", "application/json")
    }

    /// Adds the access token.
    pub(crate) fn authorize(&self, request: HttpRequest) -> HttpRequest {
        request.sensitive_header("authorization", self.authorization.expose())
    }

    /// True where the access token may go: the API's own host, and Meta's hosts over TLS. An API
    /// elsewhere (a proxy, a simulator) hands out attachments on its own host, whatever the port.
    pub(crate) fn owns(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        let is_metas = |host: &str| {
            META_HOSTS.iter().any(|known| {
                host.strip_suffix(known)
                    .is_some_and(|before| before.is_empty() || before.ends_with('.'))
            })
        };
        if is_metas(self.base.host_str().unwrap_or_default()) {
            return url.scheme() == "https" && url.port().is_none() && is_metas(host);
        }
        url.scheme() == self.base.scheme() && self.base.host_str() == Some(host)
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .expect("the base is http or https, which has a path")
            .pop_if_empty()
            .push(&self.version)
            .extend(path);
        url
    }
}

/// The answer to a call that only reads, or may be repeated: its JSON, or why there is none.
pub(crate) fn read(reply: &Reply, now_ms: Timestamp) -> Result<Value, AdapterError> {
    let answer = reply.http().map_err(errors::for_reading)?;
    if !is_success(answer) {
        return Err(errors::for_reading(errors::of_answer(answer, now_ms)));
    }
    serde_json::from_slice(&answer.body).map_err(|_| {
        AdapterError::new(
            ErrorClass::Bug,
            "unreadable_answer",
            "Meta's answer is not JSON as expected: check api_base",
        )
    })
}

/// True for 200 to 299.
pub(crate) fn is_success(answer: &HttpReply) -> bool {
    (200..300).contains(&answer.status)
}

/// One call that may be repeated: asks for `request` until there is a reply, then hands its JSON to
/// `finish`.
pub(crate) fn read_once<T>(
    turn: &Turn,
    request: impl FnOnce() -> HttpRequest,
    finish: impl FnOnce(Value) -> Step<T>,
) -> Step<T> {
    match &turn.reply {
        None => Step::call(request(), Value::from("asked")),
        Some(reply) => match read(reply, turn.now_ms) {
            Ok(body) => finish(body),
            Err(error) => Step::fail(error),
        },
    }
}
