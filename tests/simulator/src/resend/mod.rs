//! Resend's side: one account with one domain.
//!
//! - `api`: the calls, checked as strictly as Resend does: sending with idempotency keys, received mails and their
//!   attachments, domains.
//! - `webhooks`: what Resend tells the gateway, signed with Svix's scheme.

mod api;
mod webhooks;

pub use webhooks::{ResendMail, SignedWebhook};

use crate::behaviour::{Behaviour, Script};
use crate::courier::Courier;
use crate::recorded::{RecordedRequest, RequestLog};
use crate::{SimulatorError, wait};
use parking_lot::Mutex;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// How many requests are kept.
const REQUESTS_KEPT: usize = 10_000;
/// The account's domain.
const DOMAIN: &str = "example.com";

/// The simulated account. Clones are the same account.
#[derive(Clone)]
pub struct Resend {
    inner: Arc<Inner>,
}

struct Inner {
    base: String,
    api_key: String,
    webhook_secret: String,
    account: Mutex<Account>,
    requests: RequestLog,
    courier: Courier,
}

/// A mail that was really accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct ResendMessage {
    /// Resend's id.
    pub id: String,
    /// The call's JSON.
    pub json: Value,
    /// `Idempotency-Key`, where there was one.
    pub idempotency_key: Option<String>,
}

#[derive(Default)]
struct Account {
    sends: Script,
    messages: Vec<ResendMessage>,
    /// Bodies and ids by idempotency key.
    keys: HashMap<String, (Vec<u8>, String)>,
    domain_status: Option<String>,
    /// What `GET /emails/receiving/{id}` answers.
    received: HashMap<String, Value>,
    /// Attachments by `{mail}/{attachment}`.
    files: HashMap<String, (String, Vec<u8>)>,
    /// How received mails are answered.
    reads: Script,
}

impl Resend {
    /// Before every path of the API.
    pub(crate) const PREFIX: &'static str = "/resend";

    pub(crate) fn new(base: &str, courier: Courier) -> Self {
        Self {
            inner: Arc::new(Inner {
                base: format!("{base}{}", Self::PREFIX),
                api_key: format!("re_{:032x}", rand::random::<u128>()),
                webhook_secret: crate::webhook::random_secret(),
                account: Mutex::default(),
                requests: RequestLog::new(REQUESTS_KEPT),
                courier,
            }),
        }
    }

    /// What to put in place of `https://api.resend.com`.
    pub fn api_base(&self) -> String {
        self.inner.base.clone()
    }

    /// The account's key, with full access.
    pub fn api_key(&self) -> String {
        self.inner.api_key.clone()
    }

    /// The secret of its webhooks, `whsec_…`.
    pub fn webhook_secret(&self) -> String {
        self.inner.webhook_secret.clone()
    }

    /// An address of the account's domain.
    pub fn address(&self) -> String {
        format!("support@{DOMAIN}")
    }

    /// How valid sends are treated from now on. An error's words are the `name` of Resend's error body, which
    /// is sent where there is a code, whatever its number.
    pub fn set_behaviour(&self, behaviour: Behaviour) {
        self.inner.account.lock().sends.set(behaviour);
    }

    /// How the next valid send is treated; several calls queue up.
    pub fn behave_once(&self, behaviour: Behaviour) {
        self.inner.account.lock().sends.push(behaviour);
    }

    /// How the next reading of a received mail is treated.
    pub fn read_once(&self, behaviour: Behaviour) {
        self.inner.account.lock().reads.push(behaviour);
    }

    /// How readings of received mails are treated from now on.
    pub fn set_reads(&self, behaviour: Behaviour) {
        self.inner.account.lock().reads.set(behaviour);
    }

    /// The state of the domain, `verified` at first.
    pub fn set_domain_status(&self, status: &str) {
        self.inner.account.lock().domain_status = Some(status.to_owned());
    }

    /// The mails that were really accepted, oldest first; a repeat under the same key is none.
    pub fn messages(&self) -> Vec<ResendMessage> {
        self.inner.account.lock().messages.clone()
    }

    /// The latest requests, oldest first.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.inner.requests.all()
    }

    /// The requests since this was last asked; they are kept no longer.
    pub(crate) fn take_requests(&self) -> Vec<RecordedRequest> {
        self.inner.requests.take()
    }

    /// The kept requests that Resend would dislike, as `METHOD path: what is wrong`.
    pub fn problems(&self) -> Vec<String> {
        let all = self.requests().into_iter();
        all.filter_map(|request| {
            let problem = request.problem?;
            Some(format!("{} {}: {problem}", request.method, request.path))
        })
        .collect()
    }

    /// Waits until `condition` holds. Needs a tokio runtime with time.
    pub async fn wait_until(
        &self,
        mut condition: impl FnMut(&Self) -> bool,
        timeout: Duration,
    ) -> Result<(), SimulatorError> {
        wait::until(|| condition(self), timeout).await
    }
}
