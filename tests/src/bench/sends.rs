//! Sends made ahead and accepted through the API over many connections, and the switch of the
//! channel that they wait for.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::json;

use super::latency::Latencies;
use super::provider::Provider;
use super::traffic::{Batch, Pace, Run, drive};
use crate::daemon::Daemon;
use crate::http::Request;

/// The channel that is measured.
pub const CHANNEL: &str = "sms";
/// What every message says.
const TEXT: &str = "Your order is on its way. It will be with you tomorrow before noon.";
/// Requests made ready at a time.
const BATCH: usize = 100_000;
/// Longer than any run takes.
const WHOLE: Pace = Pace::Closed(Duration::from_secs(3_600));

/// A daemon with one channel, and the numbering of what is sent over it.
#[derive(Debug)]
pub struct Sends {
    /// The daemon.
    pub daemon: Daemon,
    recipients: usize,
    connections: u32,
    next: usize,
}

impl Sends {
    /// Sends over `daemon` to so many different recipients, over so many connections.
    pub fn new(daemon: Daemon, recipients: usize, connections: u32) -> Self {
        Self {
            daemon,
            recipients: recipients.max(1),
            connections,
            next: 0,
        }
    }

    /// How many were accepted so far.
    pub fn accepted(&self) -> usize {
        self.next
    }

    fn recipient(&self, number: usize) -> String {
        format!("+1500{:07}", number % self.recipients)
    }

    fn request(&self, number: usize) -> Vec<u8> {
        let body = json!({
            "channel": CHANNEL,
            "to": self.recipient(number),
            "content": {"text": format!("{TEXT} {number:08}")},
        });
        let token = self.daemon.api().token().to_owned();
        Request::new("POST", "/api/v1/messages")
            .header("authorization", format!("Bearer {token}"))
            .body("application/json", body.to_string())
            .bytes()
    }

    /// Accepts `count` sends as fast as they are answered; every one must be.
    pub async fn accept(&mut self, count: usize) -> Result<Run> {
        self.accept_over(count, self.connections).await
    }

    /// Accepts `count` sends one after the other and gives their latencies.
    pub async fn accept_singly(&mut self, count: usize) -> Result<Latencies> {
        Ok(self.accept_over(count, 1).await?.latencies)
    }

    async fn accept_over(&mut self, count: usize, connections: u32) -> Result<Run> {
        let mut whole = Run::default();
        let end = self.next + count;
        while self.next < end {
            let last = end.min(self.next + BATCH);
            let requests = (self.next..last).map(|number| self.request(number));
            let batch = Batch::of(self.next as u64, requests);
            let run = drive(self.daemon.admin(), connections, batch, WHOLE).await;
            ensure!(
                run.failed.is_empty(),
                "{} sends were not accepted",
                run.failed.len()
            );
            self.next = last;
            whole.elapsed += run.elapsed;
            whole.latencies = std::mem::take(&mut whole.latencies).join(run.latencies);
        }
        Ok(whole)
    }

    /// The form that the daemon sends for message `number`, as long as the real one.
    pub fn form(&self, number: usize) -> Vec<(String, String)> {
        let callback = format!(
            "{}?message=00000000-0000-7000-8000-000000000000",
            self.daemon.url(CHANNEL)
        );
        [
            ("To", self.recipient(number)),
            ("From", "+15550100".to_owned()),
            ("Body", format!("{TEXT} {number:08}")),
            ("StatusCallback", callback),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    /// Lets the channel send.
    pub async fn enable(&self) -> Result<()> {
        self.switch("enable").await
    }

    /// Lets what is accepted wait; returns when no call is under way any more.
    pub async fn disable(&self, provider: &mut Provider) -> Result<()> {
        self.switch("disable").await?;
        let started = Instant::now();
        let mut seen = provider.count()?;
        let mut since = Instant::now();
        while since.elapsed() < Duration::from_millis(300) {
            tokio::time::sleep(Duration::from_millis(10)).await;
            let now = provider.count()?;
            if now != seen {
                (seen, since) = (now, Instant::now());
            }
            ensure!(
                started.elapsed() < Duration::from_secs(60),
                "a disabled channel goes on sending"
            );
        }
        Ok(())
    }

    async fn switch(&self, verb: &str) -> Result<()> {
        let path = format!("/api/v1/channels/{CHANNEL}/{verb}");
        let answer = self.daemon.api().post(&path, &json!({})).await;
        ensure!(
            (200..300).contains(&answer.status),
            "{verb}: {}",
            answer.reply.text()
        );
        Ok(())
    }
}
