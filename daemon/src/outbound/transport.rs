//! Performs the requests that adapters ask for: the one place that talks to providers.

use std::{error::Error as _, net::IpAddr, sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use reqwest::{Client, Url, header::HeaderMap, header::HeaderName, header::HeaderValue, redirect};
use trunkline_plugin_api::{
    Body, HttpReply, HttpRequest, Reply, ReplyTo, Request, TransportError, TransportKind,
};

use super::{
    Sessions,
    address::{Forbidden, PublicOnly, is_public},
    skew::ProviderClock,
};
use crate::{config::Settings, model::mask_url};

/// Bytes of a provider's answer that an adapter is given.
const REPLY_BYTES_MAX: usize = 1024 * 1024;
/// Time for a connection, within the time for the whole call.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Headers of a provider's answer that an adapter is given.
const REPLY_HEADERS_MAX: usize = 64;

/// The HTTP client of the daemon. Cheap to clone; keeps its connections.
#[derive(Clone)]
pub struct Transport {
    public: Client,
    any: Client,
    settings: Settings,
    clock: ProviderClock,
    sessions: Sessions,
}

impl Transport {
    /// Builds the clients: no redirects by themselves, rustls with ring.
    pub fn new(settings: Settings) -> Result<Self, reqwest::Error> {
        let build = || {
            Client::builder()
                .user_agent(concat!("trunkline/", env!("CARGO_PKG_VERSION")))
                .redirect(redirect::Policy::none())
                .connect_timeout(CONNECT_TIMEOUT)
                .pool_idle_timeout(Duration::from_secs(30))
                .referer(false)
                .no_proxy()
        };
        Ok(Self {
            public: build().dns_resolver(Arc::new(PublicOnly)).build()?,
            any: build().build()?,
            settings,
            clock: ProviderClock::default(),
            sessions: Sessions::default(),
        })
    }

    /// How far our clock is from the providers'.
    pub fn clock(&self) -> &ProviderClock {
        &self.clock
    }

    /// The live sessions of chat visitors, which pushes go to.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// Performs one request. Whatever happens is a reply; nothing is retried here.
    pub async fn perform(&self, request: Request, allow_private: bool) -> Reply {
        let result = match request {
            Request::Http(request) => self.http(request, allow_private).await.map(Reply::Http),
            Request::Smtp(_) => Err(unavailable("SMTP")),
            Request::Push(_) => Err(unavailable("a push that no channel makes")),
            Request::Digest(_) => Err(unavailable("digests")),
        };
        result.unwrap_or_else(Reply::Error)
    }

    async fn http(
        &self,
        request: HttpRequest,
        allow_private: bool,
    ) -> Result<HttpReply, TransportError> {
        let mut url = parse_url(&request.url)?;
        let origin = url.host_str().map(str::to_owned);
        let mut hops = request.redirects_max;
        loop {
            if !allow_private {
                refuse_private(&url)?;
            }
            let same_host = url.host_str() == origin.as_deref();
            let response = self
                .once(&request, url.clone(), same_host, allow_private)
                .await?;
            match redirect_target(&response, &url) {
                Some(next) if hops > 0 => {
                    hops -= 1;
                    url = next;
                }
                _ => return self.read(response, request.reply_to).await,
            }
        }
    }

    /// One exchange. Headers that carry credentials go to the first host alone.
    async fn once(
        &self,
        request: &HttpRequest,
        url: Url,
        same_host: bool,
        allow_private: bool,
    ) -> Result<reqwest::Response, TransportError> {
        let method = reqwest::Method::from_bytes(request.method.as_bytes())
            .map_err(|_| refused(format!("\"{}\" is not an HTTP method", request.method)))?;
        let client = if allow_private {
            &self.any
        } else {
            &self.public
        };
        let mut builder = client
            .request(method, url)
            .timeout(self.settings.load().outbound.call_timeout)
            .headers(headers(request, same_host)?);
        match &request.body {
            Body::Empty => {}
            Body::Bytes { bytes } => builder = builder.body(bytes.clone()),
            Body::Media { .. } | Body::Pieces { .. } => {
                return Err(unavailable("sending media files"));
            }
        }
        builder.send().await.map_err(|error| classify(&error))
    }

    async fn read(
        &self,
        response: reqwest::Response,
        reply_to: ReplyTo,
    ) -> Result<HttpReply, TransportError> {
        if reply_to == ReplyTo::File {
            return Err(unavailable("media files"));
        }
        let date = response.headers().get(reqwest::header::DATE);
        let now_ms = jiff::Timestamp::now().as_millisecond();
        self.clock
            .note(date.and_then(|date| date.to_str().ok()), now_ms);
        let status = response.status().as_u16();
        let headers = response
            .headers()
            .iter()
            .take(REPLY_HEADERS_MAX)
            .map(|(name, value)| {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                (name.as_str().to_owned(), value)
            })
            .collect();
        let mut body = Vec::new();
        let mut chunks = response.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| after_send(error.without_url().to_string()))?;
            if body.len() + chunk.len() > REPLY_BYTES_MAX {
                return Err(TransportError {
                    kind: TransportKind::TooLarge,
                    detail: format!("the answer is larger than {REPLY_BYTES_MAX} bytes"),
                });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(HttpReply {
            status,
            headers,
            body,
            file: None,
        })
    }
}

fn parse_url(text: &str) -> Result<Url, TransportError> {
    let url = Url::parse(text).map_err(|error| refused(format!("the URL is wrong: {error}")))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        other => Err(refused(format!(
            "the URL's scheme is {other}, not http or https"
        ))),
    }
}

