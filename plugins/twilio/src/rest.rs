//! Calls to Twilio's REST API (version 2010-04-01) and what its answers hold.

use data_encoding::BASE64;
use jiff::fmt::rfc2822::DateTimeParser;
use serde_json::Value;
use trunkline_plugin_api::{
    AdapterError, ErrorClass, HttpRequest, Reply, Secret, Step, Timestamp, Turn,
};
use url::Url;

use crate::errors;

const VERSION: &str = "2010-04-01";

/// Where to call and as whom.
pub(crate) struct Api {
    base: Url,
    /// The account in every path.
    pub(crate) account_sid: String,
    /// The value of the `Authorization` header.
    authorization: Secret,
    /// True where an API key authenticates in place of the account's auth token.
    pub(crate) with_api_key: bool,
}

impl Api {
    pub(crate) fn new(
        base: Url,
        account_sid: &str,
        user: &str,
        password: &str,
        with_api_key: bool,
    ) -> Self {
        let login = BASE64.encode(format!("{user}:{password}").as_bytes());
        Self {
            base,
            account_sid: account_sid.into(),
            authorization: Secret::new(format!("Basic {login}")),
            with_api_key,
        }
    }

    /// `GET {base}/2010-04-01/Accounts/{path}`.
    pub(crate) fn get(&self, path: &[&str], query: &[(&str, &str)]) -> HttpRequest {
        let mut url = self.url(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.authorize(HttpRequest::new("GET", url))
            .header("accept", "application/json")
    }

    /// `POST {base}/2010-04-01/Accounts/{path}` with a form.
    pub(crate) fn post(&self, path: &[&str], form: &[(&str, String)]) -> HttpRequest {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        self.authorize(HttpRequest::new("POST", self.url(path)))
            .header("accept", "application/json")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body)
    }

    /// Follows a `next_page_uri`, which is a path with query; none where it is anything else.
    pub(crate) fn get_page(&self, uri: &str) -> Option<HttpRequest> {
        let base = self.base.as_str().trim_end_matches('/');
        let path = uri.strip_prefix('/')?;
        let url = Url::parse(&format!("{base}/{path}")).ok()?;
        Some(self.get_url(url))
    }

    /// `GET` of a URL with the credentials, for JSON.
    pub(crate) fn get_url(&self, url: Url) -> HttpRequest {
        self.authorize(HttpRequest::new("GET", url))
            .header("accept", "application/json")
    }

    /// Where templates are served: on Twilio's own hosts `content` in place of `api`, regions
    /// included; any other base serves everything.
    pub(crate) fn content_base(&self) -> Url {
        let mut base = self.base.clone();
        let host = self.base.host_str().unwrap_or_default();
        let rest = host
            .strip_prefix("api.")
            .filter(|rest| *rest == "twilio.com" || rest.ends_with(".twilio.com"));
        if let Some(rest) = rest {
            // A host made of another host is one.
            let _ = base.set_host(Some(&format!("content.{rest}")));
        }
        base
    }

    /// Adds the credentials.
    pub(crate) fn authorize(&self, request: HttpRequest) -> HttpRequest {
        request.sensitive_header("authorization", self.authorization.expose())
    }

    /// True where the credentials may go: to the API's own scheme, host and port, and to Twilio's
    /// hosts over TLS.
    pub(crate) fn owns(&self, url: &Url) -> bool {
        let at_twilio = url.scheme() == "https"
            && url.port().is_none()
            && url
                .host_str()
                .is_some_and(|host| host == "twilio.com" || host.ends_with(".twilio.com"));
        url.origin() == self.base.origin() || at_twilio
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .expect("the base is http or https, which has a path")
            .pop_if_empty()
            .extend([VERSION, "Accounts"])
            .extend(path);
        url
    }
}

/// The answer to a call that only reads: its JSON, or why there is none.
pub(crate) fn read(reply: &Reply, now_ms: Timestamp) -> Result<Value, AdapterError> {
    let answer = reply.http().map_err(errors::for_reading)?;
    if answer.status != 200 {
        return Err(errors::for_reading(errors::of_answer(answer, now_ms)));
    }
    serde_json::from_slice(&answer.body).map_err(|_| unreadable())
}

/// An answer that is no JSON.
pub(crate) fn unreadable() -> AdapterError {
    AdapterError::new(
        ErrorClass::Bug,
        "unreadable_answer",
        "Twilio's answer is not JSON as expected: check api_base",
    )
}

/// One reading call: asks for `request` until there is a reply (a read may be repeated after a
/// restart), then hands its JSON to `finish`.
pub(crate) fn read_once<T>(
    turn: &Turn,
    request: impl FnOnce() -> HttpRequest,
    finish: impl FnOnce(Value) -> Step<T>,
) -> Step<T> {
    match &turn.reply {
        None => Step::call(request(), Value::from("read")),
        Some(reply) => match read(reply, turn.now_ms) {
            Ok(body) => finish(body),
            Err(error) => Step::fail(error),
        },
    }
}

/// The error of a call on a channel that has no credentials.
pub(crate) fn no_credentials() -> AdapterError {
    AdapterError::new(
        ErrorClass::Credentials,
        "no_credentials",
        "No credentials configured: set account_sid and auth_token, or an API key",
    )
}

/// A message as the API shows it. Every field may be missing or null.
pub(crate) struct Resource<'a>(pub(crate) &'a Value);

impl<'a> Resource<'a> {
    /// A text field, where it is one and not empty.
    pub(crate) fn text(&self, field: &str) -> Option<&'a str> {
        self.0.get(field)?.as_str().filter(|text| !text.is_empty())
    }

    /// A whole number, written as a number or in a string.
    pub(crate) fn number(&self, field: &str) -> Option<u32> {
        match self.0.get(field)? {
            Value::Number(number) => number.as_u64()?.try_into().ok(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// A time, written as in mail (RFC 2822).
    pub(crate) fn time(&self, field: &str) -> Option<Timestamp> {
        let time = DateTimeParser::new().parse_timestamp(self.text(field)?);
        time.ok().map(jiff::Timestamp::as_millisecond)
    }
}

/// The messages of one page of a list.
pub(crate) fn messages(page: &Value) -> impl DoubleEndedIterator<Item = Resource<'_>> {
    let items = page.get("messages").and_then(Value::as_array);
    items.into_iter().flatten().map(Resource)
}

/// Where the list goes on, if it does.
pub(crate) fn next_page(page: &Value) -> Option<&str> {
    Resource(page).text("next_page_uri")
}
