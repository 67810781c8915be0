//! Twilio's side: one account with several numbers, as its REST API and its webhooks behave.
//!
//! - `api`: paths, credentials, and which call does what; `create` and `list` hold the rules of the
//!   two calls with parameters (`address` the forms of numbers), `media` the files, `resource` the JSON shapes
//!   (`segments` the length of a text), `refusal` the errors.
//! - `account`: numbers, keys, opt-outs, endpoints' behaviour; `ledger`: the messages.
//! - `content`: templates, their approvals, and WhatsApp's reply window (`templates` is what tests do
//!   with them).
//! - `inbound` builds incoming messages, `callbacks` status callbacks; `delivery` signs and posts both
//!   with the provider's retries, `signature` computes `X-Twilio-Signature`, `debugger` says what
//!   Twilio would complain about in the answer.

mod account;
mod address;
mod api;
mod callbacks;
mod content;
mod create;
mod debugger;
mod delivery;
mod inbound;
mod ledger;
mod list;
mod loops;
mod media;
mod overrides;
mod refusal;
mod resource;
pub(crate) mod segments;
mod signature;
mod templates;

pub use account::{AccountStatus, Endpoint};
pub use callbacks::{CallbackAnswer, Callbacks};
pub use content::ContentTemplate;
pub use debugger::Complaint;
pub use delivery::SignedRequest;
pub use inbound::{InboundSms, Method};
pub use ledger::{Direction, LedgerMessage, StatusWord};
pub use signature::sign_form;

use crate::behaviour::Behaviour;
use crate::courier::Courier;
use crate::recorded::{RecordedRequest, RequestLog};
use crate::traffic::{CallMark, Traffic};
use crate::{Answer, SimulatorError, wait};
use account::Account;
use debugger::Debugger;
use delivery::Event;
use jiff::Timestamp;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;

/// How many requests are kept until told otherwise.
const REQUESTS_KEPT: usize = 10_000;

/// The simulated provider account. Clones are the same account.
#[derive(Clone)]
pub struct Twilio {
    inner: Arc<Inner>,
}

struct Inner {
    api_base: String,
    media_base: String,
    account_sid: String,
    account: Mutex<Account>,
    requests: RequestLog,
    creates: Traffic,
    callback_answers: Mutex<Vec<CallbackAnswer>>,
    debugger: Debugger,
    courier: Courier,
}

impl Twilio {
    pub(crate) fn new(api_base: &str, media_base: &str, courier: Courier) -> Self {
        let account = Account::new();
        Self {
            inner: Arc::new(Inner {
                api_base: api_base.to_owned(),
                media_base: media_base.to_owned(),
                account_sid: account.sid.clone(),
                account: Mutex::new(account),
                requests: RequestLog::new(REQUESTS_KEPT),
                creates: Traffic::default(),
                callback_answers: Mutex::default(),
                debugger: Debugger::default(),
                courier,
            }),
        }
    }

    /// What to put in place of `https://api.twilio.com`, without a trailing slash.
    pub fn api_base(&self) -> String {
        self.inner.api_base.clone()
    }

    /// The account's id, `AC` and 32 hexadecimal digits, another one in each simulator.
    pub fn account_sid(&self) -> String {
        self.inner.account_sid.clone()
    }

    /// The primary auth token, 32 hexadecimal digits.
    pub fn auth_token(&self) -> String {
        self.inner.account.lock().auth_token.clone()
    }

    /// An API key of the account: its `SK` id and its secret.
    pub fn api_key(&self) -> (String, String) {
        self.inner.account.lock().api_key.clone()
    }

    /// The account's first number, `+15550100`.
    pub fn number(&self) -> String {
        self.numbers().swap_remove(0)
    }

    /// The account's numbers, `+15550100` to `+15550109` and those added. Each is also a WhatsApp
    /// sender with `whatsapp:` before it.
    pub fn numbers(&self) -> Vec<String> {
        self.inner.account.lock().numbers.clone()
    }

    /// Adds a number that can send and receive.
    pub fn add_number(&self, number: &str) {
        let mut account = self.inner.account.lock();
        if !account.owns(number) {
            account.numbers.push(number.to_owned());
        }
    }

    /// The account's one Messaging Service, `MG` and 32 hexadecimal digits.
    pub fn messaging_service_sid(&self) -> String {
        self.inner.account.lock().messaging_service_sid.clone()
    }

