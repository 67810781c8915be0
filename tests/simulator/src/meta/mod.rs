//! Meta's side: one WhatsApp Business Account with several numbers, as the Cloud API and its webhooks behave.
//!
//! - `api`: paths, the token, which call does what; `message` the rules of a message, `kinds` those of each type of
//!   it, `template` those of template calls, `upload` multipart forms, `refusal` the errors.
//! - `account`: app, numbers, people's windows, templates, files, endpoints' behaviour.
//! - `payload` builds webhooks, `reports` states of sent messages, `delivery` signs and posts both.

mod account;
mod api;
mod delivery;
mod kinds;
mod message;
mod payload;
mod refusal;
mod reports;
mod template;
mod upload;

pub use account::{BusinessNumber, MetaEndpoint, MetaMessage, ReadMark, StoredMedia};
pub use payload::WaMessage;
pub use reports::{MetaReport, Reports};

use crate::behaviour::Behaviour;
use crate::courier::Courier;
use crate::recorded::{RecordedRequest, RequestLog};
use crate::{SimulatorError, wait};
use account::Account;
use parking_lot::Mutex;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// How many requests are kept until told otherwise.
const REQUESTS_KEPT: usize = 10_000;

/// The simulated business account. Clones are the same account.
#[derive(Clone)]
pub struct Meta {
    inner: Arc<Inner>,
}

struct Inner {
    api_base: String,
    lookaside_base: String,
    account: Mutex<Account>,
    requests: RequestLog,
    reports: Mutex<Vec<MetaReport>>,
    courier: Courier,
}

impl Meta {
    /// The path of attachments on the second origin.
    pub(crate) const LOOKASIDE_PATH: &'static str = "/whatsapp_business/attachments/";

    pub(crate) fn new(api_base: &str, lookaside_base: &str, courier: Courier) -> Self {
        Self {
            inner: Arc::new(Inner {
                api_base: api_base.to_owned(),
                lookaside_base: lookaside_base.to_owned(),
                account: Mutex::new(Account::new()),
                requests: RequestLog::new(REQUESTS_KEPT),
                reports: Mutex::default(),
                courier,
            }),
        }
    }

    /// What to put in place of `https://graph.facebook.com`, without a trailing slash.
    pub fn api_base(&self) -> String {
        self.inner.api_base.clone()
    }

    /// The business account's id.
    pub fn waba_id(&self) -> String {
        self.inner.account.lock().waba_id.clone()
    }

    /// The app's secret: signs webhooks.
    pub fn app_secret(&self) -> String {
        self.inner.account.lock().app_secret.clone()
    }

    /// The access token.
    pub fn access_token(&self) -> String {
        self.inner.account.lock().access_token.clone()
    }

    /// What was entered beside the webhook URL.
    pub fn verify_token(&self) -> String {
        self.inner.account.lock().verify_token.clone()
    }

    /// The account's numbers: three to begin with.
    pub fn numbers(&self) -> Vec<BusinessNumber> {
        self.inner.account.lock().numbers.clone()
    }

    /// The id of the first number.
    pub fn phone_number_id(&self) -> String {
        self.numbers().swap_remove(0).phone_number_id
    }

    /// Changes a number: its quality, its status, its name.
    pub fn change_number(&self, phone_number_id: &str, change: impl FnOnce(&mut BusinessNumber)) {
        let mut account = self.inner.account.lock();
        let mut numbers = account.numbers.iter_mut();
        if let Some(number) = numbers.find(|known| known.phone_number_id == phone_number_id) {
            change(number);
        }
    }

    /// Ends the access token, as Meta does with those that are not a system user's.
    pub fn expire_token(&self) {
        self.inner.account.lock().token_expired = true;
    }

    /// Replaces the app secret. Returns the new one.
    pub fn rotate_app_secret(&self) -> String {
        let mut account = self.inner.account.lock();
        account.app_secret = account::random_hex();
        account.app_secret.clone()
    }

    /// Opens the 24 hours in which a person (number with plus, or business-scoped id) may be written to
    /// freely. A message that comes in does the same.
    pub fn open_window(&self, person: &str) {
        self.inner.account.lock().wrote(person);
    }

    /// Ends a person's 24 hours.
    pub fn close_window(&self, person: &str) {
        self.inner.account.lock().windows.remove(person);
    }

    /// Marks a person as not reachable: messages are refused with 131026.
    pub fn make_unreachable(&self, person: &str) {
        let mut account = self.inner.account.lock();
        account.unreachable.insert(person.to_owned());
    }

    /// Adds a template, in the form of the list: `name`, `language`, `status`, `category`, `components`; it
    /// gets an id where it has none.
    pub fn add_template(&self, template: Value) {
        self.inner.account.lock().add_template(template);
    }

    /// Keeps a file as one that a person sent; gives its id.
    pub fn host_media(&self, content_type: &str, bytes: Vec<u8>) -> String {
        self.inner.account.lock().keep_media(content_type, bytes)
    }

    /// The files of the account by id, uploaded ones too.
    pub fn media(&self, id: &str) -> Option<StoredMedia> {
        self.inner.account.lock().media.get(id).cloned()
    }

    /// How messages are treated from now on. A `twilio_code` is Meta's code here.
    pub fn set_behaviour(&self, behaviour: Behaviour) {
        self.set_behaviour_of(MetaEndpoint::Messages, behaviour);
    }

    /// How the next valid message is treated only; several calls queue up.
    pub fn behave_once(&self, behaviour: Behaviour) {
        let mut account = self.inner.account.lock();
        account.script(MetaEndpoint::Messages).push(behaviour);
    }

    /// How another call is treated from now on.
    pub fn set_behaviour_of(&self, endpoint: MetaEndpoint, behaviour: Behaviour) {
        self.inner.account.lock().script(endpoint).set(behaviour);
    }

    /// Where webhooks go: the app's subscription.
    pub fn subscribe(&self, url: &str) {
        self.inner.account.lock().webhook = Some(url.to_owned());
    }

    /// What is reported of messages accepted from now on, to the subscription.
    pub fn set_reports(&self, reports: Reports) {
        self.inner.account.lock().reports = reports;
    }

    /// The messages that were really accepted, oldest first.
    pub fn messages(&self) -> Vec<MetaMessage> {
        self.inner.account.lock().messages.clone()
    }

    /// What was marked as read, oldest first.
    pub fn read_marks(&self) -> Vec<ReadMark> {
        self.inner.account.lock().read_marks.clone()
    }

    /// How the gateway answered reports, in the order of the answers.
    pub fn reports(&self) -> Vec<MetaReport> {
        self.inner.reports.lock().clone()
    }

    /// The latest requests to the API and to the attachments' origin, oldest first. A JSON body is the
    /// parameter `json`.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.inner.requests.all()
    }

    /// The requests since this was last asked; they are kept no longer.
    pub(crate) fn take_requests(&self) -> Vec<RecordedRequest> {
        self.inner.requests.take()
    }

    /// The kept requests that Meta would dislike, as `METHOD path: what is wrong`.
    pub fn problems(&self) -> Vec<String> {
        self.requests()
            .into_iter()
            .filter_map(|request| {
                let problem = request.problem?;
                Some(format!("{} {}: {problem}", request.method, request.path))
            })
            .collect()
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
