//! `[server.tls]` and `[server.limits]`: what the public listener proves, and what it puts up with.

use std::{path::PathBuf, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Config,
    report::Report,
    rules::{at_most, within},
    units::{ByteSize, HumanTime},
};

/// Bounds of a request's head: below, no provider's request fits; above, it is too large to be kept with
/// its event.
const HEAD_BYTES: (u64, u64) = (1 << 10, 48 << 10);
/// Bounds of a request's target.
const TARGET_BYTES: (u64, u64) = (256, 48 << 10);

/// TLS 1.2 and 1.3 on the public listener. Without it a proxy in front has to speak TLS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// A file with the certificate and those that lead to its authority, in PEM form. "" is none: the
    /// listener speaks plain HTTP.
    pub certificate: PathBuf,
    /// The file with its private key, in PEM form.
    pub key: PathBuf,
    /// Time between two looks at the files. New ones are taken for new connections; what can't be
    /// used is refused, and the old ones stay.
    #[serde(with = "HumanTime")]
    pub refresh: Duration,
    /// How long before its end the certificate is warned about.
    #[serde(with = "HumanTime")]
    pub warn_before: Duration,
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            certificate: PathBuf::new(),
            key: PathBuf::new(),
            refresh: Duration::from_secs(60),
            warn_before: Duration::from_secs(14 * 86_400),
        }
    }
}

impl Tls {
    /// Whether the listener speaks TLS.
    pub fn is_on(&self) -> bool {
        !self.certificate.as_os_str().is_empty()
    }

    /// The paths, for making them absolute.
    pub(super) fn paths_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let paths = [&mut self.certificate, &mut self.key];
        paths
            .into_iter()
            .filter(|path| !path.as_os_str().is_empty())
    }
}

/// What the public listener grants a client. A change holds for connections that are open, too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Connections at the same time; one more is turned away. Each holds a file descriptor.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub connections_max: u32,
    /// Connections at the same time from one address (of IPv6: from one /64 network); trusted proxies
    /// are not counted.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub connections_per_address: u32,
    /// Time for a TLS handshake, and for a request's line and headers; 408 after it.
    #[serde(with = "HumanTime")]
    pub head_timeout: Duration,
    /// Time for a request's body; 408 after it.
    #[serde(with = "HumanTime")]
    pub body_timeout: Duration,
    /// Bytes of a body that must come in a second, counted over all of it; 408 for slower ones. 0 is
    /// no limit.
    #[serde(with = "ByteSize")]
    pub body_rate_min: u64,
    /// Time before a body's rate is looked at.
    #[serde(with = "HumanTime")]
    pub body_grace: Duration,
    /// Time for which a connection stays open between two requests.
    #[serde(with = "HumanTime")]
    pub keep_alive: Duration,
    /// Time in which a client must take some of what it is sent.
    #[serde(with = "HumanTime")]
    pub write_timeout: Duration,
    /// Bytes of a request's target and headers; 431 above.
    #[serde(with = "ByteSize")]
    pub head_bytes_max: u64,
    /// Headers of a request; 431 above.
    #[schemars(range(min = 1, max = 96))]
    pub headers_max: u32,
    /// Bytes of a request's path and query; 414 above.
    #[serde(with = "ByteSize")]
    pub target_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 4096,
            connections_per_address: 256,
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            body_rate_min: 256,
            body_grace: Duration::from_secs(5),
            keep_alive: Duration::from_secs(15),
            write_timeout: Duration::from_secs(30),
            head_bytes_max: 48 << 10,
            headers_max: 96,
            target_bytes_max: 16 << 10,
        }
    }
}

/// Checks both tables against each other and the rest of `[server]`.
pub(super) fn check(config: &Config, report: &mut Report<'_>) {
    let (server, limits) = (&config.server, &config.server.limits);
    let head = limits.head_bytes_max;
    within(report, "/server/limits/head_bytes_max", head, HEAD_BYTES);
    let target = limits.target_bytes_max;
    within(
        report,
        "/server/limits/target_bytes_max",
        target,
        TARGET_BYTES,
    );
    let whole = ("body_timeout", limits.body_timeout);
    at_most(
        report,
        "/server/limits/body_grace",
        limits.body_grace,
        whole,
    );
    tls(&server.tls, report);
    let (https, proxied) = (
        server.public_url.is_https(),
        !server.trusted_proxies.is_empty(),
    );
    if https && !server.tls.is_on() && !proxied {
        let message = "is https, but nothing here speaks it: set [server.tls], or name the proxy that \
                       does in trusted_proxies";
        report.warn("/server/public_url", message);
    }
}

fn tls(tls: &Tls, report: &mut Report<'_>) {
    let has_key = !tls.key.as_os_str().is_empty();
    if tls.is_on() && !has_key {
        report.error("/server/tls", "has a certificate and no key");
    }
    if has_key && !tls.is_on() {
        report.error("/server/tls", "has a key and no certificate");
    }
}