    /// Replaces the auth token, as an operator at Twilio would; the old one no longer works, neither
    /// for the API nor in signatures. Returns the new one.
    pub fn rotate_auth_token(&self) -> String {
        let mut account = self.inner.account.lock();
        account.auth_token = account::random_hex();
        account.auth_token.clone()
    }

    /// Signs webhooks with this shared key (HMAC-SHA256 and `X-Twilio-Webhooks-Signature-Settings`)
    /// instead of the auth token; none goes back to the auth token.
    pub fn set_shared_key(&self, key: Option<(String, String)>) {
        self.inner.account.lock().shared_key = key;
    }

    /// Suspends, closes or reactivates the account.
    pub fn set_account_status(&self, status: AccountStatus) {
        self.inner.account.lock().status = status;
    }

    /// Marks a recipient as having replied STOP: SMS to it are refused with 21610; messages to a
    /// `whatsapp:` address are accepted and fail with 63033. A STOP that comes in does the same.
    pub fn opt_out(&self, address: &str) {
        self.inner
            .account
            .lock()
            .opted_out
            .insert(address.to_owned());
    }

    /// Takes an opt-out back. A START that comes in does the same.
    pub fn opt_in(&self, address: &str) {
        self.inner.account.lock().opted_out.remove(address);
    }

    /// How Create treats valid requests from now on.
    pub fn set_behaviour(&self, behaviour: Behaviour) {
        self.set_behaviour_of(Endpoint::Create, behaviour);
    }

    /// How Create treats the next valid request only; several calls queue up.
    pub fn behave_once(&self, behaviour: Behaviour) {
        let mut account = self.inner.account.lock();
        account.script(Endpoint::Create).push(behaviour);
    }

    /// How another call treats valid requests from now on.
    pub fn set_behaviour_of(&self, endpoint: Endpoint, behaviour: Behaviour) {
        self.inner.account.lock().script(endpoint).set(behaviour);
    }

    /// What happens to messages after they are accepted, for those accepted from now on.
    pub fn set_callbacks(&self, callbacks: Callbacks) {
        self.inner.account.lock().set_callbacks(callbacks);
    }

    /// Whether media answers with a redirect to another origin, which refuses credentials as
    /// a file store with signed URLs does.
    pub fn set_media_redirect(&self, redirect: bool) {
        self.inner.account.lock().media_redirect = redirect;
    }

    /// Keeps only the latest `kept_max` requests (10,000 at first); 0 for load tests.
    pub fn keep_requests(&self, kept_max: usize) {
        self.inner.requests.keep(kept_max);
    }

    /// The outbound messages that were really accepted, oldest first.
    pub fn messages(&self) -> Vec<LedgerMessage> {
        self.of_direction(Direction::OutboundApi)
    }

    /// The inbound messages, delivered or not, oldest first.
    pub fn inbound_messages(&self) -> Vec<LedgerMessage> {
        self.of_direction(Direction::Inbound)
    }

    fn of_direction(&self, direction: Direction) -> Vec<LedgerMessage> {
        let account = self.inner.account.lock();
        let all = account.ledger.all().iter();
        all.filter(|message| message.direction == direction)
            .cloned()
            .collect()
    }

    /// How many outbound messages were accepted; cheaper than [`Self::messages`].
    pub fn message_count(&self) -> usize {
        self.inner.account.lock().ledger.outbound_count()
    }

    /// One message of the ledger, of either direction.
    pub fn message(&self, sid: &str) -> Option<LedgerMessage> {
        self.inner.account.lock().ledger.get(sid).cloned()
    }

