//! Requests made ahead, and the loop that sends them.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::latency::{Latencies, count, micros, rate};
use crate::http::Connection;
use crate::twilio::{Hook, Sms};

/// More than there are workers.
const WORKERS_MAX: usize = 100_000;

/// Most bytes of requests kept ready at once.
const BATCH_BYTES_MAX: usize = 1 << 30;

/// Makes requests that are all different and all signed, numbered without gaps.
#[derive(Debug, Clone)]
pub struct Source {
    hook: Hook,
    senders: u64,
    next: u64,
}

impl Source {
    /// A source for one webhook; numbers begin at zero.
    pub fn new(hook: Hook, senders: u64) -> Self {
        Self {
            hook,
            senders,
            next: 0,
        }
    }

    /// The sender of message `number`.
    pub fn sender(&self, number: u64) -> String {
        format!("+1666{:07}", number % self.senders)
    }

    /// The provider's id of message `number`.
    pub fn sid(number: u64) -> String {
        format!("SM{number:032x}")
    }

    /// The next `count` requests, fewer where they would take too much memory.
    pub fn batch(&mut self, count: usize) -> Batch {
        let first = self.next;
        let mut bytes = Vec::new();
        let mut ends = Vec::with_capacity(count);
        while ends.len() < count && bytes.len() < BATCH_BYTES_MAX {
            let mut sms = Sms::new(
                &self.sender(self.next),
                "Is my order on its way? It was due today.",
            );
            sms.sid = Self::sid(self.next);
            bytes.extend_from_slice(&self.hook.request(&sms).bytes());
            ends.push(bytes.len());
            self.next += 1;
        }
        Batch { first, bytes, ends }
    }
}

/// Requests ready to be sent.
#[derive(Debug)]
pub struct Batch {
    /// Number of the first one.
    pub first: u64,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Batch {
    /// These requests, numbered from `first`.
    pub fn of(first: u64, requests: impl Iterator<Item = Vec<u8>>) -> Self {
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        for request in requests {
            bytes.extend_from_slice(&request);
            ends.push(bytes.len());
        }
        Self { first, bytes, ends }
    }

    fn request(&self, index: usize) -> Option<&[u8]> {
        let end = *self.ends.get(index)?;
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        Some(&self.bytes[start..end])
    }
}

/// What came of a run.
#[derive(Debug, Default)]
pub struct Run {
    /// Numbers of the requests that were sent.
    pub sent: Range<u64>,
    /// Numbers of those that were not answered 2xx.
    pub failed: Vec<u64>,
    /// How long it took.
    pub elapsed: Duration,
    /// Latencies of the answered ones.
    pub latencies: Latencies,
}

impl Run {
    /// Answered requests a second.
    pub fn per_second(&self) -> u32 {
        rate(self.latencies.count(), self.elapsed)
    }
}

/// When requests go out.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// Each connection sends as soon as it is answered, for this long.
    Closed(Duration),
    /// This many a second on a fixed schedule, for this long; latency counts from the schedule.
    Open(u32, Duration),
}

/// Sends a batch over `connections` and measures.
pub async fn drive(address: SocketAddr, connections: u32, batch: Batch, pace: Pace) -> Run {
    let shared = Arc::new(Shared {
        batch,
        pace,
        next: AtomicUsize::new(0),
        due: Semaphore::new(0),
        started: Instant::now(),
    });
    let pacer = shared.start_pacer();
    let workers: Vec<_> = (0..connections)
        .map(|_| tokio::spawn(worker(address, Arc::clone(&shared))))
        .collect();
    let (mut failed, mut measured, mut sent) = (Vec::new(), Vec::new(), 0);
    for worker in workers {
        let part = worker.await.expect("a worker does not panic");
        failed.extend(part.failed);
        measured.extend(part.measured_us);
        sent += part.sent;
    }
    let elapsed = shared.started.elapsed();
    if let Some(pacer) = pacer {
        pacer.join().expect("the pacer does not panic");
    }
    Run {
        sent: shared.batch.first..shared.batch.first + sent,
        failed,
        elapsed,
        latencies: Latencies::new(measured),
    }
}

struct Shared {
    batch: Batch,
    pace: Pace,
    next: AtomicUsize,
    due: Semaphore,
    started: Instant,
}

impl Shared {
    /// The open loop's clock is a thread: the runtime's timers are no finer than a millisecond.
    fn start_pacer(self: &Arc<Self>) -> Option<std::thread::JoinHandle<()>> {
        let Pace::Open(rate, length) = self.pace else {
            return None;
        };
        let shared = Arc::clone(self);
        Some(std::thread::spawn(move || {
            for index in 0..shared.count(rate, length) {
                let due = shared.due_at(rate, index);
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                shared.due.add_permits(1);
            }
            shared.due.add_permits(WORKERS_MAX);
        }))
    }

