//! What the service manager is told (`sd_notify(3)`): ready, reloading, stopping, how things are, and that
//! the daemon is alive. Says nothing where no manager listens.

use std::{
    fs,
    path::Path,
    sync::{Arc, mpsc},
    time::Duration,
};

use sd_notify::NotifyState;
use tracing::{debug, error};

use super::Gateway;
use crate::{
    model::HealthStatus,
    watch::{Part, Pulse},
};

/// Least time between two sentences about how things are.
const STATUS_EVERY: Duration = Duration::from_secs(5);
/// Time between two looks at whether a start gets on.
const START_LOOK: Duration = Duration::from_secs(2);
/// What a start that gets on is granted each time.
const START_GRANT: Duration = Duration::from_secs(30);
/// A start that has read and written no more than this in between has not got on.
const START_BYTES_MIN: u64 = 4096;

/// Tells the manager something; that it can't be told changes nothing.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        debug!(%error, "the service manager could not be told");
    }
}

/// Both listeners serve.
pub(super) fn ready(gateway: &Gateway) {
    let status = sentence(&Standing::of(gateway));
    tell(&[NotifyState::Ready, NotifyState::Status(&status)]);
}

/// An orderly stop has begun.
pub(super) fn stopping() {
    let status = "stopping: requests and sends under way are finished";
    tell(&[NotifyState::Stopping, NotifyState::Status(status)]);
}

/// A reload, from its beginning to its end, whatever that is.
pub(super) struct Reloading(());

impl Reloading {
    /// A reload has begun.
    pub(super) fn begin() -> Self {
        // The clock can't fail; where it does the manager waits for nothing.
        if let Ok(now) = NotifyState::monotonic_usec_now() {
            tell(&[NotifyState::Reloading, now]);
        }
        Self(())
    }
}

impl Drop for Reloading {
    fn drop(&mut self) {
        tell(&[NotifyState::Ready]);
    }
}

/// Asks the manager for more time for as long as a start gets on: opening a large store may mean to build
/// its index anew. Ends when it is dropped.
pub(super) struct Starting {
    _end: mpsc::Sender<()>,
}

impl Starting {
    /// A start has begun.
    pub(super) fn begin() -> Self {
        let (end, ended) = mpsc::channel::<()>();
        tell(&[NotifyState::Status("starting: the store is opened")]);
        std::thread::spawn(move || {
            let mut before = bytes_moved();
            while ended.recv_timeout(START_LOOK) == Err(mpsc::RecvTimeoutError::Timeout) {
                let now = bytes_moved();
                if now.saturating_sub(before) > START_BYTES_MIN {
                    let grant = u32::try_from(START_GRANT.as_micros()).unwrap_or(u32::MAX);
                    tell(&[NotifyState::ExtendTimeoutUsec(grant)]);
                }
                before = now;
            }
        });
        Self { _end: end }
    }
}

/// Bytes that this process has read and written so far; 0 where that is not told.
fn bytes_moved() -> u64 {
    let told = fs::read_to_string(Path::new("/proc/self/io")).unwrap_or_default();
    let counts = told.lines().filter_map(|line| {
        let (name, count) = line.split_once(": ")?;
        matches!(name, "rchar" | "wchar").then(|| count.parse::<u64>().ok())?
    });
    counts.sum()
}

/// The watchdog's pulse, where the manager wants one.
pub(super) fn pulse() -> Option<Pulse> {
    sd_notify::watchdog_enabled().map(Pulse::new)
}

/// Has the threads that must not stand still give signs of life.
pub(super) fn wire_up(gateway: &Gateway, pulse: &Pulse) {
    let arbiters = &gateway.arbiters;
    arbiters
        .guardians
        .spawn(pulse.clone().keep(Part::Guardians));
    arbiters.outbound.spawn(pulse.clone().keep(Part::Outboxes));
}

