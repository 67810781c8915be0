//! HTTP calls: no redirect that carries credentials, no private address, nothing retried.

use std::{error::Error as _, net::IpAddr, time::Duration};

use futures_util::StreamExt as _;
use reqwest::{
    Client, Response, Url,
    header::{CONTENT_LENGTH, DATE, HeaderMap, HeaderName, HeaderValue},
};
use trunkline_plugin_api::{
    Body, FileReply, HttpReply, HttpRequest, ReplyTo, TransportError, TransportKind,
};

use super::{BodyStream, Caller, Intake, Transport, after_send, refused, unavailable};
use crate::outbound::address::{Forbidden, is_public};

/// Bytes of a provider's answer that an adapter is given.
const REPLY_BYTES_MAX: usize = 1024 * 1024;
/// Headers of a provider's answer that an adapter is given.
const REPLY_HEADERS_MAX: usize = 64;

impl Transport {
    pub(super) async fn http(
        &self,
        request: HttpRequest,
        caller: Caller,
    ) -> Result<HttpReply, TransportError> {
        let mut url = parse_url(&request.url)?;
        let origin = url.origin();
        let mut hops = request.redirects_max;
        loop {
            if !caller.allow_private {
                refuse_private(&url)?;
            }
            let same_origin = url.origin() == origin;
            let response = self
                .once(&request, url.clone(), same_origin, caller)
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

    /// One exchange. Headers that carry credentials go to the first origin alone.
    async fn once(
        &self,
        request: &HttpRequest,
        url: Url,
        same_origin: bool,
        caller: Caller,
    ) -> Result<Response, TransportError> {
        let method = reqwest::Method::from_bytes(request.method.as_bytes())
            .map_err(|_| refused(format!("\"{}\" is not an HTTP method", request.method)))?;
        let client = self.client(caller);
        let mut headers = headers(request, same_origin)?;
        let body = match &request.body {
            Body::Empty => None,
            Body::Bytes { bytes } => Some(reqwest::Body::from(bytes.clone())),
            Body::Media { .. } | Body::Pieces { .. } => {
                let body = BodyStream::open(&self.store, caller.org, &request.body)?;
                // Known, so that it is not sent in chunks, which many providers refuse.
                headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
                Some(reqwest::Body::wrap_stream(body.into_stream()))
            }
        };
        let mut builder = client
            .request(method, url)
            .timeout(self.time_for(request))
            .headers(headers);
        if let Some(body) = body {
            builder = builder.body(body);
        }
        builder.send().await.map_err(|error| classify(&error))
    }

    /// Calls that move files may take longer than others.
    fn time_for(&self, request: &HttpRequest) -> Duration {
        let settings = self.settings.load();
        let moves_files = matches!(request.body, Body::Media { .. } | Body::Pieces { .. });
        if moves_files || request.reply_to == ReplyTo::File {
            settings.media.timeout.max(settings.outbound.call_timeout)
        } else {
            settings.outbound.call_timeout
        }
    }

    fn client(&self, caller: Caller) -> &Client {
        if caller.allow_private {
            &self.any
        } else {
            &self.public
        }
    }

    async fn read(
        &self,
        response: Response,
        reply_to: ReplyTo,
    ) -> Result<HttpReply, TransportError> {
        let date = response.headers().get(DATE);
        let now_ms = jiff::Timestamp::now().as_millisecond();
        self.clock
            .note(date.and_then(|date| date.to_str().ok()), now_ms);
        let mut reply = HttpReply {
            status: response.status().as_u16(),
            headers: reply_headers(&response),
            body: Vec::new(),
            file: None,
        };
        if reply_to == ReplyTo::File && response.status().is_success() {
            let intake = self.intake.as_ref();
            let intake = intake.ok_or_else(|| unavailable("files but for fetching media"))?;
            reply.file = Some(into_file(intake, response).await?);
        } else {
            reply.body = into_memory(response).await?;
        }
        Ok(reply)
    }
}

fn reply_headers(response: &Response) -> Vec<(String, String)> {
    let headers = response.headers().iter().take(REPLY_HEADERS_MAX);
    let header = |(name, value): (&HeaderName, &HeaderValue)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    };
    headers.map(header).collect()
}

async fn into_memory(response: Response) -> Result<Vec<u8>, TransportError> {
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
    Ok(body)
}

async fn into_file(intake: &Intake, response: Response) -> Result<FileReply, TransportError> {
    let mut file = intake.begin(response.content_length()).await?;
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| after_send(error.without_url().to_string()))?;
        file.write(&chunk)
            .await
            .map_err(|error| intake.failed(&error))?;
    }
    intake.take(file).await
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
            // The host alone: a path may hold a credential.
            detail: format!("{host}: {Forbidden}"),
        }),
        _ => Ok(()),
    }
}

fn redirect_target(response: &Response, from: &Url) -> Option<Url> {
    if !response.status().is_redirection() {
        return None;
    }
    let location = response.headers().get("location")?.to_str().ok()?;
    let next = from.join(location).ok()?;
    matches!(next.scheme(), "http" | "https").then_some(next)
}

fn headers(request: &HttpRequest, same_origin: bool) -> Result<HeaderMap, TransportError> {
    let mut headers = HeaderMap::with_capacity(request.headers.len());
    for header in &request.headers {
        if header.sensitive && !same_origin {
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
