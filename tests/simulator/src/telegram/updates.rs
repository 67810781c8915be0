//! Posting updates to the gateway as Telegram does: JSON, with the webhook's secret token in a header.

use super::Telegram;
use crate::courier::Parcel;
use crate::{Answer, SimulatorError};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::time::Duration;

/// How long Telegram waits for an answer.
const TIMEOUT: Duration = Duration::from_secs(60);

impl Telegram {
    /// A person writes to the bot: the members of a message (`{"text": "hello"}`), as an update. The person's
    /// chat is started by it.
    pub fn message(&self, person: i64, members: &Value) -> Value {
        let mut account = self.inner.account.lock();
        account.chats.insert(person, super::account::Chat::Open);
        let number = account.new_message(person);
        drop(account);
        let mut message = json!({
            "message_id": number, "from": from(person), "date": Timestamp::now().as_second(),
            "chat": {"id": person, "type": "private", "first_name": "Ada", "last_name": "L"},
        });
        for (name, value) in members.as_object().into_iter().flatten() {
            message[name] = value.clone();
        }
        self.update("message", &message)
    }

    /// An update of any kind, with a new number.
    pub fn update(&self, kind: &str, member: &Value) -> Value {
        let number = self.inner.account.lock().new_update();
        json!({"update_id": number, kind: member})
    }

    /// A person blocks the bot, or starts it again.
    pub fn membership(&self, person: i64, status: &str) -> Value {
        if status == "kicked" {
            self.block(person);
        } else {
            self.start_chat(person);
        }
        let me = self.inner.account.lock().me();
        let member = |status: &str| json!({"user": me, "status": status});
        self.update(
            "my_chat_member",
            &json!({
                "chat": {"id": person, "type": "private", "first_name": "Ada"}, "from": from(person),
                "date": Timestamp::now().as_second(),
                "old_chat_member": member("member"), "new_chat_member": member(status),
            }),
        )
    }

    /// A text of a person's, posted once.
    pub async fn say(&self, url: &str, person: i64, text: &str) -> Result<Answer, SimulatorError> {
        self.deliver(url, &self.message(person, &json!({"text": text})))
            .await
    }

    /// Posts an update once, with the webhook's secret token. A failure is in `getWebhookInfo` from then on.
    pub async fn deliver(&self, url: &str, update: &Value) -> Result<Answer, SimulatorError> {
        let secret = self.secret_token();
        let body = update.to_string().into_bytes();
        let answer = self.deliver_raw(url, body, Some(&secret)).await;
        let failed = match &answer {
            Ok(answer) if answer.is_success() => None,
            Ok(answer) => Some(format!(
                "Wrong response from the webhook: {}",
                answer.status
            )),
            Err(_) => Some("Connection refused".to_owned()),
        };
        if let Some(webhook) = &mut self.inner.account.lock().webhook {
            match failed {
                Some(words) => {
                    webhook.pending += 1;
                    webhook.last_error = Some((Timestamp::now().as_second(), words));
                }
                None => webhook.pending = 0,
            }
        }
        answer
    }

    /// Posts these bytes with this secret token, or none, once.
    pub async fn deliver_raw(
        &self,
        url: &str,
        body: Vec<u8>,
        secret: Option<&str>,
    ) -> Result<Answer, SimulatorError> {
        let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        if let Some(secret) = secret {
            let name = "X-Telegram-Bot-Api-Secret-Token".to_owned();
            headers.push((name, secret.to_owned()));
        }
        let parcel = Parcel {
            method: reqwest::Method::POST,
            url: url.to_owned(),
            headers,
            body,
            timeout: TIMEOUT,
        };
        self.inner.courier.send(parcel).await
    }
}

fn from(person: i64) -> Value {
    json!({"id": person, "is_bot": false, "first_name": "Ada", "last_name": "L", "language_code": "en"})
}
