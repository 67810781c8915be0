//! Signed inbound load, and a ledger of how each request ended.
//!
//! A worker keeps one connection and sends one message after the other, as fast as it is answered
//! or at a steady rate. What is not answered is kept as lost: the provider would send it again, and
//! so does [`redeliver`].

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};

use crate::http::Connection;
use crate::twilio::{Hook, Sms};
use crate::wait::{SOON, eventually};

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Answered 2xx.
    Acknowledged,
    /// Answered with another status.
    Refused(u16),
    /// Not answered: the connection failed.
    Lost(String),
}

/// One message of the load.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The message.
    pub sms: Sms,
    /// How it ended.
    pub outcome: Outcome,
}

/// What load to make.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Concurrent connections.
    pub connections: u32,
    /// Requests a second over all connections; none for as fast as answers come.
    pub rate: Option<u32>,
    /// How many different senders write.
    pub senders: u32,
    /// The first digits of the senders' numbers, to tell one load's people from another's.
    pub prefix: String,
}

impl Plan {
    /// Eight connections as fast as answers come, twenty senders.
    pub fn new(prefix: impl Into<String>) -> Self {
        Self {
            connections: 8,
            rate: None,
            senders: 20,
            prefix: prefix.into(),
        }
    }

    /// A steady number of requests a second.
    #[must_use]
    pub fn rate(mut self, per_second: u32) -> Self {
        self.rate = Some(per_second);
        self
    }

    /// Number `n` of the senders.
    fn sender(&self, n: u64) -> String {
        format!("+{}{:04}", self.prefix, n % u64::from(self.senders))
    }
}

/// A running load.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    ledger: Arc<Mutex<Vec<Sent>>>,
    workers: Vec<JoinHandle<()>>,
}

impl Load {
    /// Starts the workers.
    pub fn start(address: SocketAddr, hook: &Hook, plan: &Plan) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let ledger = Arc::new(Mutex::new(Vec::new()));
        let next = Arc::new(AtomicU64::new(0));
        let workers = (0..plan.connections).map(|_| {
            let worker = Worker {
                address,
                hook: hook.clone(),
                plan: plan.clone(),
                stop: Arc::clone(&stop),
                ledger: Arc::clone(&ledger),
                next: Arc::clone(&next),
            };
            tokio::spawn(worker.run())
        });
        let workers = workers.collect();
        Self {
            stop,
            ledger,
            workers,
        }
    }

    /// How many messages have been acknowledged so far.
    pub fn acknowledged(&self) -> usize {
        let ledger = self
            .ledger
            .lock()
            .expect("no worker panics with the ledger");
        let done = ledger
            .iter()
            .filter(|sent| sent.outcome == Outcome::Acknowledged);
        done.count()
    }

    /// Waits until so many messages have been acknowledged.
    pub async fn reaches(&self, count: usize) {
        eventually("the load gets on", SOON * 3, || async {
            (self.acknowledged() >= count).then_some(())
        })
        .await;
    }

    /// Lets every worker end its request, and gives the ledger.
    pub async fn stop(self) -> Vec<Sent> {
        self.stop.store(true, Ordering::Relaxed);
        for worker in self.workers {
            worker.await.expect("a worker does not panic");
        }
        let mut ledger = self
            .ledger
            .lock()
            .expect("no worker panics with the ledger");
        std::mem::take(&mut ledger)
    }
}

struct Worker {
    address: SocketAddr,
    hook: Hook,
    plan: Plan,
    stop: Arc<AtomicBool>,
    ledger: Arc<Mutex<Vec<Sent>>>,
    next: Arc<AtomicU64>,
}

impl Worker {
    async fn run(self) {
        let mut connection = None;
        let mut ticks = self.plan.rate.map(|rate| {
            let every = Duration::from_secs(1) * self.plan.connections / rate;
            let mut ticks = tokio::time::interval_at(Instant::now() + every, every);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
            ticks
        });
        while !self.stop.load(Ordering::Relaxed) {
            if let Some(ticks) = &mut ticks {
                ticks.tick().await;
            }
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let sms = Sms::new(&self.plan.sender(number), &format!("message {number}"));
            let outcome = deliver(&mut connection, self.address, &self.hook, &sms).await;
            let failed = matches!(outcome, Outcome::Lost(_));
            self.note(Sent { sms, outcome });
            if failed {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    fn note(&self, sent: Sent) {
        let mut ledger = self
            .ledger
            .lock()
            .expect("no worker panics with the ledger");
        ledger.push(sent);
    }
}

/// Sends one message over the kept connection, opening one where there is none.
async fn deliver(
    kept: &mut Option<Connection>,
    address: SocketAddr,
    hook: &Hook,
    sms: &Sms,
) -> Outcome {
    let exchange = async {
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => Connection::open(address).await?,
        };
        let status = connection.status_of(&hook.request(sms).bytes()).await?;
        *kept = Some(connection);
        std::io::Result::Ok(status)
    };
    match tokio::time::timeout(SOON, exchange).await {
        Ok(Ok(status)) if (200..300).contains(&status) => Outcome::Acknowledged,
        Ok(Ok(status)) => Outcome::Refused(status),
        Ok(Err(why)) => Outcome::Lost(why.to_string()),
        Err(_) => Outcome::Lost("no answer".into()),
    }
}

/// Delivers again, as the provider would, whatever was not acknowledged; all must succeed now.
pub async fn redeliver(address: SocketAddr, hook: &Hook, ledger: &mut [Sent]) {
    deliver_again(address, hook, ledger, Duration::ZERO).await;
}

/// The same where a 503 may still be right, as it is beside a disk that was full: it comes back soon after one.
pub async fn redeliver_patiently(address: SocketAddr, hook: &Hook, ledger: &mut [Sent]) {
    deliver_again(address, hook, ledger, SOON).await;
}

async fn deliver_again(address: SocketAddr, hook: &Hook, ledger: &mut [Sent], patience: Duration) {
    let mut connection = None;
    for sent in ledger
        .iter_mut()
        .filter(|sent| sent.outcome != Outcome::Acknowledged)
    {
        let started = Instant::now();
        let mut outcome = deliver(&mut connection, address, hook, &sent.sms).await;
        while outcome == Outcome::Refused(503) && started.elapsed() < patience {
            tokio::time::sleep(Duration::from_millis(200)).await;
            outcome = deliver(&mut connection, address, hook, &sent.sms).await;
        }
        assert_eq!(
            outcome,
            Outcome::Acknowledged,
            "delivered again: {:?}",
            sent.sms
        );
        sent.outcome = outcome;
    }
}
