//! Telegram's side: one bot, the chats that know it, and its webhook.
//!
//! - `api`: paths and the token, parameters in JSON or forms, which method does what.
//! - `rules`: what Telegram refuses, in its words.
//! - `account`: the bot, chats, messages, files, the webhook.
//! - `updates`: posting updates with the secret token.
//!
//! Sources: "Telegram Bot API" (core.telegram.org/bots/api); the words of refusals as the public server
//! (tdlib/telegram-bot-api) writes them.

mod account;
mod api;
mod rules;
mod updates;

pub use account::{TelegramFile, TelegramMessage};

use crate::behaviour::Behaviour;
use crate::courier::Courier;
use crate::recorded::{RecordedRequest, RequestLog};
use crate::{SimulatorError, wait};
use account::{Account, Chat, Webhook};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;

/// How many requests are kept.
const REQUESTS_KEPT: usize = 10_000;

/// The simulated bot. Clones are the same bot.
#[derive(Clone)]
pub struct Telegram {
    inner: Arc<Inner>,
}

struct Inner {
    base: String,
    account: Mutex<Account>,
    requests: RequestLog,
    courier: Courier,
}

impl Telegram {
    /// Before every path of the API.
    pub(crate) const PREFIX: &'static str = "/telegram/";

    pub(crate) fn new(base: &str, courier: Courier) -> Self {
        Self {
            inner: Arc::new(Inner {
                base: format!("{base}{}", Self::PREFIX.trim_end_matches('/')),
                account: Mutex::new(Account::new()),
                requests: RequestLog::new(REQUESTS_KEPT),
                courier,
            }),
        }
    }

    /// What to put in place of `https://api.telegram.org`.
    pub fn api_base(&self) -> String {
        self.inner.base.clone()
    }

    /// The bot's token.
    pub fn token(&self) -> String {
        self.inner.account.lock().token.clone()
    }

    /// The bot's id: the token up to its colon.
    pub fn bot_id(&self) -> i64 {
        self.inner.account.lock().bot
    }

    /// Ends the token, as @BotFather does on request.
    pub fn revoke_token(&self) {
        self.inner.account.lock().revoked = true;
    }

    /// The secret of the webhook, whether it is set yet or not.
    pub fn secret_token(&self) -> String {
        self.inner.account.lock().secret_token.clone()
    }

    /// Sets the webhook with [`Telegram::secret_token`], as a call of `setWebhook` does.
    pub fn set_webhook(&self, url: &str) {
        let mut account = self.inner.account.lock();
        account.webhook = Some(Webhook {
            url: url.to_owned(),
            ..Webhook::default()
        });
    }

    /// Takes the webhook away.
    pub fn delete_webhook(&self) {
        self.inner.account.lock().webhook = None;
    }

    /// A person starts the bot, or a group takes it in: it may be written to.
    pub fn start_chat(&self, chat: i64) {
        let mut account = self.inner.account.lock();
        account.chats.insert(chat, Chat::Open);
    }

    /// A person blocks the bot.
    pub fn block(&self, chat: i64) {
        let mut account = self.inner.account.lock();
        account.chats.insert(chat, Chat::Blocked);
    }

    /// A group becomes a supergroup with another id.
    pub fn migrate(&self, group: i64, supergroup: i64) {
        let mut account = self.inner.account.lock();
        account.chats.insert(group, Chat::MovedTo(supergroup));
        account.chats.insert(supergroup, Chat::Open);
    }

    /// Keeps a file as one that a person sent; gives its `file_id`.
    pub fn host_file(&self, path: &str, bytes: Vec<u8>) -> String {
        self.inner.account.lock().keep(path, bytes)
    }

    /// How valid sends are treated from now on. A fault with a code of any number is told in Telegram's form,
    /// with its words as `description`; one without is a bare answer of a proxy in front of it.
    pub fn set_behaviour(&self, behaviour: Behaviour) {
        self.inner.account.lock().sends.set(behaviour);
    }

    /// How the next valid send is treated; several calls queue up.
    pub fn behave_once(&self, behaviour: Behaviour) {
        self.inner.account.lock().sends.push(behaviour);
    }

    /// The messages that were really accepted, oldest first; reactions and chat actions too.
    pub fn messages(&self) -> Vec<TelegramMessage> {
        self.inner.account.lock().messages.clone()
    }

    /// The latest requests, oldest first; paths without the token. A JSON body is the parameter `json`.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.inner.requests.all()
    }

    /// The requests since this was last asked; they are kept no longer.
    pub(crate) fn take_requests(&self) -> Vec<RecordedRequest> {
        self.inner.requests.take()
    }

    /// The kept requests that Telegram would dislike, as `METHOD path: what is wrong`.
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