/// Tells how things are, and that the daemon is alive while it is. Ends with the runtime.
pub(super) async fn attend(gateway: Arc<Gateway>, pulse: Option<Pulse>) {
    let every = pulse
        .as_ref()
        .map_or(STATUS_EVERY, |pulse| pulse.every().min(STATUS_EVERY));
    let mut told = Told::default();
    loop {
        if let Some(pulse) = &pulse {
            beat(pulse.look(gateway.store.progress()), &mut told);
        }
        told.status(&gateway);
        tokio::time::sleep(every).await;
    }
}

fn beat(stuck: Vec<Part>, told: &mut Told) {
    if stuck.is_empty() {
        tell(&[NotifyState::Watchdog]);
    } else if stuck != told.stuck {
        let stuck = stuck.iter().map(Part::to_string);
        let stuck = stuck.collect::<Vec<_>>().join(", ");
        error!(
            event = "no_progress",
            stuck, "no progress: the watchdog is not fed any more"
        );
        tell(&[NotifyState::Status(&format!("no progress: {stuck}"))]);
    }
    told.stuck = stuck;
}

/// What the manager was told last.
#[derive(Default)]
struct Told {
    stuck: Vec<Part>,
    status: String,
    at: Option<tokio::time::Instant>,
}

impl Told {
    fn status(&mut self, gateway: &Gateway) {
        let is_early = self.at.is_some_and(|at| at.elapsed() < STATUS_EVERY);
        if is_early || !self.stuck.is_empty() {
            return;
        }
        let status = sentence(&Standing::of(gateway));
        if status != self.status {
            tell(&[NotifyState::Status(&status)]);
            self.status = status;
            self.at = Some(tokio::time::Instant::now());
        }
    }
}

/// How many channels do how, and how much waits.
#[derive(Debug, Default)]
struct Standing {
    up: usize,
    degraded: usize,
    down: usize,
    off: usize,
    unknown: usize,
    waiting: u64,
}

impl Standing {
    fn of(gateway: &Gateway) -> Self {
        let mut standing = Self {
            waiting: gateway.store.messages_waiting(),
            ..Self::default()
        };
        for channel in gateway.registry.routes().channels() {
            let count = match gateway.board.status(&channel.id) {
                HealthStatus::Healthy => &mut standing.up,
                HealthStatus::Degraded => &mut standing.degraded,
                HealthStatus::Down => &mut standing.down,
                HealthStatus::Disabled => &mut standing.off,
                HealthStatus::Unknown => &mut standing.unknown,
            };
            *count += 1;
        }
        standing
    }
}

/// `3 channels up, 1 down; 12 messages wait to be sent`.
fn sentence(standing: &Standing) -> String {
    let counts = [
        (standing.up, "up"),
        (standing.degraded, "degraded"),
        (standing.down, "down"),
        (standing.off, "switched off"),
        (standing.unknown, "not checked yet"),
    ];
    let all: usize = counts.iter().map(|(count, _)| count).sum();
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counts
        .enumerate()
        .map(|(index, (count, how))| match (index, *count) {
            (0, 1) => format!("1 channel {how}"),
            (0, count) => format!("{count} channels {how}"),
            (_, count) => format!("{count} {how}"),
        })
        .collect();
    let channels = if all == 0 {
        "no channels".to_owned()
    } else {
        counts.join(", ")
    };
    match standing.waiting {
        0 => format!("{channels}; nothing waits to be sent"),
        1 => format!("{channels}; 1 message waits to be sent"),
        waiting => format!("{channels}; {waiting} messages wait to be sent"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_follows_the_counts() {
        let mut standing = Standing::default();
        assert_eq!(sentence(&standing), "no channels; nothing waits to be sent");
        standing.up = 1;
        standing.waiting = 1;
        let one = "1 channel up; 1 message waits to be sent";
        assert_eq!(sentence(&standing), one);
        standing = Standing {
            up: 3,
            down: 1,
            waiting: 12,
            ..Standing::default()
        };
        let several = "3 channels up, 1 down; 12 messages wait to be sent";
        assert_eq!(sentence(&standing), several);
    }

    #[test]
    fn what_this_process_reads_is_noticed() {
        let before = bytes_moved();
        let read = fs::read("/proc/self/exe").expect("this program");
        let moved = bytes_moved() - before;
        assert!(moved >= read.len() as u64, "{moved}");
    }
}