/// A literal address is never resolved, so it is looked at here.
fn refuse_private(url: &Url) -> Result<(), TransportError> {
    let host = url.host_str().unwrap_or_default();
    let literal = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<IpAddr>();
    match literal {
        Ok(address) if !is_public(address) => Err(TransportError {
            kind: TransportKind::Forbidden,
            detail: format!("{}: {Forbidden}", mask_url(url.as_str())),
        }),
        _ => Ok(()),
    }
}

fn redirect_target(response: &reqwest::Response, from: &Url) -> Option<Url> {
    if !response.status().is_redirection() {
        return None;
    }
    let location = response.headers().get("location")?.to_str().ok()?;
    let next = from.join(location).ok()?;
    matches!(next.scheme(), "http" | "https").then_some(next)
}

fn headers(request: &HttpRequest, same_host: bool) -> Result<HeaderMap, TransportError> {
    let mut headers = HeaderMap::with_capacity(request.headers.len());
    for header in &request.headers {
        if header.sensitive && !same_host {
            continue;
        }
        let name = HeaderName::from_bytes(header.name.as_bytes())
            .map_err(|_| refused(format!("\"{}\" is not a header name", header.name)))?;
        let mut value = HeaderValue::from_str(&header.value)
            .map_err(|_| refused(format!("the value of header {name} is not allowed")))?;
        value.set_sensitive(header.sensitive);
        headers.append(name, value);
    }
    Ok(headers)
}

/// Sorts a failure by whether the provider can have seen the request. The URL is left out: it can
/// carry credentials.
fn classify(error: &reqwest::Error) -> TransportError {
    let mut words = Vec::new();
    let mut source = error.source();
    while let Some(cause) = source {
        words.push(cause.to_string());
        source = cause.source();
    }
    let detail = match words.len() {
        0 => "the call failed".to_owned(),
        _ => words.join(": "),
    };
    let lower = detail.to_ascii_lowercase();
    let kind = if lower.contains("address is private") {
        TransportKind::Forbidden
    } else if error.is_connect() && lower.contains("dns") {
        TransportKind::Dns
    } else if error.is_connect() && (lower.contains("certificate") || lower.contains("tls")) {
        TransportKind::Tls
    } else if error.is_connect() && error.is_timeout() {
        TransportKind::TimeoutBeforeSend
    } else if error.is_connect() {
        TransportKind::Connect
    } else if error.is_builder() {
        return refused(detail);
    } else {
        TransportKind::TimeoutAfterSend
    };
    TransportError { kind, detail }
}

fn after_send(detail: String) -> TransportError {
    TransportError {
        kind: TransportKind::TimeoutAfterSend,
        detail,
    }
}

/// The adapter asked for something that can't be asked; nothing was sent.
fn refused(detail: String) -> TransportError {
    TransportError {
        kind: TransportKind::Forbidden,
        detail,
    }
}

fn unavailable(what: &str) -> TransportError {
    refused(format!("this daemon has no transport for {what}"))
}
