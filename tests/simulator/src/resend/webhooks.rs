//! What Resend tells the gateway.

use super::Resend;
use crate::courier::Parcel;
use crate::webhook::standard_signature;
use crate::{Answer, SimulatorError};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::time::Duration;

/// Svix's limit for one attempt.
const TIMEOUT: Duration = Duration::from_secs(15);

/// A mail that came in at Resend.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResendMail {
    /// `Ada <ada@example.org>`.
    pub from: String,
    /// The account's address.
    pub to: String,
    /// With brackets.
    pub message_id: String,
    /// The subject.
    pub subject: String,
    /// The plain text.
    pub text: String,
    /// The headers, which only the API shows.
    pub headers: Vec<(String, String)>,
    /// Names, types and bytes of attachments.
    pub files: Vec<(String, String, Vec<u8>)>,
}

impl Resend {
    /// Reports a state of a mail (`email.delivered`) to `url`, with more members of `data`.
    pub async fn report(
        &self,
        url: &str,
        id: &str,
        kind: &str,
        more: &Value,
    ) -> Result<Answer, SimulatorError> {
        let message = self.messages().into_iter().find(|message| message.id == id);
        let message = message.ok_or_else(|| SimulatorError::UnknownMessage(id.to_owned()))?;
        let listed = message.json["tags"].as_array().cloned().unwrap_or_default();
        let tags: serde_json::Map<String, Value> = listed
            .iter()
            .filter_map(|tag| Some((tag["name"].as_str()?.to_owned(), tag["value"].clone())))
            .collect();
        let mut data = json!({
            "email_id": id, "created_at": Timestamp::now().to_string(), "from": message.json["from"],
            "to": message.json["to"], "subject": message.json["subject"], "tags": tags,
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            data[name] = value.clone();
        }
        self.post(url, &self.webhook(kind, &data)?).await
    }

    /// Takes a mail in and announces it to `url`, as Resend does: without its text and headers.
    pub async fn inbound(&self, url: &str, mail: &ResendMail) -> Result<Answer, SimulatorError> {
        let webhook = self.receive(mail)?;
        self.post(url, &webhook).await
    }

    /// Takes a mail in, and gives the webhook that announces it, signed.
    pub fn receive(&self, mail: &ResendMail) -> Result<SignedWebhook, SimulatorError> {
        let random = rand::random::<u128>();
        let id = format!(
            "{:08x}-0000-4000-9000-{:012x}",
            random >> 96,
            random & 0xffff_ffff_ffff
        );
        let mut files = Vec::new();
        let mut account = self.inner.account.lock();
        for (index, (name, kind, bytes)) in mail.files.iter().enumerate() {
            let file = format!("at-{index}");
            files.push(json!({
                "id": file, "filename": name, "content_type": kind, "content_disposition": "attachment",
                "content_id": null, "size": bytes.len(),
            }));
            account
                .files
                .insert(format!("{id}/{file}"), (kind.clone(), bytes.clone()));
        }
        let data = json!({
            "email_id": id, "created_at": Timestamp::now().to_string(), "from": mail.from, "to": [mail.to],
            "cc": [], "bcc": [], "message_id": mail.message_id, "subject": mail.subject, "attachments": files,
        });
        let mut whole = data.clone();
        whole["id"] = whole["email_id"].take();
        whole["object"] = "email".into();
        whole["text"] = mail.text.as_str().into();
        let headers: serde_json::Map<String, Value> = mail
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().into()))
            .collect();
        whole["headers"] = headers.into();
        account.received.insert(id, whole);
        drop(account);
        self.webhook("email.received", &data)
    }

    pub(crate) fn webhook(
        &self,
        kind: &str,
        data: &Value,
    ) -> Result<SignedWebhook, SimulatorError> {
        let body = json!({"type": kind, "created_at": Timestamp::now().to_string(), "data": data});
        let body = body.to_string().into_bytes();
        let id = format!("msg_{:032x}", rand::random::<u128>());
        let now_s = Timestamp::now().as_second();
        let signature = standard_signature(&self.inner.webhook_secret, &id, now_s, &body)?;
        Ok(SignedWebhook {
            headers: vec![
                ("content-type".into(), "application/json".into()),
                ("svix-id".into(), id),
                ("svix-timestamp".into(), now_s.to_string()),
                ("svix-signature".into(), signature),
                ("user-agent".into(), "Svix-Webhooks/1.0".into()),
            ],
            body,
        })
    }

    /// Posts a webhook once, as it is.
    pub async fn post(&self, url: &str, webhook: &SignedWebhook) -> Result<Answer, SimulatorError> {
        let parcel = Parcel {
            method: reqwest::Method::POST,
            url: url.to_owned(),
            headers: webhook.headers.clone(),
            body: webhook.body.clone(),
            timeout: TIMEOUT,
        };
        self.inner.courier.send(parcel).await
    }
}

/// A webhook with its signature, to be posted as it is or changed before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedWebhook {
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// What is signed.
    pub body: Vec<u8>,
}
