//! How an engine is set up, and what it tells about itself.

use std::{path::PathBuf, time::Duration};

use super::{fault::Faults, overlay::GroupLimit, progress::Teller};

/// How an engine is set up. The defaults suit a daemon on a small machine.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// What sled may cache, in bytes; its real memory is several times that. 16 MiB.
    pub cache_bytes: u64,
    /// A snapshot is taken when the newest is older than this. 24 h.
    pub snapshot_interval: Duration,
    /// A snapshot is taken when the log has grown by this many bytes since the newest. 4 GiB.
    pub snapshot_log_bytes: u64,
    /// The room set aside for a segment of the log. 64 MiB.
    pub segment_bytes: u64,
    /// The index is made durable after this much of the log was applied. Often and a little at a
    /// time: a large sync holds up the log on the same disk. 4 MiB.
    pub checkpoint_bytes: u64,
    /// The index is made durable at least this often while there are commits. 250 ms.
    pub checkpoint_interval: Duration,
    /// More commits than this do not wait: they are refused as busy. 16,384.
    pub pending_max: usize,
    /// The same in bytes. 64 MiB.
    pub pending_bytes_max: usize,
    /// Commits in one group at most. 1,024.
    pub group_commits_max: usize,
    /// Bytes in one group at most, unless one commit alone is larger. 8 MiB.
    pub group_bytes_max: usize,
    /// The log that is kept for consumers beyond what recovery needs, in bytes. 4 GiB.
    pub retain_bytes_max: u64,
    /// How long opening waits for sled before it takes the index for damaged. 60 s.
    pub index_timeout: Duration,
    /// How long opening may verify the index before it goes on doing so in the background. 500 ms.
    pub verify_budget: Duration,
    /// While fewer bytes than this are free, [`super::Engine::admit_new`] refuses. 0, none, is the default.
    pub reserve_bytes: u64,
    /// Is told how far rebuilding and migrating are; the log is told anyway.
    pub teller: Teller,
    /// Failures to come, in tests.
    #[cfg(test)]
    pub(crate) faults: Faults,
}

impl Default for EngineOptions {
    fn default() -> Self {
        const MIB: u64 = 1024 * 1024;
        Self {
            cache_bytes: 16 * MIB,
            snapshot_interval: Duration::from_secs(24 * 60 * 60),
            snapshot_log_bytes: 4096 * MIB,
            segment_bytes: 64 * MIB,
            checkpoint_bytes: 4 * MIB,
            checkpoint_interval: Duration::from_millis(250),
            pending_max: 16_384,
            pending_bytes_max: 64 * 1024 * 1024,
            group_commits_max: 1024,
            group_bytes_max: 8 * 1024 * 1024,
            retain_bytes_max: 4096 * MIB,
            index_timeout: Duration::from_secs(60),
            verify_budget: Duration::from_millis(500),
            reserve_bytes: 0,
            teller: Teller::default(),
            #[cfg(test)]
            faults: Faults::default(),
        }
    }
}

impl EngineOptions {
    #[cfg_attr(
        not(test),
        expect(clippy::unused_self, reason = "the tests' twin needs it")
    )]
    pub(super) fn faults(&self) -> Faults {
        #[cfg(test)]
        return self.faults.clone();
        #[cfg(not(test))]
        Faults::default()
    }

    pub(super) fn group_limit(&self) -> GroupLimit {
        GroupLimit {
            commits: self.group_commits_max.max(1),
            bytes: self.group_bytes_max,
        }
    }
}

/// What opening found and did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenReport {
    /// Whether the engine was closed in order the last time, or never ran.
    pub clean: bool,
    /// The newest commit.
    pub position: u64,
    /// Commits applied to the index from the log.
    pub replayed: u64,
    /// Bytes of an unfinished write that were cut off the log.
    pub cut_bytes: u64,
    /// Why the index was built anew; none where it was good.
    pub rebuilt: Option<String>,
    /// Where the log could not be read and the index stood in for it.
    pub salvaged: Option<String>,
}

/// What a repair kept and lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepairReport {
    /// The newest commit that was kept.
    pub position: u64,
    /// The commits that are lost, as first and last of each stretch. One that was never acknowledged may be among them.
    pub lost: Vec<(u64, u64)>,
}

/// A finished snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotInfo {
    /// The file. It is all a restore needs.
    pub path: PathBuf,
    /// The newest commit it holds.
    pub position: u64,
    /// Records in it.
    pub records: u64,
    /// Its size.
    pub bytes: u64,
}

/// How far the engine's writer is, to tell whether it is stuck.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Steps {
    /// Commits that wait or are on their way.
    pub queued: u64,
    /// Grows with all that it gets done, and with all that fails.
    pub steps: u64,
}

/// What the engine has done and how it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// The newest commit that is durable and applied.
    pub position: u64,
    /// The newest commit that is durable.
    pub durable: u64,
    /// The newest commit that needs no replay after a power cut.
    pub checkpoint: u64,
    /// Commits that wait or are on their way.
    pub queued: usize,
    /// Groups written since the start.
    pub groups: u64,
    /// Commits in the last group.
    pub group_commits_last: u64,
    /// Commits in the largest group.
    pub group_commits_max: u64,
    /// What the last write and fdatasync took together, in microseconds.
    pub sync_us_last: u64,
    /// What the slowest took.
    pub sync_us_max: u64,
    /// What all took together.
    pub sync_us_total: u64,
    /// What applying the last group took, in microseconds.
    pub apply_us_last: u64,
    /// What applying all took together.
    pub apply_us_total: u64,
    /// Bytes written to the log since the start.
    pub log_bytes: u64,
    /// Writes that were not what their planner said: a key called new was there, or the other way
    /// round. Anything but 0 is a bug of a planner, or damage.
    pub surprises: u64,
    /// How often the disk refused a group.
    pub failures: u64,
    /// How often the index was built anew while the engine served.
    pub rebuilds: u64,
    /// Why commits fail at present, for want of room or otherwise; none where they do not.
    pub failed: Option<String>,
}
