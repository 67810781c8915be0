//! What is true at the moment, written into metrics just before they are read.

use std::sync::{Arc, atomic::AtomicU64, atomic::Ordering::Relaxed};

use prometheus_client::metrics::{counter::Counter, family::Family, gauge::Gauge, info::Info};

use super::{
    Survey,
    book::Book,
    labels::{Build, ByPart, ByPlugin, ByState, ByStatus},
};
use crate::{
    model::{ChannelId, HealthStatus, Millis},
    store::Stats,
};

type Whole = Gauge<u64, AtomicU64>;
type Real = Gauge<f64, AtomicU64>;
type RealCounter = Counter<f64, AtomicU64>;

/// What is true at the moment.
#[derive(Debug, Clone, Default)]
pub struct Sample {
    /// The health of each channel.
    pub health: Vec<(ChannelId, HealthStatus)>,
    /// How many entries of the quarantine hold for each plugin's file.
    pub quarantined: Vec<(String, u64)>,
    /// Notifications that nobody has taken note of.
    pub open_notifications: u64,
    /// What the store has done.
    pub store: Stats,
    /// What was looked up.
    pub survey: Option<Arc<Survey>>,
    /// The time.
    pub now_ms: Millis,
}

#[derive(Default)]
pub(super) struct State {
    health: Family<ByStatus, Gauge>,
    quarantined: Family<ByPlugin, Whole>,
    queued: Family<ByState, Whole>,
    oldest: Family<ByState, Real>,
    open: Whole,
    store: StoreState,
    process: ProcessState,
}

#[derive(Default)]
struct StoreState {
    queue_depth: Whole,
    position: Whole,
    groups: Counter,
    written_bytes: Counter,
    sync_seconds: RealCounter,
    apply_seconds: RealCounter,
    sync_seconds_max: Real,
    failures: Counter,
    failing: Whole,
    rebuilds: Counter,
    surprises: Counter,
    bytes: Family<ByPart, Whole>,
    free_bytes: Whole,
    size_bytes: Whole,
}

#[derive(Default)]
struct ProcessState {
    cpu_seconds: RealCounter,
    resident_bytes: Whole,
    virtual_bytes: Whole,
    fds: Whole,
    fds_max: Whole,
    started: Real,
}

impl State {
    pub(super) fn register(&self, book: &mut Book) {
        let version = env!("CARGO_PKG_VERSION");
        book.register(
            "build",
            "The version that runs",
            Info::new(Build { version }),
        );
        book.register(
            "channel_health",
            "1 for the status that a channel has",
            self.health.clone(),
        );
        book.register(
            "plugin_quarantined",
            "Entries of the quarantine against a plugin's file: channels that were given up with it, and the file itself",
            self.quarantined.clone(),
        );
        book.register(
            "outbox_messages",
            "Messages that wait to be sent or were given up, by state",
            self.queued.clone(),
        );
        book.register(
            "outbox_oldest_seconds",
            "Time since the oldest of them was accepted",
            self.oldest.clone(),
        );
        book.register(
            "notifications_open",
            "Notifications that nobody has taken note of",
            self.open.clone(),
        );
        self.store.register(book);
        self.process.register(book);
    }

    pub(super) fn set(&self, sample: &Sample) {
        self.health.clear();
        for (channel, status) in &sample.health {
            let labels = ByStatus {
                channel: channel.to_string(),
                status: status.as_str(),
            };
            self.health.get_or_create(&labels).set(1);
        }
        self.quarantined.clear();
        for (plugin, entries) in &sample.quarantined {
            let plugin = plugin.clone();
            let gauge = self.quarantined.get_or_create(&ByPlugin { plugin });
            gauge.set(*entries);
        }
        self.open.set(sample.open_notifications);
        self.store.set(&sample.store);
        if let Some(survey) = &sample.survey {
            self.set_survey(survey, sample.now_ms);
        }
    }

    fn set_survey(&self, survey: &Survey, now_ms: Millis) {
        self.queued.clear();
        self.oldest.clear();
        for waiting in &survey.waiting {
            let labels = ByState {
                channel: waiting.channel.to_string(),
                state: waiting.state,
            };
            self.queued.get_or_create(&labels).set(waiting.messages);
            let age = u64::try_from(now_ms - waiting.oldest_ms).unwrap_or(0);
            let seconds = std::time::Duration::from_millis(age).as_secs_f64();
            self.oldest.get_or_create(&labels).set(seconds);
        }
        let disk = &survey.disk;
        let parts = [
            ("log", disk.log_bytes),
            ("index", disk.index_bytes),
            ("snapshots", disk.snapshot_bytes),
        ];
        for (part, bytes) in parts {
            self.store.bytes.get_or_create(&ByPart { part }).set(bytes);
        }
        self.store.free_bytes.set(disk.free_bytes);
        self.store.size_bytes.set(disk.size_bytes);
        self.process.set(&survey.process);
    }
}

