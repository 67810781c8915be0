//! Performs the requests that adapters ask for: the one place that talks to providers.
//!
//! | request | where |
//! |---|---|
//! | HTTP | [`http`] |
//! | SMTP | [`smtp`] |
//! | push | [`Sessions`] |
//! | digest of a body | [`BodyStream`] |
//!
//! Bodies of files go out through a [`BodyStream`], answers that go into files come in through an
//! [`Intake`]: neither is ever whole in memory.

mod body;
mod http;
mod intake;
mod smtp;
mod trust;

use std::{sync::Arc, time::Duration};

use reqwest::{Client, redirect};
use trunkline_plugin_api::{Reply, Request, TransportError, TransportKind};

pub(crate) use self::body::BodyStream;
pub use self::intake::Intake;
pub use self::trust::Trust;
use super::{Frame, Sessions, address::PublicOnly, skew::ProviderClock};
use crate::{channel::Channel, config::Settings, model::OrgId, store::Store};

/// Time for a connection, within the time for the whole call.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The transports of the daemon. Cheap to clone; keeps its connections.
#[derive(Clone)]
pub struct Transport {
    public: Client,
    any: Client,
    store: Store,
    trust: Arc<Trust>,
    settings: Settings,
    clock: ProviderClock,
    sessions: Sessions,
    /// Where answers go that are asked for as files.
    intake: Option<Arc<Intake>>,
}

/// For whom a request is performed.
#[derive(Debug, Clone, Copy)]
struct Caller {
    /// Whose files it may send.
    org: OrgId,
    /// Whether it may reach into our own network.
    allow_private: bool,
}

impl Transport {
    /// Builds the clients: no redirects by themselves, rustls with ring. `trust` is believed beside the
    /// certificates of this machine.
    pub fn new(settings: Settings, store: Store, trust: Trust) -> Result<Self, reqwest::Error> {
        let certificates = trust.for_http()?;
        let build = || {
            let builder = Client::builder()
                .user_agent(concat!("trunkline/", env!("CARGO_PKG_VERSION")))
                .redirect(redirect::Policy::none())
                .connect_timeout(CONNECT_TIMEOUT)
                .pool_idle_timeout(Duration::from_secs(30))
                .referer(false)
                .no_proxy();
            if certificates.is_empty() {
                builder
            } else {
                builder.tls_certs_merge(certificates.clone())
            }
        };
        Ok(Self {
            public: build().dns_resolver(Arc::new(PublicOnly)).build()?,
            any: build().build()?,
            store,
            trust: Arc::new(trust),
            settings,
            clock: ProviderClock::default(),
            sessions: Sessions::default(),
            intake: None,
        })
    }

    /// The same transports for a call that may ask for answers as files.
    #[must_use]
    pub fn with_intake(&self, intake: Arc<Intake>) -> Self {
        Self {
            intake: Some(intake),
            ..self.clone()
        }
    }

    /// How far our clock is from the providers'.
    pub fn clock(&self) -> &ProviderClock {
        &self.clock
    }

    /// The live sessions of chat visitors, which pushes go to.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// Performs one request for a channel. Whatever happens is a reply; nothing is retried here.
    pub async fn perform(&self, channel: &Channel, request: Request) -> Reply {
        let caller = Caller {
            org: channel.org,
            allow_private: channel.config().allow_private,
        };
        let result = match request {
            Request::Http(request) => self.http(request, caller).await.map(Reply::Http),
            Request::Digest(asked) => {
                match BodyStream::open(&self.store, caller.org, &asked.body) {
                    Ok(body) => {
                        let digest = body.digest().await;
                        let digest = digest.map_err(|error| refused(error.to_string()));
                        digest.map(Reply::Digest)
                    }
                    Err(error) => Err(error),
                }
            }
            Request::Smtp(request) => self.smtp(&request, caller).await.map(Reply::Smtp),
            // A visitor is one of this channel's, whatever a plugin says.
            Request::Push(push) => {
                let frame = Frame::from(push.payload.to_string());
                let pushed = self.sessions.push(&channel.id, &push.to, &frame);
                Ok(Reply::Push(pushed))
            }
        };
        result.unwrap_or_else(Reply::Error)
    }
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