    fn count(&self, rate: u32, length: Duration) -> usize {
        count(rate, length).min(self.batch.ends.len())
    }

    fn due_at(&self, rate: u32, index: usize) -> Instant {
        self.started + Duration::from_nanos(index as u64 * 1_000_000_000 / u64::from(rate))
    }

    /// The next request and the time its latency counts from; none when the run is over.
    async fn take(&self) -> Option<(usize, Instant)> {
        match self.pace {
            Pace::Closed(length) => {
                let now = Instant::now();
                (now - self.started < length)
                    .then(|| (self.next.fetch_add(1, Ordering::Relaxed), now))
            }
            Pace::Open(rate, length) => {
                self.due.acquire().await.ok()?.forget();
                let index = self.next.fetch_add(1, Ordering::Relaxed);
                // Permits beyond the last request only wake the workers up to end.
                (index < self.count(rate, length)).then(|| (index, self.due_at(rate, index)))
            }
        }
    }
}

#[derive(Default)]
struct Part {
    sent: u64,
    failed: Vec<u64>,
    measured_us: Vec<u32>,
}

async fn worker(address: SocketAddr, shared: Arc<Shared>) -> Part {
    let mut part = Part::default();
    let mut kept: Option<Connection> = None;
    while let Some((index, from)) = shared.take().await {
        let Some(request) = shared.batch.request(index) else {
            break;
        };
        part.sent += 1;
        let status = async {
            let mut connection = match kept.take() {
                Some(connection) => connection,
                None => Connection::open(address).await?,
            };
            let status = connection.status_of(request).await?;
            kept = Some(connection);
            std::io::Result::Ok(status)
        };
        match status.await {
            Ok(200..300) => part.measured_us.push(micros(from.elapsed())),
            _ => part.failed.push(shared.batch.first + index as u64),
        }
    }
    part
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::Duration;

    use actix_web::{App, HttpResponse, HttpServer, web};

    use super::{Pace, Source, drive};
    use crate::twilio::Hook;

    fn source() -> Source {
        let hook = Hook {
            url: "http://127.0.0.1:1/webhooks/sms/token".to_owned(),
            account_sid: "AC1".to_owned(),
            auth_token: "12345".to_owned(),
        };
        Source::new(hook, 10)
    }

    /// An empty handler in this process.
    fn server() -> std::net::SocketAddr {
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async {
                let app = || {
                    App::new().default_service(web::to(|_body: web::Bytes| async {
                        HttpResponse::Ok().finish()
                    }))
                };
                let server = HttpServer::new(app).workers(1).disable_signals();
                let server = server.bind(("127.0.0.1", 0)).unwrap();
                sender.send(server.addrs()[0]).unwrap();
                server.run().await.unwrap();
            });
        });
        receiver.recv().unwrap()
    }

    #[test]
    fn every_request_is_another_one() {
        let mut source = source();
        let (first, second) = (source.batch(50), source.batch(50));
        let all = (0..50).flat_map(|index| [first.request(index), second.request(index)]);
        let distinct: HashSet<_> = all.flatten().collect();
        assert_eq!(distinct.len(), 100);
        assert!(first.request(50).is_none());
        assert_eq!(second.first, 50);
    }

    #[tokio::test]
    async fn the_closed_loop_sends_until_time_or_requests_run_out() {
        let address = server();
        let batch = source().batch(100);
        let run = drive(address, 8, batch, Pace::Closed(Duration::from_secs(60))).await;
        assert_eq!((run.sent.clone(), run.latencies.count()), (0..100, 100));
        assert!(run.failed.is_empty());
        let batch = source().batch(200_000);
        let run = drive(address, 8, batch, Pace::Closed(Duration::from_millis(100))).await;
        assert!(run.elapsed < Duration::from_secs(5), "{:?}", run.elapsed);
        assert_eq!(
            usize::try_from(run.sent.end).unwrap(),
            run.latencies.count()
        );
    }

    #[tokio::test]
    async fn the_open_loop_keeps_its_schedule() {
        let batch = source().batch(1_000);
        let pace = Pace::Open(500, Duration::from_millis(400));
        let run = drive(server(), 8, batch, pace).await;
        assert_eq!((run.latencies.count(), run.failed.len()), (200, 0));
        assert!(
            run.elapsed >= Duration::from_millis(390),
            "{:?}",
            run.elapsed
        );
    }
}