    /// The latest requests to the API and the media origin, oldest first.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.inner.requests.all()
    }

    /// The requests since this was last asked; they are kept no longer.
    pub(crate) fn take_requests(&self) -> Vec<RecordedRequest> {
        self.inner.requests.take()
    }

    /// How many requests came in all, kept or not.
    pub fn request_count(&self) -> u64 {
        self.inner.requests.total()
    }

    /// Every valid Create call since the start or since [`Self::forget_creates`], accepted or not.
    pub fn creates(&self) -> Vec<CallMark> {
        self.inner.creates.marks()
    }

    /// How many there were; cheaper than [`Self::creates`].
    pub fn create_count(&self) -> usize {
        self.inner.creates.count()
    }

    /// From the `first`-th to the `last`-th of them, counted from 1; none where there are fewer.
    pub fn create_span(&self, first: usize, last: usize) -> Option<Duration> {
        self.inner.creates.span(first, last)
    }

    /// Forgets the Create calls noted so far; the ledger stays.
    pub fn forget_creates(&self) {
        self.inner.creates.clear();
    }

    /// The kept requests that Twilio would dislike, as `METHOD path: what is wrong`.
    pub fn problems(&self) -> Vec<String> {
        self.requests()
            .into_iter()
            .filter_map(|request| {
                let problem = request.problem?;
                Some(format!("{} {}: {problem}", request.method, request.path))
            })
            .collect()
    }

    /// How the gateway answered status callbacks, in the order of the answers.
    pub fn callback_answers(&self) -> Vec<CallbackAnswer> {
        self.inner.callback_answers.lock().clone()
    }

    /// What Twilio's debugger would show about the gateway's answers; the latest 1,000.
    pub fn complaints(&self) -> Vec<Complaint> {
        self.inner.debugger.all()
    }

    /// Waits until `condition` holds, looking every 5 ms. Needs a tokio runtime with time.
    pub async fn wait_until(
        &self,
        mut condition: impl FnMut(&Self) -> bool,
        timeout: Duration,
    ) -> Result<(), SimulatorError> {
        wait::until(|| condition(self), timeout).await
    }

    /// `X-Twilio-Signature` of a form POST to `url` under the auth token (Webhooks security). The
    /// fragment and user info of the URL are left out, its port is kept.
    pub fn sign(&self, url: &str, params: &[(String, String)]) -> String {
        sign_form(&self.auth_token(), url, params)
    }

    /// Delivers an incoming message to `url` as Twilio would: puts it into the message list, signs,
    /// posts, and retries as the URL's fragment asks (by default once, where no connection was made).
    pub async fn inbound(&self, url: &str, sms: &InboundSms) -> Result<Answer, SimulatorError> {
        self.inbound_missed(sms);
        let params = sms.params(&self.inner.account_sid);
        let event = Event::new(url, sms.method, params);
        self.deliver(&event).await
    }

    /// An incoming message that Twilio has but never delivered: it only shows in the message list.
    pub fn inbound_missed(&self, sms: &InboundSms) {
        self.inbound_missed_at(sms, Timestamp::now());
    }

    /// The same, at a time: not before that of the message that came before it.
    pub fn inbound_missed_at(&self, sms: &InboundSms, at: Timestamp) {
        self.inner.account.lock().receive(sms, at);
    }

    /// The request for an incoming message, signed, for load generators with a client of their own.
    /// Puts nothing into the message list.
    pub fn prepare(&self, url: &str, sms: &InboundSms) -> SignedRequest {
        let event = Event::new(url, sms.method, sms.params(&self.inner.account_sid));
        self.signed(&event)
    }

    /// Signs and posts any parameters, with the same retries.
    pub async fn post_form(
        &self,
        url: &str,
        params: &[(String, String)],
    ) -> Result<Answer, SimulatorError> {
        let event = Event::new(url, Method::Post, params.to_vec());
        self.deliver(&event).await
    }

    /// Posts these bytes as a form with this signature, or none. Once, whatever comes back.
    pub async fn inbound_raw(
        &self,
        url: &str,
        body: Vec<u8>,
        signature: Option<&str>,
    ) -> Result<Answer, SimulatorError> {
        self.post_raw(url, body, signature).await
    }

    /// Moves a message to `status` and posts the callback for it, if it has a callback address.
    /// None where there is none to post to.
    pub async fn report(
        &self,
        sid: &str,
        status: StatusWord,
        error_code: Option<u32>,
    ) -> Result<Option<Answer>, SimulatorError> {
        self.settle(sid, status, error_code)?;
        self.post_callback(sid, status, error_code).await
    }

    /// Moves a message to `status` without telling anyone: only Fetch and List show it.
    pub fn settle(
        &self,
        sid: &str,
        status: StatusWord,
        error_code: Option<u32>,
    ) -> Result<(), SimulatorError> {
        let mut account = self.inner.account.lock();
        if account.ledger.apply(sid, status, error_code) {
            Ok(())
        } else {
            Err(SimulatorError::UnknownMessage(sid.to_owned()))
        }
    }

    /// Keeps a file that belongs to message `message_sid`; gives its address for
    /// [`InboundSms::media`]. Reading it needs the account's credentials.
    pub fn host_media(&self, message_sid: &str, content_type: &str, bytes: Vec<u8>) -> String {
        let mut account = self.inner.account.lock();
        let path = account.host_media(message_sid, content_type, bytes);
        format!("{}{path}", self.inner.api_base)
    }
}
