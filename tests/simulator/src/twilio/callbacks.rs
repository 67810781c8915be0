//! Status callbacks: what happens to an accepted message, and telling the gateway about it.

use super::Twilio;
use super::delivery::Event;
use super::inbound::Method;
use super::ledger::{LedgerMessage, StatusWord};
use crate::{Answer, SimulatorError};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rand::Rng;
use rand::rngs::StdRng;
use std::time::Duration;

/// What happens to messages after Create has accepted them. Each change is kept in the ledger, and
/// posted where the message has a `StatusCallback`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Callbacks {
    /// Nothing: they stay queued.
    None,
    /// `sent`, then `delivered`, each after this time.
    InOrder {
        /// Wait before each.
        delay: Duration,
    },
    /// `delivered`, posted and answered before Create's own answer.
    BeforeResponse,
    /// `sent` and `delivered`, each posted twice.
    Doubled,
    /// `delivered`, then `sent`.
    Reversed,
    /// `failed` with this error code.
    Failed {
        /// Twilio's error code.
        code: u32,
    },
    /// Any sequence, each after this time.
    Steps {
        /// Wait before each.
        delay: Duration,
        /// Status and error code.
        steps: Vec<(StatusWord, Option<u32>)>,
    },
    /// `delivered` after this time, and no callback: only Fetch and List show it.
    Unreported {
        /// Wait before.
        delay: Duration,
    },
    /// A seeded mix: each message gets one entry, in proportion to the weights.
    Mix {
        /// Seed of the sequence.
        seed: u64,
        /// Weights and what they do.
        shares: Vec<(u32, Callbacks)>,
    },
}

/// How the gateway answered one status callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackAnswer {
    /// The message.
    pub sid: String,
    /// The status that was reported.
    pub status_word: StatusWord,
    /// HTTP status of the answer; none where none came.
    pub http_status: Option<u16>,
    /// Why no answer came.
    pub error: Option<String>,
}

/// One change of status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Step {
    delay: Duration,
    status: StatusWord,
    error_code: Option<u32>,
    posts: u8,
}

impl Callbacks {
    /// What happens to one message; only a mix asks for chance.
    pub(super) fn draw(&self, random: &mut StdRng) -> Self {
        let Self::Mix { shares, .. } = self else {
            return self.clone();
        };
        let total: u32 = shares.iter().map(|(weight, _)| weight).sum();
        let mut point = random.random_range(0..total.max(1));
        for (weight, entry) in shares {
            if point < *weight {
                return entry.clone();
            }
            point -= weight;
        }
        Self::None
    }

    fn steps(&self) -> Vec<Step> {
        let step = |delay, status, error_code, posts| Step {
            delay,
            status,
            error_code,
            posts,
        };
        let once = |delay: Duration, status| step(delay, status, None, 1);
        let now = Duration::ZERO;
        match self {
            // A mix is resolved when the message is accepted.
            Self::None | Self::Mix { .. } => Vec::new(),
            Self::Unreported { delay } => vec![step(*delay, StatusWord::Delivered, None, 0)],
            Self::InOrder { delay } => vec![
                once(*delay, StatusWord::Sent),
                once(*delay, StatusWord::Delivered),
            ],
            Self::BeforeResponse => vec![once(now, StatusWord::Delivered)],
            Self::Doubled => vec![
                step(now, StatusWord::Sent, None, 2),
                step(now, StatusWord::Delivered, None, 2),
            ],
            Self::Reversed => vec![
                once(now, StatusWord::Delivered),
                once(now, StatusWord::Sent),
            ],
            Self::Failed { code } => vec![step(now, StatusWord::Failed, Some(*code), 1)],
            Self::Steps { delay, steps } => steps
                .iter()
                .map(|(status, error_code)| step(*delay, *status, *error_code, 1))
                .collect(),
        }
    }
}

impl Twilio {
    /// Starts what happens to an accepted message; waits for it only where the callback goes before
    /// the answer.
    pub(super) async fn begin_callbacks(&self, sid: String, callbacks: &Callbacks) {
        let steps = callbacks.steps();
        if steps.is_empty() {
            return;
        }
        let twilio = self.clone();
        let task = self
            .inner
            .courier
            .spawn(async move { twilio.walk(&sid, steps).await });
        if *callbacks == Callbacks::BeforeResponse {
            // It only fails when the simulator stops, and then the answer has no reader either.
            let _ = task.await;
        }
    }

    async fn walk(&self, sid: &str, steps: Vec<Step>) {
        for step in steps {
            if !step.delay.is_zero() {
                tokio::time::sleep(step.delay).await;
            }
            // The ledger keeps every message, so this one is there.
            let _ = self.settle(sid, step.status, step.error_code);
            for _ in 0..step.posts {
                // A failed post is kept among the callback answers.
                let _ = self.post_callback(sid, step.status, step.error_code).await;
            }
        }
    }

    /// Posts one callback and keeps its answer. None where the message wants none.
    pub(super) async fn post_callback(
        &self,
        sid: &str,
        status: StatusWord,
        error_code: Option<u32>,
    ) -> Result<Option<Answer>, SimulatorError> {
        let message = self.message(sid);
        let message = message.ok_or_else(|| SimulatorError::UnknownMessage(sid.to_owned()))?;
        let Some(url) = &message.status_callback else {
            return Ok(None);
        };
        let params = params(&message, &self.inner.account_sid, status, error_code);
        let outcome = self.deliver(&Event::new(url, Method::Post, params)).await;
        self.inner.callback_answers.lock().push(CallbackAnswer {
            sid: sid.to_owned(),
            status_word: status,
            http_status: outcome.as_ref().ok().map(|answer| answer.status),
            error: outcome.as_ref().err().map(ToString::to_string),
        });
        outcome.map(Some)
    }
}

/// The parameters of a callback ("Outbound Message Status in Status Callbacks").
fn params(
    message: &LedgerMessage,
    account_sid: &str,
    status: StatusWord,
    error_code: Option<u32>,
) -> Vec<(String, String)> {
    let mut params = vec![
        ("ApiVersion", "2010-04-01".to_owned()),
        ("MessageStatus", status.to_string()),
        ("SmsSid", message.sid.clone()),
        ("SmsStatus", status.to_string()),
        ("To", message.to.clone()),
        ("From", message.from.clone()),
        ("MessageSid", message.sid.clone()),
        ("AccountSid", account_sid.to_owned()),
    ];
    if let Some(service) = &message.messaging_service_sid {
        params.push(("MessagingServiceSid", service.clone()));
    }
    if let Some(code) = error_code {
        params.push(("ErrorCode", code.to_string()));
    }
    if message.to.starts_with("whatsapp:") {
        params.push(("ChannelPrefix", "whatsapp".to_owned()));
        params.push(("EventType", status.as_str().to_uppercase()));
    } else if matches!(status, StatusWord::Delivered | StatusWord::Undelivered) {
        let now = Timestamp::now().to_zoned(TimeZone::UTC);
        params.push(("RawDlrDoneDate", now.strftime("%y%m%d%H%M").to_string()));
    }
    params
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}
