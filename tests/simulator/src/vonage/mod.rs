//! Vonage's side: one account with several numbers and one application, on both of its APIs.
//!
//! - `api`: paths, and which call does what; `sms` and `messages` hold the rules of the two calls that
//!   send, `token` and `signature` the proofs, each written here from Vonage's pages.
//! - `account`: credentials, balance, behaviour, what was accepted.
//! - `inbound` builds and posts incoming messages, `receipts` delivery receipts and statuses.

mod account;
mod api;
mod inbound;
mod messages;
mod receipts;
mod signature;
mod sms;
mod token;

pub use account::{VonageEndpoint, VonageMessage};
pub use inbound::{Carrier, VonageInbound};
pub use receipts::{ReceiptAnswer, Receipts};
pub use signature::{SignatureMethod, sign_params};

use crate::behaviour::Behaviour;
use crate::courier::Courier;
use crate::recorded::{RecordedRequest, RequestLog};
use crate::{SimulatorError, wait};
use account::Account;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;

/// How many requests are kept.
const REQUESTS_KEPT: usize = 10_000;

/// The simulated account. Clones are the same account.
#[derive(Clone)]
pub struct Vonage {
    inner: Arc<Inner>,
}

struct Inner {
    api_base: String,
    account: Mutex<Account>,
    requests: RequestLog,
    answers: Mutex<Vec<ReceiptAnswer>>,
    courier: Courier,
}

impl Vonage {
    pub(crate) fn new(api_base: &str, courier: Courier) -> Self {
        Self {
            inner: Arc::new(Inner {
                api_base: api_base.to_owned(),
                account: Mutex::new(Account::new()),
                requests: RequestLog::new(REQUESTS_KEPT),
                answers: Mutex::default(),
                courier,
            }),
        }
    }

    /// True for the paths that are Vonage's.
    pub(crate) fn owns(path: &str) -> bool {
        matches!(path, "/sms/json" | "/v1/messages" | "/account/get-balance")
            || path.starts_with("/v3/media/")
    }

    /// What to put in place of Vonage's hosts, without a trailing slash.
    pub fn api_base(&self) -> String {
        self.inner.api_base.clone()
    }

    /// The account's key, 8 hexadecimal digits.
    pub fn api_key(&self) -> String {
        self.inner.account.lock().api_key.clone()
    }

    /// Its secret.
    pub fn api_secret(&self) -> String {
        self.inner.account.lock().api_secret.clone()
    }

    /// Replaces the secret; the old one no longer works. Returns the new one.
    pub fn rotate_api_secret(&self) -> String {
        let mut account = self.inner.account.lock();
        account.api_secret = account::random_hex();
        account.api_secret.clone()
    }

    /// What signs webhooks.
    pub fn signature_secret(&self) -> String {
        self.inner.account.lock().signature_secret.clone()
    }

    /// How webhooks of the SMS API are signed from now on.
    pub fn set_signature_method(&self, method: SignatureMethod) {
        self.inner.account.lock().method = method;
    }

    /// How webhooks of the SMS API carry their parameters from now on.
    pub fn set_carrier(&self, carrier: Carrier) {
        self.inner.account.lock().carrier = carrier;
    }

    /// The application's id, a UUID.
    pub fn application_id(&self) -> String {
        self.inner.account.lock().application_id.clone()
    }

    /// The application's private key in PEM. The same in every simulator.
    pub fn private_key(&self) -> String {
        token::PRIVATE_KEY.to_owned()
    }

    /// The account's first number, `+15550100`.
    pub fn number(&self) -> String {
        self.numbers().swap_remove(0)
    }

    /// The account's numbers, `+15550100` to `+15550104`.
    pub fn numbers(&self) -> Vec<String> {
        let account = self.inner.account.lock();
        account
            .numbers
            .iter()
            .map(|number| format!("+{number}"))
            .collect()
    }

    /// Sets the credit, and whether it is topped up by itself.
    pub fn set_balance(&self, value: f64, reloads: bool) {
        self.inner.account.lock().balance = (value, reloads);
    }

    /// How sending, by either API, treats valid requests from now on. A `Behaviour::Status` with code
    /// 200 and a provider's code is a refusal as the SMS API gives them.
    pub fn set_behaviour(&self, behaviour: Behaviour) {
        self.set_behaviour_of(VonageEndpoint::Send, behaviour);
    }

    /// How sending treats the next valid request only; several calls queue up.
    pub fn behave_once(&self, behaviour: Behaviour) {
        let mut account = self.inner.account.lock();
        account.script(VonageEndpoint::Send).push(behaviour);
    }

    /// How a call treats valid requests from now on.
    pub fn set_behaviour_of(&self, endpoint: VonageEndpoint, behaviour: Behaviour) {
        self.inner.account.lock().script(endpoint).set(behaviour);
    }

    /// Refuses the last part of the next SMS that has several, with this status.
    pub fn refuse_last_part(&self, status: u32) {
        self.inner.account.lock().refuse_last_part = Some(status);
    }

    /// What happens to messages after they are accepted, for those accepted from now on.
    pub fn set_receipts(&self, receipts: Receipts) {
        self.inner.account.lock().receipts = receipts;
    }

    /// What was accepted, oldest first.
    pub fn messages(&self) -> Vec<VonageMessage> {
        self.inner.account.lock().messages.clone()
    }

    /// How much was accepted.
    pub fn message_count(&self) -> usize {
        self.inner.account.lock().messages.len()
    }

    /// The latest requests, oldest first. Parameters of a JSON body are its members as JSON.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.inner.requests.all()
    }

    /// The requests since this was last asked; they are kept no longer.
    pub(crate) fn take_requests(&self) -> Vec<RecordedRequest> {
        self.inner.requests.take()
    }

    /// Those of them that ask to send, without the empty ones that only try the credentials.
    pub fn sends(&self) -> Vec<RecordedRequest> {
        let requests = self.requests().into_iter();
        requests
            .filter(|request| request.method == "POST" && !request.params.is_empty())
            .collect()
    }

    /// The kept requests that Vonage would dislike, as `METHOD path: what is wrong`.
    pub fn problems(&self) -> Vec<String> {
        self.requests()
            .into_iter()
            .filter_map(|request| {
                let problem = request.problem?;
                Some(format!("{} {}: {problem}", request.method, request.path))
            })
            .collect()
    }

    /// How the gateway answered receipts and statuses, in the order of the answers.
    pub fn receipt_answers(&self) -> Vec<ReceiptAnswer> {
        self.inner.answers.lock().clone()
    }

    /// Keeps a file for an inbound message; gives its address. Reading it needs credentials.
    pub fn host_media(&self, content_type: &str, bytes: Vec<u8>) -> String {
        let id = account::random_hex();
        let path = format!("/v3/media/{id}");
        let mut account = self.inner.account.lock();
        account.media.insert(id, (content_type.to_owned(), bytes));
        format!("{}{path}", self.inner.api_base)
    }

    /// Waits until `condition` holds, looking every 5 ms. Needs a tokio runtime with time.
    pub async fn wait_until(
        &self,
        mut condition: impl FnMut(&Self) -> bool,
        timeout: Duration,
    ) -> Result<(), SimulatorError> {
        wait::until(|| condition(self), timeout).await
    }
}