impl StoreState {
    fn register(&self, book: &mut Book) {
        book.register(
            "store_queue_depth",
            "Commits waiting for the disk",
            self.queue_depth.clone(),
        );
        book.register(
            "store_position",
            "The newest commit, counted since the store was made",
            self.position.clone(),
        );
        book.register(
            "store_groups",
            "Writes to the log, each of many commits",
            self.groups.clone(),
        );
        book.register(
            "store_written_bytes",
            "Bytes written to the log",
            self.written_bytes.clone(),
        );
        book.register(
            "store_sync_seconds",
            "Time of writes to the log with their fdatasync",
            self.sync_seconds.clone(),
        );
        book.register(
            "store_sync_max_seconds",
            "The longest of them since the start",
            self.sync_seconds_max.clone(),
        );
        book.register(
            "store_apply_seconds",
            "Time of writes to the index",
            self.apply_seconds.clone(),
        );
        book.register(
            "store_write_failures",
            "Writes that the disk refused; nothing of them was acknowledged",
            self.failures.clone(),
        );
        book.register(
            "store_failing",
            "1 while the disk refuses writes",
            self.failing.clone(),
        );
        book.register(
            "store_index_rebuilds",
            "How often the index was built anew while the daemon served",
            self.rebuilds.clone(),
        );
        book.register(
            "store_surprises",
            "Writes that met what was not expected: a bug, or damage",
            self.surprises.clone(),
        );
        book.register(
            "store_bytes",
            "Bytes on the disk by part of the store",
            self.bytes.clone(),
        );
        book.register(
            "store_disk_free_bytes",
            "Room that is left on the store's disk",
            self.free_bytes.clone(),
        );
        book.register(
            "store_disk_size_bytes",
            "Room of the store's whole disk",
            self.size_bytes.clone(),
        );
    }

    fn set(&self, stats: &Stats) {
        let seconds = |us: u64| std::time::Duration::from_micros(us).as_secs_f64();
        self.queue_depth.set(stats.queued as u64);
        self.position.set(stats.position);
        self.groups.inner().store(stats.groups, Relaxed);
        self.written_bytes.inner().store(stats.log_bytes, Relaxed);
        set_real(&self.sync_seconds, seconds(stats.sync_us_total));
        set_real(&self.apply_seconds, seconds(stats.apply_us_total));
        self.sync_seconds_max.set(seconds(stats.sync_us_max));
        self.failures.inner().store(stats.failures, Relaxed);
        self.failing.set(u64::from(stats.failed.is_some()));
        self.rebuilds.inner().store(stats.rebuilds, Relaxed);
        self.surprises.inner().store(stats.surprises, Relaxed);
    }
}

impl ProcessState {
    fn register(&self, book: &mut Book) {
        book.register_process(
            "cpu_seconds",
            "Time on a processor",
            self.cpu_seconds.clone(),
        );
        book.register_process(
            "resident_memory_bytes",
            "Memory that is really there",
            self.resident_bytes.clone(),
        );
        book.register_process(
            "virtual_memory_bytes",
            "Memory that was asked for",
            self.virtual_bytes.clone(),
        );
        book.register_process("open_fds", "Open file descriptors", self.fds.clone());
        book.register_process(
            "max_fds",
            "How many of them there may be",
            self.fds_max.clone(),
        );
        book.register_process(
            "start_time_seconds",
            "When the process was started, in Unix time",
            self.started.clone(),
        );
    }

    fn set(&self, process: &super::Process) {
        set_real(&self.cpu_seconds, process.cpu_seconds);
        self.resident_bytes.set(process.resident_bytes);
        self.virtual_bytes.set(process.virtual_bytes);
        self.fds.set(process.fds);
        self.fds_max.set(process.fds_max);
        self.started.set(process.started_seconds);
    }
}

/// A counter that something else counts.
fn set_real(counter: &RealCounter, value: f64) {
    counter.inner().store(value.to_bits(), Relaxed);
}
