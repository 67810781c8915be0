//! The generic webhook peer: a sink for the gateway's signed POSTs, and a sender with every proof
//! that the webhook channel knows.
//!
//! `sink` verifies and keeps what arrives, `sender` builds and posts what goes to the gateway,
//! `signature` computes both schemes.

mod sender;
mod signature;
mod sink;

pub use sender::{InboundHook, Proof, batch, message};
pub(crate) use signature::random_secret;
pub use signature::{hub_signature, standard_signature};
pub use sink::Received;

use crate::behaviour::Behaviour;
use crate::courier::Courier;
use crate::recorded::{RecordedRequest, RequestLog};
use crate::{Answer, SimulatorError, wait};
use parking_lot::Mutex;
use sink::Sink;
use std::sync::Arc;
use std::time::Duration;

/// How many requests are kept until told otherwise.
const REQUESTS_KEPT: usize = 10_000;

/// The peer. Clones are the same peer.
#[derive(Clone)]
pub struct Webhook {
    inner: Arc<Inner>,
}

struct Inner {
    sink_url: String,
    sink: Mutex<Sink>,
    requests: RequestLog,
    courier: Courier,
}

impl Webhook {
    /// The sink's path on the simulator.
    pub(crate) const SINK_PATH: &'static str = "/webhook/sink";

    pub(crate) fn new(base: &str, courier: Courier) -> Self {
        Self {
            inner: Arc::new(Inner {
                sink_url: format!("{base}{}", Self::SINK_PATH),
                sink: Mutex::new(Sink::new(random_secret())),
                requests: RequestLog::new(REQUESTS_KEPT),
                courier,
            }),
        }
    }

    /// Where the gateway posts to, the channel's `url`. Answers HEAD with 200.
    pub fn sink_url(&self) -> String {
        self.inner.sink_url.clone()
    }

    /// The secret of the gateway's signatures, the channel's `url_secret`: `whsec_…`.
    pub fn url_secret(&self) -> String {
        self.inner.sink.lock().secret.clone()
    }

    /// Replaces the secret; signatures of the old one no longer pass. Returns the new one.
    pub fn rotate_url_secret(&self) -> String {
        let mut sink = self.inner.sink.lock();
        sink.secret = random_secret();
        sink.secret.clone()
    }

    /// How the sink treats valid POSTs from now on. A `twilio_code` means nothing here.
    pub fn set_behaviour(&self, behaviour: Behaviour) {
        self.inner.sink.lock().script.set(behaviour);
    }

    /// How the sink treats the next valid POST only; several calls queue up.
    pub fn behave_once(&self, behaviour: Behaviour) {
        self.inner.sink.lock().script.push(behaviour);
    }

    /// Everything posted to the sink, oldest first, refused or not.
    pub fn received(&self) -> Vec<Received> {
        self.inner.sink.lock().received.clone()
    }

    /// What a consumer that drops duplicates has taken: valid, accepted, first of its id.
    pub fn taken(&self) -> Vec<Received> {
        let sink = self.inner.sink.lock();
        let all = sink.received.iter();
        all.filter(|post| post.accepted && !post.duplicate)
            .cloned()
            .collect()
    }

    /// The latest requests to the sink (10,000), oldest first, with what is wrong with them.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.inner.requests.all()
    }

    /// The requests since this was last asked; they are kept no longer.
    pub(crate) fn take_requests(&self) -> Vec<RecordedRequest> {
        self.inner.requests.take()
    }

    /// Waits until `condition` holds, looking every 5 ms. Needs a tokio runtime with time.
    pub async fn wait_until(
        &self,
        mut condition: impl FnMut(&Self) -> bool,
        timeout: Duration,
    ) -> Result<(), SimulatorError> {
        wait::until(|| condition(self), timeout).await
    }

    /// Posts JSON to the gateway with a proof made from `secret`. One attempt.
    pub async fn inbound(
        &self,
        url: &str,
        proof: Proof,
        secret: &str,
        json: &serde_json::Value,
    ) -> Result<Answer, SimulatorError> {
        self.deliver(url, &InboundHook::new(proof, secret, json))
            .await
    }

    /// Posts a webhook to the gateway as it was built. One attempt; the same value posted twice is
    /// a retry with the same id.
    pub async fn deliver(&self, url: &str, hook: &InboundHook) -> Result<Answer, SimulatorError> {
        self.inner.courier.send(hook.parcel(url)?).await
    }
}
