//! What happens to accepted messages: delivery receipts, one a part, and statuses.

use super::Vonage;
use super::account::{VonageMessage, random_uuid};
use super::inbound::sms_time;
use crate::{Answer, SignedRequest, SimulatorError};
use jiff::Timestamp;
use serde_json::json;
use std::time::Duration;

/// What happens to messages after they are accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Receipts {
    /// Nothing.
    None,
    /// On its way, then delivered, each after this time.
    InOrder {
        /// Wait before each.
        delay: Duration,
    },
    /// Delivered, reported and answered before the call's own answer.
    BeforeResponse,
    /// On its way and delivered, each reported twice.
    Doubled,
    /// Delivered, then on its way.
    Reversed,
    /// Failed with this code.
    Failed {
        /// `err-code`, or the code of the Messages API.
        code: u32,
    },
}

/// How the gateway answered one receipt or status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptAnswer {
    /// The id of the message, or of its part.
    pub id: String,
    /// Vonage's word.
    pub word: &'static str,
    /// HTTP status of the answer; none where none came.
    pub http_status: Option<u16>,
}

impl Receipts {
    /// Words in the SMS API and in the Messages API, with a code.
    fn steps(&self) -> Vec<([&'static str; 2], u32)> {
        let (sent, delivered) = (
            (["accepted", "submitted"], 0),
            (["delivered", "delivered"], 0),
        );
        match self {
            Self::None => Vec::new(),
            Self::InOrder { .. } => vec![sent, delivered],
            Self::BeforeResponse => vec![delivered],
            Self::Doubled => vec![sent, sent, delivered, delivered],
            Self::Reversed => vec![delivered, sent],
            Self::Failed { code } => vec![(["failed", "rejected"], *code)],
        }
    }
}

impl Vonage {
    /// Starts what happens to a message; waits for it only where it goes before the answer.
    pub(super) async fn begin_receipts(&self, message: VonageMessage, receipts: &Receipts) {
        let steps = receipts.steps();
        if steps.is_empty() || message.callback.is_none() {
            return;
        }
        let delay = match receipts {
            Receipts::InOrder { delay } => *delay,
            _ => Duration::ZERO,
        };
        let vonage = self.clone();
        let task = self.inner.courier.spawn(async move {
            for (words, code) in steps {
                if !delay.is_zero() {
                    tokio::time::sleep(delay).await;
                }
                for id in &message.ids {
                    // A failed post is kept among the answers.
                    let _ = vonage.report(&message, id, words, code).await;
                }
            }
        });
        if *receipts == Receipts::BeforeResponse {
            // It only fails when the simulator stops, and then the answer has no reader either.
            let _ = task.await;
        }
    }

    /// Reports on one part (or message) of those that were accepted: the word of either API, and a code
    /// where it failed.
    pub async fn report(
        &self,
        message: &VonageMessage,
        id: &str,
        words: [&'static str; 2],
        code: u32,
    ) -> Result<Answer, SimulatorError> {
        let url = message.callback.as_deref();
        let url = url.ok_or_else(|| SimulatorError::UnknownMessage(id.to_owned()))?;
        let (word, request) = match &message.channel {
            None => (words[0], self.receipt(url, message, id, words[0], code)),
            Some(channel) => (words[1], self.status(url, message, channel, words[1], code)),
        };
        let answer = self.post(&request).await;
        self.inner.answers.lock().push(ReceiptAnswer {
            id: id.to_owned(),
            word,
            http_status: answer.as_ref().ok().map(|answer| answer.status),
        });
        answer
    }

    fn receipt(
        &self,
        url: &str,
        message: &VonageMessage,
        id: &str,
        word: &str,
        code: u32,
    ) -> SignedRequest {
        let params = [
            ("msisdn", message.to.as_str()),
            ("to", &message.from),
            ("network-code", "23410"),
            ("messageId", id),
            ("price", "0.03330000"),
            ("status", word),
            ("scts", "2601010000"),
            ("err-code", &code.to_string()),
            ("api-key", &self.api_key()),
            (
                "client-ref",
                message.client_ref.as_deref().unwrap_or_default(),
            ),
            ("message-timestamp", &sms_time(Timestamp::now())),
        ];
        let params = params.map(|(name, value)| (name.to_owned(), value.to_owned()));
        self.sign_sms(url, params.into(), 0)
    }

    fn status(
        &self,
        url: &str,
        message: &VonageMessage,
        channel: &str,
        word: &str,
        code: u32,
    ) -> SignedRequest {
        let mut body = json!({
            "message_uuid": message.ids[0],
            "to": message.to,
            "from": message.from,
            "timestamp": Timestamp::now().to_string(),
            "status": word,
            "channel": channel,
            "client_ref": message.client_ref,
            "usage": {"currency": "EUR", "price": "0.0333"},
            "destination": {"network_code": "23410"},
        });
        if code != 0 {
            body["error"] = json!({
                "type": format!("https://developer.nexmo.com/api-errors/messages#{code}"),
                "title": code,
                "detail": "refused",
                "instance": random_uuid(),
            });
        }
        self.sign_message(url, &body, 0)
    }
}
