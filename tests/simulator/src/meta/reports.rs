//! States of sent messages: what happens to an accepted message, and telling the gateway about it.

use super::{Meta, MetaMessage};
use crate::{Answer, SimulatorError};
use serde_json::{Value, json};
use std::time::Duration;

/// What is reported of messages after they were accepted, to the app's subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reports {
    /// Nothing.
    None,
    /// `sent`, `delivered`, `read`, each after this time.
    InOrder {
        /// Wait before each.
        delay: Duration,
    },
    /// `delivered`, posted and answered before the message's own answer.
    BeforeAnswer,
    /// `sent` and `delivered`, each posted twice.
    Doubled,
    /// `read`, then `delivered`, then `sent`.
    Reversed,
    /// `sent`, then `read`: `delivered` is left out where people read at once.
    ReadAtOnce,
    /// `failed` with this code.
    Failed {
        /// Meta's code.
        code: u32,
    },
}

/// How the gateway answered one report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetaReport {
    /// The message.
    pub message_id: String,
    /// The status that was reported.
    pub status: String,
    /// HTTP status of the answer; none where none came.
    pub http_status: Option<u16>,
}

impl Reports {
    /// Wait and status of each report.
    fn steps(&self) -> Vec<(Duration, &'static str)> {
        let at_once =
            |words: &[&'static str]| words.iter().map(|word| (Duration::ZERO, *word)).collect();
        match self {
            Self::None => Vec::new(),
            Self::InOrder { delay } => ["sent", "delivered", "read"]
                .map(|word| (*delay, word))
                .to_vec(),
            Self::BeforeAnswer => at_once(&["delivered"]),
            Self::Doubled => at_once(&["sent", "sent", "delivered", "delivered"]),
            Self::Reversed => at_once(&["read", "delivered", "sent"]),
            Self::ReadAtOnce => at_once(&["sent", "read"]),
            Self::Failed { .. } => at_once(&["failed"]),
        }
    }

    fn code(&self) -> Option<u32> {
        match self {
            Self::Failed { code } => Some(*code),
            _ => None,
        }
    }
}

impl Meta {
    /// Starts what is reported of a message; waits for it only where the report goes before the answer.
    pub(super) async fn begin_reports(&self, message: MetaMessage) {
        let (reports, url) = {
            let account = self.inner.account.lock();
            (account.reports.clone(), account.webhook.clone())
        };
        let (steps, Some(url)) = (reports.steps(), url) else {
            return;
        };
        if steps.is_empty() {
            return;
        }
        let meta = self.clone();
        let code = reports.code();
        let task = self.inner.courier.spawn(async move {
            for (delay, status) in steps {
                tokio::time::sleep(delay).await;
                let payload = meta.report_payload(&message, status, code);
                let answer = meta.deliver(&url, &payload).await;
                meta.inner.reports.lock().push(MetaReport {
                    message_id: message.id.clone(),
                    status: status.to_owned(),
                    http_status: answer.ok().map(|answer| answer.status),
                });
            }
        });
        if reports == Reports::BeforeAnswer {
            // A panic of the task has been printed; the answer follows either way.
            let _ = task.await;
        }
    }

    /// Reports a status of a sent message to `url`, whatever was reported before.
    pub async fn report(
        &self,
        url: &str,
        message_id: &str,
        status: &str,
        code: Option<u32>,
    ) -> Result<Answer, SimulatorError> {
        let known = self.messages();
        let message = known
            .iter()
            .find(|message| message.id == message_id)
            .ok_or_else(|| SimulatorError::UnknownMessage(message_id.to_owned()))?;
        self.deliver(url, &self.report_payload(message, status, code))
            .await
    }

    /// The webhook about one status.
    fn report_payload(&self, message: &MetaMessage, status: &str, code: Option<u32>) -> Value {
        let mut report = json!({
            "id": message.id,
            "status": status,
            "timestamp": jiff::Timestamp::now().as_second().to_string(),
        });
        match message.to.strip_prefix('+') {
            Some(digits) => report["recipient_id"] = digits.into(),
            None => report["recipient_user_id"] = message.to.as_str().into(),
        }
        if let Some(data) = message.body.get("biz_opaque_callback_data") {
            report["biz_opaque_callback_data"] = data.clone();
        }
        if matches!(status, "sent" | "delivered") {
            report["pricing"] = json!({
                "billable": false, "pricing_model": "PMP", "type": "free_customer_service",
                "category": "service",
            });
        }
        if let Some(code) = code {
            report["errors"] = json!([{
                "code": code, "title": "Refused", "message": "Refused",
                "error_data": {"details": "The message was refused."},
                "href": "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/",
            }]);
        }
        let mut value = self.value(&message.phone_number_id);
        value["statuses"] = json!([report]);
        self.event("messages", &value)
    }
}
