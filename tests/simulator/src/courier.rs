//! Carries the simulator's own requests to the gateway: one client on the simulator's thread.
//!
//! A public origin (`https://hooks.example.org`) can be routed to a loopback listener, the way a
//! TLS proxy in front of the gateway would: what is signed keeps the public address, what is
//! connected to is the listener.

use crate::{Answer, SimulatorError};
use parking_lot::RwLock;
use reqwest::header::{HeaderName, HeaderValue};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

/// Connections at once; more requests wait for their turn.
const CONCURRENT_MAX: usize = 256;
/// How much of an answer is kept.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Twilio's default for connecting (Webhooks: Connection Overrides).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// One request to carry.
#[derive(Debug, Clone)]
pub(crate) struct Parcel {
    /// HTTP method.
    pub(crate) method: reqwest::Method,
    /// The public address, without fragment.
    pub(crate) url: String,
    /// Headers to send.
    pub(crate) headers: Vec<(String, String)>,
    /// The body.
    pub(crate) body: Vec<u8>,
    /// Limit for the whole exchange.
    pub(crate) timeout: Duration,
}

/// The client and the routes. Clones share both.
#[derive(Clone)]
pub(crate) struct Courier {
    client: reqwest::Client,
    runtime: Handle,
    routes: Arc<RwLock<Vec<(String, String)>>>,
    turns: Arc<Semaphore>,
}

impl Courier {
    /// A courier whose work runs on `runtime`.
    pub(crate) fn new(runtime: Handle) -> Result<Self, SimulatorError> {
        let start = |error: &dyn std::fmt::Display| SimulatorError::Start(error.to_string());
        // No certificate is ever trusted: everything stays on loopback, in plain HTTP.
        let tls = rustls::ClientConfig::builder_with_provider(Arc::new(
            rustls::crypto::ring::default_provider(),
        ))
        .with_safe_default_protocol_versions()
        .map_err(|error| start(&error))?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_max_idle_per_host(CONCURRENT_MAX)
            .build()
            .map_err(|error| start(&error))?;
        Ok(Self {
            client,
            runtime,
            routes: Arc::default(),
            turns: Arc::new(Semaphore::new(CONCURRENT_MAX)),
        })
    }

    /// Sends everything for `public` (scheme and authority) to `listener` (the same) instead.
    pub(crate) fn route(&self, public: &str, listener: &str) {
        let trim = |origin: &str| origin.trim_end_matches('/').to_owned();
        let (public, listener) = (trim(public), trim(listener));
        let mut routes = self.routes.write();
        routes.retain(|(known, _)| *known != public);
        routes.push((public, listener));
    }

    /// Runs work on the simulator's thread.
    pub(crate) fn spawn<F>(&self, work: F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.runtime.spawn(work)
    }

    /// Sends one request from the simulator's thread and reads the answer to its end.
    pub(crate) async fn send(&self, parcel: Parcel) -> Result<Answer, SimulatorError> {
        let courier = self.clone();
        self.spawn(async move { courier.carry(parcel).await })
            .await
            .map_err(|_| SimulatorError::Stopped)?
    }

    async fn carry(&self, parcel: Parcel) -> Result<Answer, SimulatorError> {
        let request = self.request(&parcel)?;
        let _turn = self
            .turns
            .acquire()
            .await
            .map_err(|_| SimulatorError::Stopped)?;
        let started = Instant::now();
        match tokio::time::timeout(parcel.timeout, self.exchange(request)).await {
            Ok(Ok(mut answer)) => {
                answer.elapsed = started.elapsed();
                Ok(answer)
            }
            Ok(Err(error)) => Err(SimulatorError::NoAnswer {
                connect: error.is_connect(),
                reason: chain(&error),
                url: parcel.url,
            }),
            Err(_) => Err(SimulatorError::Slow {
                url: parcel.url,
                after: parcel.timeout,
            }),
        }
    }

    async fn exchange(&self, request: reqwest::Request) -> Result<Answer, reqwest::Error> {
        let mut response = self.client.execute(request).await?;
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                (name.as_str().to_owned(), value)
            })
            .collect();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            let room = BODY_BYTES_MAX - body.len();
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        }
        Ok(Answer {
            status: response.status().as_u16(),
            headers,
            body,
            elapsed: Duration::ZERO,
            attempts: 1,
        })
    }

    fn request(&self, parcel: &Parcel) -> Result<reqwest::Request, SimulatorError> {
        let bad = |reason: String| SimulatorError::BadUrl {
            url: parcel.url.clone(),
            reason,
        };
        let (target, forwarded) = self.resolve(&parcel.url);
        let target = url::Url::parse(&target).map_err(|error| bad(error.to_string()))?;
        if target.scheme() != "http" {
            return Err(bad("only plain HTTP; route a public origin first".into()));
        }
        let mut builder = self
            .client
            .request(parcel.method.clone(), target)
            .body(parcel.body.clone());
        for (name, value) in parcel.headers.iter().chain(&forwarded) {
            let name = HeaderName::from_bytes(name.as_bytes());
            let value = HeaderValue::from_str(value);
            match (name, value) {
                (Ok(name), Ok(value)) => builder = builder.header(name, value),
                _ => return Err(bad("a header can't be written".into())),
            }
        }
        builder.build().map_err(|error| bad(error.to_string()))
    }

    /// The address to connect to, and what a proxy would add.
    fn resolve(&self, url: &str) -> (String, Vec<(String, String)>) {
        for (public, listener) in self.routes.read().iter() {
            let Some(rest) = url.strip_prefix(public.as_str()) else {
                continue;
            };
            if !rest.is_empty() && !rest.starts_with(['/', '?']) {
                continue;
            }
            let (scheme, host) = public.split_once("://").unwrap_or(("https", public));
            let forwarded = vec![
                ("x-forwarded-proto".to_owned(), scheme.to_owned()),
                ("x-forwarded-host".to_owned(), host.to_owned()),
            ];
            return (format!("{listener}{rest}"), forwarded);
        }
        (url.to_owned(), Vec::new())
    }
}

/// An error with all its causes, since the outermost only says that sending failed.
fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        words.push_str(": ");
        words.push_str(&inner.to_string());
        cause = inner.source();
    }
    words
}
