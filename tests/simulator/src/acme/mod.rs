//! Acme, a provider that does not exist: the smallest that an adapter can be written for. What
//! `trunkline plugin new` writes speaks it.
//!
//! ```text
//! POST {base}/messages  {"to", "text", "reference"}   authorization: Bearer TOKEN   201 {"id"}
//! GET  {base}/account                                 the same                      200 {"name"}
//! webhook  {"id", "from", "text"}    x-acme-signature: HMAC-SHA256 of the body under TOKEN, hex
//! ```
//!
//! Refused are: 401 a wrong token, 400 what is no number or no text, 404 any other path.

use std::sync::Arc;
use std::time::Duration;

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use parking_lot::Mutex;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::behaviour::{Behaviour, Script};
use crate::courier::{Courier, Parcel};
use crate::recorded::{RecordedRequest, RequestLog};
use crate::reply::{Incoming, Reply};
use crate::{Answer, SimulatorError, wait};

/// How many requests and messages are kept.
const KEPT_MAX: usize = 10_000;
/// Limit for one webhook.
const TIMEOUT: Duration = Duration::from_secs(15);

/// The provider. Clones are the same one.
#[derive(Clone)]
pub struct Acme {
    inner: Arc<Inner>,
}

struct Inner {
    base: String,
    token: String,
    script: Mutex<Script>,
    taken: Mutex<Vec<AcmeMessage>>,
    requests: RequestLog,
    courier: Courier,
}

/// A message that Acme took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcmeMessage {
    /// Acme's id.
    pub id: String,
    /// The recipient.
    pub to: String,
    /// The text.
    pub text: String,
    /// The sender's own id of it.
    pub reference: Option<String>,
}

impl Acme {
    /// The API's path on the simulator.
    pub(crate) const PREFIX: &'static str = "/acme/";

    pub(crate) fn new(base: &str, courier: Courier) -> Self {
        Self {
            inner: Arc::new(Inner {
                base: format!("{base}/acme"),
                token: format!("acme-{:032x}", rand::random::<u128>()),
                script: Mutex::default(),
                taken: Mutex::default(),
                requests: RequestLog::new(KEPT_MAX),
                courier,
            }),
        }
    }

    /// The channel's `api_base`.
    pub fn api_base(&self) -> String {
        self.inner.base.clone()
    }

    /// The channel's `token`: authorises calls, signs webhooks.
    pub fn token(&self) -> String {
        self.inner.token.clone()
    }

    /// How right calls are treated from now on.
    pub fn set_behaviour(&self, behaviour: Behaviour) {
        self.inner.script.lock().set(behaviour);
    }

    /// The messages that were taken (10,000), oldest first.
    pub fn taken(&self) -> Vec<AcmeMessage> {
        self.inner.taken.lock().clone()
    }

    /// The requests since this was last asked; they are kept no longer.
    pub(crate) fn take_requests(&self) -> Vec<RecordedRequest> {
        self.inner.requests.take()
    }

    /// Waits until `condition` holds, looking every 5 ms. Needs a tokio runtime with time.
    pub async fn wait_until(
        &self,
        mut condition: impl FnMut(&Self) -> bool,
        timeout: Duration,
    ) -> Result<(), SimulatorError> {
        wait::until(|| condition(self), timeout).await
    }

    /// Posts a text to the gateway, signed. One attempt.
    pub async fn inbound(
        &self,
        url: &str,
        id: &str,
        from: &str,
        text: &str,
    ) -> Result<Answer, SimulatorError> {
        let body = json!({"id": id, "from": from, "text": text}).to_string();
        let signature = sign(&self.inner.token, body.as_bytes());
        self.deliver(url, body, &signature).await
    }

    /// Posts any body under any signature.
    pub async fn deliver(
        &self,
        url: &str,
        body: impl Into<Vec<u8>>,
        signature: &str,
    ) -> Result<Answer, SimulatorError> {
        let headers = [
            ("content-type", "application/json"),
            ("x-acme-signature", signature),
        ];
        let parcel = Parcel {
            method: reqwest::Method::POST,
            url: url.to_owned(),
            headers: headers
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            body: body.into(),
            timeout: TIMEOUT,
        };
        self.inner.courier.send(parcel).await
    }

    /// Answers one call.
    pub(crate) async fn serve(&self, incoming: Incoming) -> Reply {
        let body: Value = serde_json::from_slice(&incoming.body).unwrap_or_default();
        let refusal = self.refusal(&incoming, &body);
        self.inner.requests.push(|| RecordedRequest {
            method: incoming.method.clone(),
            path: incoming.path.clone(),
            headers: incoming.headers.clone(),
            params: params(&body),
            problem: refusal.as_ref().map(|(_, words)| (*words).to_owned()),
        });
        if let Some((status, words)) = refusal {
            return Reply::json(status, &json!({"error": words}));
        }
        let plan = self.inner.script.lock().next();
        let answer = plan.accepted.then(|| self.accept(&incoming, &body));
        Reply::finish(plan, answer, |fault| {
            Reply::json(fault.status, &json!({"error": fault.message}))
        })
        .await
    }

    /// What is wrong with a call.
    fn refusal(&self, incoming: &Incoming, body: &Value) -> Option<(u16, &'static str)> {
        let sends = match (incoming.method.as_str(), incoming.path.as_str()) {
            ("POST", "/acme/messages") => true,
            ("GET", "/acme/account") => false,
            _ => return Some((404, "there is no such call")),
        };
        let bearer = format!("Bearer {}", self.inner.token);
        if incoming.header("authorization") != Some(&bearer) {
            return Some((401, "the token is wrong"));
        }
        let to = body["to"].as_str().unwrap_or_default();
        let digits = to.strip_prefix('+').unwrap_or_default();
        let is_number =
            (5..=15).contains(&digits.len()) && digits.chars().all(|c| c.is_ascii_digit());
        let content_type = incoming.header("content-type").unwrap_or_default();
        match sends {
            true if content_type != "application/json" => {
                Some((400, "the content type is not JSON"))
            }
            true if !is_number => Some((400, "`to` is no number such as +15005550101")),
            true if body["text"].as_str().is_none_or(str::is_empty) => {
                Some((400, "`text` is empty"))
            }
            _ => None,
        }
    }

    fn accept(&self, incoming: &Incoming, body: &Value) -> Reply {
        if incoming.method == "GET" {
            return Reply::json(200, &json!({"name": "Simulated Acme"}));
        }
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        let message = AcmeMessage {
            id: format!("acme_{:016x}", rand::random::<u64>()),
            to: text("to").unwrap_or_default(),
            text: text("text").unwrap_or_default(),
            reference: text("reference"),
        };
        let id = message.id.clone();
        let mut taken = self.inner.taken.lock();
        if taken.len() == KEPT_MAX {
            taken.remove(0);
        }
        taken.push(message);
        Reply::json(201, &json!({"id": id}))
    }
}

/// The signature of a webhook: HMAC-SHA256 of its body under the token, in lower-case hex.
pub fn sign(token: &str, body: &[u8]) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(token.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(body);
    HEXLOWER.encode(&mac.finalize().into_bytes())
}

/// The texts of a call, to be shown.
fn params(body: &Value) -> Vec<(String, String)> {
    let members = body.as_object().into_iter().flatten();
    members
        .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        .collect()
}

#[cfg(test)]
mod tests;
