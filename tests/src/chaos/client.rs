//! A program behind the API: sends to its recipients one message after the other, and repeats a
//! request with the same key for as long as it has no answer.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use serde_json::{Value, json};

use super::Plan;
use crate::daemon::Daemon;
use crate::http::{Connection, Reply, Request};
use crate::wait::SOON;

/// Messages of one recipient that may be waiting: enough to keep lines busy, few enough that kills
/// meet clients at work.
const WAITING_MAX: usize = 2;
/// Every so manieth accepted request is sent once more, as a client does that lost the answer.
const REPEAT_EVERY: usize = 25;

/// What the clients of one run share.
#[derive(Debug)]
pub(super) struct Shared {
    admin: SocketAddr,
    token: String,
    accepted: AtomicUsize,
    repeated: AtomicUsize,
}

impl Shared {
    pub(super) fn new(daemon: &Daemon) -> Self {
        Self {
            admin: daemon.admin(),
            token: daemon.api().token().to_owned(),
            accepted: AtomicUsize::new(0),
            repeated: AtomicUsize::new(0),
        }
    }

    /// Messages accepted so far.
    pub(super) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Requests that were sent again.
    pub(super) fn repeated(&self) -> usize {
        self.repeated.load(Ordering::Relaxed)
    }
}

/// A message that was accepted: its id, and its place in its recipient's line.
#[derive(Debug, Clone)]
pub(super) struct Accepted {
    pub(super) id: String,
    pub(super) body: String,
}

/// One client.
pub(super) struct Client {
    shared: Arc<Shared>,
    lines: Vec<Line>,
    channels: usize,
    rounds: usize,
    connection: Option<Connection>,
}

/// What a client has sent to one recipient.
struct Line {
    recipient: usize,
    sent: usize,
    /// Ids that are not known to have left the queue, oldest first.
    waiting: VecDeque<String>,
}

impl Client {
    pub(super) fn new(index: usize, plan: &Plan, shared: Arc<Shared>) -> Self {
        let recipients = (index..plan.recipients).step_by(plan.clients);
        let lines = recipients.map(|recipient| Line {
            recipient,
            sent: 0,
            waiting: VecDeque::new(),
        });
        Self {
            shared,
            lines: lines.collect(),
            channels: plan.channels,
            rounds: plan.sends / plan.recipients,
            connection: None,
        }
    }

    /// Sends everything; one message after the other for each recipient.
    pub(super) async fn run(mut self) -> Result<Vec<Accepted>> {
        let mut accepted = Vec::new();
        let mut lines = std::mem::take(&mut self.lines);
        while !lines.is_empty() {
            let before = accepted.len();
            for line in &mut lines {
                if self.may_send(line).await {
                    let message = self.accept(line.recipient, line.sent).await?;
                    line.waiting.push_back(message.id.clone());
                    line.sent += 1;
                    accepted.push(message);
                }
            }
            lines.retain(|line| line.sent < self.rounds);
            if accepted.len() == before {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        Ok(accepted)
    }

    /// Whether a line is short enough; asks for its oldest message where it is not.
    async fn may_send(&mut self, line: &mut Line) -> bool {
        let oldest = line
            .waiting
            .front()
            .filter(|_| line.waiting.len() >= WAITING_MAX);
        let Some(id) = oldest else { return true };
        let request = Request::new("GET", format!("/api/v1/messages/{id}"))
            .header("authorization", format!("Bearer {}", self.shared.token));
        let reply = self.exchange(&request.bytes()).await;
        let message = reply.and_then(|reply| serde_json::from_slice::<Value>(&reply.body).ok());
        let has_left = message.is_some_and(|message| {
            message["status"]
                .as_str()
                .is_some_and(|status| status != "queued")
        });
        if has_left {
            line.waiting.pop_front();
        }
        has_left
    }

    async fn accept(&mut self, recipient: usize, round: usize) -> Result<Accepted> {
        let body = body(recipient, round);
        let request = self.request(recipient, &body);
        let id = self.until_accepted(&request).await?;
        let number = self.shared.accepted.fetch_add(1, Ordering::Relaxed);
        if number.is_multiple_of(REPEAT_EVERY) {
            self.shared.repeated.fetch_add(1, Ordering::Relaxed);
            let again = self.until_accepted(&request).await?;
            ensure!(again == id, "{body} was accepted as {id} and as {again}");
        }
        Ok(Accepted { id, body })
    }

    fn request(&self, recipient: usize, body: &str) -> Vec<u8> {
        let message = json!({
            "channel": Plan::channel(recipient % self.channels),
            "to": format!("+1500777{recipient:04}"),
            "content": {"text": body},
        });
        Request::new("POST", "/api/v1/messages")
            .header("authorization", format!("Bearer {}", self.shared.token))
            .header("idempotency-key", body)
            .body("application/json", message.to_string())
            .bytes()
    }

    /// Repeats the request until it is answered; the answer must be 202.
    async fn until_accepted(&mut self, request: &[u8]) -> Result<String> {
        loop {
            let Some(reply) = self.exchange(request).await else {
                self.shared.repeated.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            };
            // A daemon that is starting or ending says so.
            if reply.status == 503 {
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
            let json: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
            match (reply.status, json["id"].as_str()) {
                (202, Some(id)) => return Ok(id.to_owned()),
                (status, _) => bail!("a send was answered {status}: {}", reply.text()),
            }
        }
    }

    /// One exchange over the kept connection; none where it failed.
    async fn exchange(&mut self, request: &[u8]) -> Option<Reply> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(self.shared.admin).await.ok()?,
        };
        let sent = tokio::time::timeout(SOON, connection.send(request)).await;
        let reply = sent.ok()?.ok()?;
        self.connection = Some(connection);
        Some(reply)
    }
}

/// What a message says: whose it is, and its place.
fn body(recipient: usize, round: usize) -> String {
    format!("to {recipient:04}, number {round:04}")
}

/// Recipient and place of a message by what it says; none where no client wrote it.
pub(super) fn place(body: &str) -> Option<(usize, usize)> {
    let (recipient, round) = body.strip_prefix("to ")?.split_once(", number ")?;
    Some((recipient.parse().ok()?, round.parse().ok()?))
}

/// Accepted messages by what they say; an error where two have one id.
pub(super) fn by_body(accepted: &[Accepted]) -> Result<BTreeMap<&str, &Accepted>> {
    let mut ids = BTreeMap::new();
    for message in accepted {
        if let Some(other) = ids.insert(&message.id, &message.body) {
            bail!("{other:?} and {:?} have one id", message.body);
        }
    }
    Ok(accepted.iter().map(|m| (m.body.as_str(), m)).collect())
}
