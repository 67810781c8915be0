//! AWS signature version 4 (AWS: "Create a signed AWS API request"). The payload's hash is given, so that a body
//! which the daemon streams can be signed too.
//!
//! ```text
//! method, path, query, headers, names, payload hash ─SHA-256─> scope, time ─HMAC under the day's key─> signature
//! ```

use jiff::{Timestamp, tz::TimeZone};
use trunkline_plugin_api::{HttpRequest, Secret, sign};
use url::Url;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// An access key for one service in one region.
pub(crate) struct Signer {
    key_id: String,
    secret: Secret,
    region: String,
    service: &'static str,
}

impl Signer {
    pub(crate) fn new(key_id: &str, secret: &str, region: &str, service: &'static str) -> Self {
        Self {
            key_id: key_id.into(),
            secret: Secret::new(secret),
            region: region.into(),
            service,
        }
    }

    /// Signs a request without query: content type, host and time. `payload` is the body's SHA-256, hex.
    pub(crate) fn sign(
        &self,
        method: &str,
        url: &Url,
        content_type: Option<&str>,
        payload: &str,
        now_ms: i64,
    ) -> HttpRequest {
        let time = amz_date(now_ms);
        let host = host(url);
        let mut headers: Vec<(&str, &str)> = Vec::new();
        headers.extend(content_type.map(|value| ("content-type", value)));
        headers.extend([("host", host.as_str()), ("x-amz-date", &time)]);
        let authorization = self.authorization(method, url.path(), "", &headers, payload);
        let mut request = HttpRequest::new(method, url.as_str())
            .header("x-amz-date", time.clone())
            .sensitive_header("authorization", authorization);
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        request
    }

    /// The `Authorization` header over these headers, which are sorted and hold `x-amz-date`.
    pub(crate) fn authorization(
        &self,
        method: &str,
        path: &str,
        query: &str,
        headers: &[(&str, &str)],
        payload: &str,
    ) -> String {
        let time = headers
            .iter()
            .find(|(name, _)| *name == "x-amz-date")
            .map_or("", |(_, value)| value);
        let day = time.get(..8).unwrap_or_default();
        let mut canonical = format!("{method}\n{path}\n{query}\n");
        for (name, value) in headers {
            canonical += &[name, ":", value.trim(), "\n"].concat();
        }
        let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        canonical += &["\n", &names, "\n", payload].concat();
        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let hash = sign::hex(&sign::sha256(canonical.as_bytes()));
        let to_sign = format!("{ALGORITHM}\n{time}\n{scope}\n{hash}");
        let signature = sign::hmac_sha256(&self.key(day), to_sign.as_bytes());
        format!(
            "{ALGORITHM} Credential={}/{scope}, SignedHeaders={names}, Signature={}",
            self.key_id,
            sign::hex(&signature)
        )
    }

    /// The key of one day.
    pub(crate) fn key(&self, day: &str) -> [u8; 32] {
        let secret = format!("AWS4{}", self.secret.expose());
        let mut key = sign::hmac_sha256(secret.as_bytes(), day.as_bytes());
        for step in [self.region.as_str(), self.service, "aws4_request"] {
            key = sign::hmac_sha256(&key, step.as_bytes());
        }
        key
    }
}

/// `20260101T120000Z`.
fn amz_date(now_ms: i64) -> String {
    let time = Timestamp::from_millisecond(now_ms).unwrap_or(Timestamp::UNIX_EPOCH);
    time.to_zoned(TimeZone::UTC)
        .strftime("%Y%m%dT%H%M%SZ")
        .to_string()
}

/// The `Host` header that goes with a URL.
fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.into(),
    }
}
